//! The few calls to the file system that the spool makes, behind a trait, so that tests can make each one fail.
//!
//! Nothing here retries. Who calls knows what a failure means.

#[cfg(test)]
pub(super) mod fake;

use rustix::fs::Access;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Only the owner reads and writes.
const FILE_MODE: u32 = 0o600;
/// Only the owner looks inside.
const DIR_MODE: u32 = 0o700;

/// A file system.
pub(super) trait Disk: Send + Sync {
    /// Makes a directory that only the owner looks into; one that is there is closed to others. That it is in must be there.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Names of what is in a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a file that only the owner reads and writes; fails if there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read and write.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes names in a directory survive a power cut.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file.
pub(super) trait DiskFile: Send {
    /// Bytes in it.
    fn len(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset`.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`. After a failure some of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file to `len` bytes.
    fn cut(&self, len: u64) -> io::Result<()>;
    /// Makes what was written survive a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// Makes a directory, and those above it that are missing, so that they survive a power cut.
///
/// # Errors
/// One cannot be made, or it is not sure that it stays.
pub(super) fn make_lasting_dir(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let Some(parent) = dir.parent() else { return disk.make_dir(dir) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match disk.make_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && parent != dir => {
            make_lasting_dir(disk, parent)?;
            disk.make_dir(dir)?;
        }
        made => made?,
    }
    // Also of one that is there: whoever made it may have been killed before this.
    match disk.sync_dir(parent) {
        // Above what is ours there may be what we may not look into, or what is never written (an image that a volume is mounted in): nothing
        // there is lost with the power.
        Err(error) if is_not_for_us(&error) => Ok(()),
        synced => synced,
    }
}

/// Says whether a directory can be written, or made with those above it that are missing. Makes nothing.
///
/// # Errors
/// What stands in the way of it.
pub(super) fn check_dir(dir: &Path) -> io::Result<()> {
    let mut there = dir;
    loop {
        match there.metadata() {
            Ok(found) if found.is_dir() => break,
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        there = match there.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    Ok(rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK)?)
}

fn is_not_for_us(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::PermissionDenied | E::ReadOnlyFilesystem | E::InvalidInput | E::Unsupported)
}

/// The file system of the machine.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(DIR_MODE).create(dir) {
            Err(error) if !dir.is_dir() => Err(error),
            _ if std::fs::metadata(dir)?.permissions().mode() & 0o077 == 0 => Ok(()),
            _ => std::fs::set_permissions(dir, Permissions::from_mode(DIR_MODE)),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name().into_string()));
        // A name that is not UTF-8 is none of ours.
        names.filter_map(|name| name.map(Result::ok).transpose()).collect()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_directory_is_looked_at_and_not_made() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("file");
        std::fs::write(&file, "").expect("written");
        for dir in [root.path().to_owned(), root.path().join("a"), root.path().join("a/b/c"), "a/b".into()] {
            check_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        }
        for dir in [file.clone(), file.join("a"), file.join("a/b")] {
            let error = check_dir(&dir).expect_err("a file is in the way");
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{}", dir.display());
        }
        let closed = root.path().join("closed");
        std::fs::create_dir(&closed).expect("made");
        std::fs::set_permissions(&closed, Permissions::from_mode(0o500)).expect("ours");
        // What the kernel says of it: root may write there.
        let may_write = std::fs::write(closed.join("probe"), "").is_ok();
        for dir in [closed.clone(), closed.join("a/b")] {
            assert_eq!(check_dir(&dir).is_ok(), may_write, "{}", dir.display());
        }
        assert!(!root.path().join("a").exists() && !closed.join("a").exists());
    }

    #[test]
    fn directories_are_made_down_to_the_last_and_closed_to_others() {
        let root = tempfile::tempdir().expect("a directory");
        let open = root.path().join("open");
        std::fs::create_dir(&open).expect("made");
        std::fs::set_permissions(&open, Permissions::from_mode(0o755)).expect("ours");
        let inner = open.join("a/b/spool");
        for _ in 0..2 {
            make_lasting_dir(&RealDisk, &inner).expect("made, or there");
            for dir in [inner.as_path(), &open.join("a/b"), &open.join("a")] {
                assert_eq!(mode(dir), 0o700, "{}", dir.display());
            }
            assert_eq!(mode(&open), 0o755, "what was there is not ours to close");
        }
        make_lasting_dir(&RealDisk, &open).expect("there");
        assert_eq!(mode(&open), 0o700);
        let file = open.join("file");
        std::fs::write(&file, "").expect("written");
        for dir in [file.clone(), file.join("below")] {
            assert!(make_lasting_dir(&RealDisk, &dir).is_err(), "{}", dir.display());
        }
    }
}
