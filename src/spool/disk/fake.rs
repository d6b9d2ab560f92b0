//! A file system in memory that forgets what was not synced, and fails when it is told.

use super::{Disk, DiskFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// What a failing call says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spool) enum Fault {
    /// The disk is full: a write leaves half of its bytes.
    Full,
    /// The device fails.
    Io,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Full => io::ErrorKind::StorageFull.into(),
            Self::Io => io::Error::other("injected"),
        }
    }
}

#[derive(Clone, Default)]
struct Content {
    /// What the process sees.
    now: Vec<u8>,
    /// What is on the platter.
    synced: Vec<u8>,
    /// Ranges that a failed sync left out for ever.
    lost: Vec<Range<usize>>,
}

#[derive(Default)]
struct State {
    dirs: BTreeSet<PathBuf>,
    /// The directories on the platter.
    named_dirs: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    /// The names on the platter.
    named: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    calls: u64,
    /// Files that cannot be read.
    broken: BTreeSet<PathBuf>,
    /// Calls that fail, counted from 1: the first, and how many.
    faults: Option<(u64, u64, Fault)>,
}

impl State {
    fn has_dir(&self, dir: Option<&Path>) -> bool {
        dir.is_none_or(|dir| dir == Path::new("/") || self.dirs.contains(dir))
    }
}

/// The file system. Clones are the same.
#[derive(Clone, Default)]
pub(in crate::spool) struct FakeDisk(Arc<Mutex<State>>);

impl FakeDisk {
    /// Makes `count` calls fail, the first of them the `first` from the beginning.
    pub(in crate::spool) fn fail(&self, first: u64, count: u64, fault: Fault) {
        self.lock().faults = Some((first, count, fault));
    }

    /// Makes a file unreadable, or readable again.
    pub(in crate::spool) fn break_file(&self, path: &Path, broken: bool) {
        let mut state = self.lock();
        let _changed = if broken { state.broken.insert(path.to_owned()) } else { state.broken.remove(path) };
    }

    pub(in crate::spool) fn heal(&self) {
        self.lock().faults = None;
    }

    /// Calls so far.
    pub(in crate::spool) fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// The power goes: of what was not synced, `kept` of each file's new bytes survive, and no new name does; a directory whose name
    /// does not survive takes all that is in it along.
    pub(in crate::spool) fn cut_power(&self, kept: usize) {
        let mut state = self.lock();
        // Those above come first.
        state.dirs = BTreeSet::new();
        for dir in std::mem::take(&mut state.named_dirs) {
            if state.has_dir(dir.parent()) {
                state.dirs.insert(dir);
            }
        }
        state.named_dirs = state.dirs.clone();
        let mut named = std::mem::take(&mut state.named);
        named.retain(|path, _| state.has_dir(path.parent()));
        state.files = named.clone();
        state.named = named;
        for content in state.files.values() {
            let mut content = content.lock().expect("no panic");
            let torn = content.now.len().min(content.synced.len() + kept);
            content.now = if content.now.len() > content.synced.len() {
                let tail = content.now[content.synced.len()..torn].to_vec();
                [&content.synced[..], &tail].concat()
            } else {
                content.synced.clone()
            };
            content.synced = content.now.clone();
        }
    }

    /// All files with their bytes.
    pub(in crate::spool) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.lock();
        let bytes = |content: &Arc<Mutex<Content>>| content.lock().expect("no panic").now.clone();
        state.files.iter().map(|(path, content)| (path.clone(), bytes(content))).collect()
    }

    /// Replaces the bytes of a file, on the platter too.
    pub(in crate::spool) fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.lock();
        for dir in path.ancestors().skip(1) {
            state.dirs.insert(dir.to_owned());
            state.named_dirs.insert(dir.to_owned());
        }
        let content = Arc::new(Mutex::new(Content { now: bytes.clone(), synced: bytes, lost: Vec::new() }));
        state.named.insert(path.to_owned(), Arc::clone(&content));
        state.files.insert(path.to_owned(), content);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic")
    }

    /// Counts a call and says whether it fails.
    fn call(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        state.calls += 1;
        match state.faults {
            Some((first, count, fault)) if (first..first + count).contains(&state.calls) => Err(fault),
            _ => Ok(()),
        }
    }
}

impl Disk for FakeDisk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.call().map_err(Fault::error)?;
        let mut state = self.lock();
        if !state.has_dir(dir.parent()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.dirs.insert(dir.to_owned());
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.call().map_err(Fault::error)?;
        let state = self.lock();
        let inside = state.files.keys().chain(&state.dirs).filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call().map_err(Fault::error)?;
        let content = Arc::new(Mutex::new(Content::default()));
        let mut state = self.lock();
        if !state.has_dir(path.parent()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(path.to_owned(), Arc::clone(&content));
        Ok(Box::new(FakeFile { disk: self.clone(), content }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call().map_err(Fault::error)?;
        let state = self.lock();
        if state.broken.contains(path) {
            return Err(Fault::Io.error());
        }
        let content = state.files.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(FakeFile { disk: self.clone(), content }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call().map_err(Fault::error)?;
        self.lock().files.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.call().map_err(Fault::error)?;
        let mut state = self.lock();
        if !state.has_dir(Some(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        let dirs: Vec<_> = state.dirs.iter().filter(|path| inside(path)).cloned().collect();
        state.named_dirs.extend(dirs);
        let now: Vec<_> = state
            .files
            .iter()
            .filter(|(path, _)| inside(path))
            .map(|(p, c)| (p.clone(), Arc::clone(c)))
            .collect();
        state.named.retain(|path, _| !inside(path));
        state.named.extend(now);
        Ok(())
    }
}

struct FakeFile {
    disk: FakeDisk,
    content: Arc<Mutex<Content>>,
}

impl FakeFile {
    fn write(&self, bytes: &[u8], offset: u64) {
        let mut content = self.content.lock().expect("no panic");
        let start = usize::try_from(offset).expect("small");
        if content.now.len() < start + bytes.len() {
            content.now.resize(start + bytes.len(), 0);
        }
        content.now[start..start + bytes.len()].copy_from_slice(bytes);
    }
}

impl DiskFile for FakeFile {
    fn len(&self) -> io::Result<u64> {
        self.disk.call().map_err(Fault::error)?;
        Ok(self.content.lock().expect("no panic").now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.call().map_err(Fault::error)?;
        let content = self.content.lock().expect("no panic");
        let start = usize::try_from(offset).expect("small");
        let there = content.now.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(there);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.disk.call() {
            Ok(()) => self.write(bytes, offset),
            Err(Fault::Full) => {
                self.write(&bytes[..bytes.len() / 2], offset);
                return Err(Fault::Full.error());
            }
            Err(fault) => return Err(fault.error()),
        }
        Ok(())
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.disk.call().map_err(Fault::error)?;
        self.content.lock().expect("no panic").now.truncate(usize::try_from(len).expect("small"));
        Ok(())
    }

    /// After a failure the pages count as clean, as they do on Linux: what they held is never written, and the next
    /// sync says that all is well.
    fn sync(&self) -> io::Result<()> {
        let called = self.disk.call();
        let mut content = self.content.lock().expect("no panic");
        if let Err(fault) = called {
            let dirty = content.synced.len()..content.now.len().max(content.synced.len());
            content.lost.push(dirty);
            return Err(fault.error());
        }
        content.synced = content.now.clone();
        for range in content.lost.clone() {
            let end = range.end.min(content.synced.len());
            content.synced[range.start.min(end)..end].fill(0);
        }
        Ok(())
    }
}
