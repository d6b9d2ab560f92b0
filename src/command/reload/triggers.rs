//! What has the configuration read again without anybody asking over the admin port: SIGHUP, and a change of its files.

use super::Reloader;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;

/// Has the configuration read again at each SIGHUP, those among them that came before there was anything to reload.
pub(in crate::command) async fn on_signal(mut hangup: Signal, reloader: Arc<Reloader>) {
    while hangup.recv().await.is_some() {
        let reloader = Arc::clone(&reloader);
        // What came of it is logged and counted there.
        drop(tokio::task::spawn_blocking(move || reloader.reload()).await);
    }
}

/// Has the configuration read again when its files have changed. They are looked at once per `every`.
pub(in crate::command) async fn on_change(reloader: Arc<Reloader>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let reloader = Arc::clone(&reloader);
        // Off the async threads the look too: files may be on a slow disk.
        drop(tokio::task::spawn_blocking(move || reloader.reload_if_changed()).await);
    }
}
