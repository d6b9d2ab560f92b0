//! Files that are read again when they change: certificates and keys, which others renew.
//!
//! They are looked at every few seconds rather than subscribed to: that sees a file that was written, one that was put in
//! its place and a link that was turned, on every file system, and costs a few calls. Holds one stamp per file.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often the files are looked at. What is found counts once it has stood still for one look.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// What tells two states of a file apart without reading it: device, inode, length, times of content and of inode.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// Some files and how they were when they were last taken.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    taken: Vec<Stamp>,
    seen: Vec<Stamp>,
}

impl Files {
    /// Takes the files as they are now.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let now: Vec<Stamp> = paths.iter().map(|path| stamp(path)).collect();
        Self { paths, taken: now.clone(), seen: now }
    }

    /// Looks at the files: true, once, if they are not as they were taken and have not changed since the look before.
    ///
    /// A pair is two files, and a file may be half written; what stands still for one look is meant.
    pub fn changed(&mut self) -> bool {
        let now: Vec<Stamp> = self.paths.iter().map(|path| stamp(path)).collect();
        let stands = now == self.seen;
        self.seen = now;
        let changed = stands && self.seen != self.taken;
        if changed {
            self.taken.clone_from(&self.seen);
        }
        changed
    }
}

/// What is read from files that may change.
pub trait Reread: Send + Sync + 'static {
    /// Reads the files again. Keeps what it has if they cannot be used, and says so.
    fn reread(&self);
}

/// Rereads when `files` have changed, for as long as `reader` is there.
pub async fn follow(reader: Weak<impl Reread>, mut files: Files, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(reader) = reader.upgrade() else { return };
        if files.changed() {
            // Files may be on a slow disk, and reading a key is some arithmetic.
            let read = tokio::task::spawn_blocking(move || Arc::clone(&reader).reread()).await;
            if read.is_err() {
                tracing::error!("reading changed certificates again failed");
            }
        }
    }
}

/// `None`: there is no such file.
fn stamp(path: &Path) -> Stamp {
    let of = std::fs::metadata(path).ok()?;
    Some((of.dev(), of.ino(), of.size(), (of.mtime(), of.mtime_nsec()), (of.ctime(), of.ctime_nsec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_counts_once_and_when_it_stands_still() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        fs::write(&one, "a").unwrap();
        let mut files = Files::new(vec![one.clone(), other.clone()]);
        assert!(!files.changed());
        fs::write(&other, "b").unwrap(); // there was none
        assert!(!files.changed(), "it may still be written to");
        fs::write(&one, "a longer one").unwrap();
        assert!(!files.changed(), "it was");
        assert!(files.changed());
        assert!(!files.changed(), "once");
        fs::write(dir.path().join("new"), "c").unwrap();
        fs::rename(dir.path().join("new"), &one).unwrap();
        assert!(!files.changed());
        assert!(files.changed(), "put in its place");
        fs::remove_file(&one).unwrap();
        assert!(!files.changed());
        assert!(files.changed(), "gone");
    }

    #[test]
    fn a_link_that_is_turned_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("file"), "same length").unwrap();
        }
        let link = dir.path().join("data");
        std::os::unix::fs::symlink(dir.path().join("a"), &link).unwrap();
        let mut files = Files::new(vec![link.join("file")]);
        // As the kubelet does.
        std::os::unix::fs::symlink(dir.path().join("b"), dir.path().join("next")).unwrap();
        fs::rename(dir.path().join("next"), &link).unwrap();
        assert!(!files.changed());
        assert!(files.changed());
    }
}
