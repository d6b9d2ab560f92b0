//! Files that are read again when they change: certificates and keys, which others renew, the configuration and packs.
//!
//! They are looked at every few seconds rather than subscribed to: that sees a file that was written, one that was put in
//! its place and a link that was turned, on every file system, and costs a few calls. Holds one stamp per file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How often the files are looked at. What is found counts once it has stood still for one look.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// What tells two states of a file apart without reading it: device, inode, length, times of content and of inode.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// Stamps by path, those of directories among them.
type Stamps = BTreeMap<PathBuf, Stamp>;

/// Some files and how they were when they were last taken.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    dirs: Dirs,
    taken: Stamps,
    seen: Stamps,
}

/// Directories of which every file with one ending counts, those too that are yet to come.
#[derive(Debug, Default)]
struct Dirs {
    paths: Vec<PathBuf>,
    ending: &'static str,
}

impl Files {
    /// Takes the files as they are now.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let mut files = Self { paths, dirs: Dirs::default(), taken: Stamps::new(), seen: Stamps::new() };
        files.take();
        files
    }

    /// Takes them as they are now: call it before they are read, so that what changes meanwhile is a change.
    pub fn take(&mut self) {
        self.taken = self.look();
        self.seen.clone_from(&self.taken);
    }

    /// Follows the files of these directories whose names end in `ending`, as they are now, and those of none before.
    /// The other files stay as they were taken.
    pub fn set_dirs(&mut self, paths: Vec<PathBuf>, ending: &'static str) {
        self.dirs = Dirs { paths, ending };
        self.taken.retain(|path, _| self.paths.contains(path));
        self.dirs.look(&mut self.taken);
        self.seen.clone_from(&self.taken);
    }

    /// Looks at the files: true, once, if they are not as they were taken and have not changed since the look before.
    ///
    /// A pair is two files, and a file may be half written; what stands still for one look is meant.
    pub fn changed(&mut self) -> bool {
        let now = self.look();
        let stands = now == self.seen;
        self.seen = now;
        let changed = stands && self.seen != self.taken;
        if changed {
            self.taken.clone_from(&self.seen);
        }
        changed
    }

    fn look(&self) -> Stamps {
        let mut stamps: Stamps = self.paths.iter().map(|path| (path.clone(), stamp(path))).collect();
        self.dirs.look(&mut stamps);
        stamps
    }
}

impl Dirs {
    fn look(&self, stamps: &mut Stamps) {
        for dir in &self.paths {
            let entries = std::fs::read_dir(dir);
            // Of the directory itself only whether it can be read: its times change with every file that an editor
            // keeps beside its own.
            stamps.insert(dir.clone(), entries.is_ok().then_some(Default::default()));
            let files = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
            let counts = |path: &PathBuf| path.extension().is_some_and(|ending| ending == self.ending);
            stamps.extend(files.filter(counts).map(|path| {
                let stamp = stamp(&path);
                (path, stamp)
            }));
        }
    }
}

/// What is read from files that may change.
pub trait Reread: Send + Sync + 'static {
    /// Reads the files again. Keeps what it has if they cannot be used, and says so.
    fn reread(&self);
}

/// Rereads when `files` have changed, for as long as `reader` is there.
pub async fn follow(reader: Weak<impl Reread>, files: Files, every: Duration) {
    let files = Arc::new(Mutex::new(files));
    loop {
        tokio::time::sleep(every).await;
        let (Some(reader), files) = (reader.upgrade(), Arc::clone(&files)) else { return };
        // Off the async threads the look too: files may be on a disk that is slow or gone, and reading a key is some arithmetic.
        let looked = tokio::task::spawn_blocking(move || {
            // A look that a panic broke off is made again.
            let changed = files.lock().unwrap_or_else(PoisonError::into_inner).changed();
            if changed {
                reader.reread();
            }
        });
        if looked.await.is_err() {
            tracing::error!("reading changed certificates again failed");
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
    use std::sync::atomic::{AtomicU64, Ordering};

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

    /// Looks twice, as often as a change takes to count.
    fn changed(files: &mut Files) -> bool {
        files.changed() || files.changed()
    }

    #[test]
    fn files_of_a_directory_come_change_and_go() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("packs");
        let mut files = Files::new(vec![]);
        files.set_dirs(vec![dir.clone()], "toml");
        assert!(!changed(&mut files), "there is no such directory");
        fs::create_dir(&dir).unwrap();
        assert!(changed(&mut files), "now there is");
        fs::write(dir.join("a.toml"), "a").unwrap();
        assert!(!files.changed(), "it may still be written to");
        fs::write(dir.join("b.toml"), "b").unwrap();
        assert!(!files.changed(), "others are still coming");
        assert!(files.changed());
        for other in [".a.toml.swp", "a.toml~", "README"] {
            fs::write(dir.join(other), "none of ours").unwrap();
            assert!(!changed(&mut files), "{other}");
        }
        fs::write(dir.join("a.toml"), "another").unwrap();
        assert!(changed(&mut files));
        fs::remove_file(dir.join("a.toml")).unwrap();
        assert!(changed(&mut files));
        assert!(!changed(&mut files), "once");
        fs::remove_dir_all(&dir).unwrap();
        assert!(changed(&mut files));
    }

    /// As the kubelet lays out a ConfigMap: each file a link into `..data`, which is a link that is turned.
    #[test]
    fn a_directory_whose_links_are_turned_has_changed() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path();
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(dir.join(version)).unwrap();
            fs::write(dir.join(version).join("a.toml"), text).unwrap();
        }
        std::os::unix::fs::symlink("..1", dir.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/a.toml", dir.join("a.toml")).unwrap();
        let mut files = Files::new(vec![]);
        files.set_dirs(vec![dir.to_owned()], "toml");
        std::os::unix::fs::symlink("..2", dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
        assert!(changed(&mut files));
    }

    /// Panics at its first change, and says on which thread the others were read.
    struct Reader {
        async_thread: std::thread::ThreadId,
        changes: AtomicU64,
    }

    impl Reread for Reader {
        fn reread(&self) {
            assert_ne!(std::thread::current().id(), self.async_thread, "files are read elsewhere");
            let before = self.changes.fetch_add(1, Ordering::Relaxed);
            assert!(before > 0, "the first change");
        }
    }

    #[tokio::test]
    async fn a_reader_that_panics_does_not_end_the_following() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "a").unwrap();
        let async_thread = std::thread::current().id();
        let reader = Arc::new(Reader { async_thread, changes: AtomicU64::new(0) });
        let files = Files::new(vec![file.clone()]);
        let follows = tokio::spawn(follow(Arc::downgrade(&reader), files, Duration::from_millis(2)));
        for change in 1..=3 {
            fs::write(&file, "a".repeat(1 + change)).unwrap();
            let seen = async {
                while reader.changes.load(Ordering::Relaxed) < change as u64 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), seen).await.expect("it goes on");
        }
        drop(reader);
        let ended = tokio::time::timeout(Duration::from_secs(30), follows).await;
        ended.expect("it ends with its reader").expect("no panic of its own");
    }

    #[test]
    fn what_changes_while_it_is_read_is_a_change() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "a").unwrap();
        let mut files = Files::new(vec![file.clone()]);
        fs::write(&file, "a longer one").unwrap();
        files.take(); // it is read after this,
        assert!(!changed(&mut files), "so it was taken");
        fs::write(&file, "one that is longer still").unwrap();
        files.set_dirs(vec![root.path().join("packs")], "toml"); // what it names
        assert!(changed(&mut files));
    }
}
