//! The memory that control groups leave this process.
//!
//! In: what `/proc/self/cgroup` says, and the files of the hierarchy, version 2 or 1. Out: bytes, or that there is no limit.
//! What cannot be read is no limit: the budget is then what it is anywhere else.
//! SPEC: <https://docs.kernel.org/admin-guide/cgroup-v2.html>, "memory.max";
//! <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>, "memory.limit_in_bytes".

use std::path::{Component, Path, PathBuf};

/// Version 1 has no word for "no limit", but a number near 2^63: more than any machine has.
const LIMIT_BYTES_MAX: u64 = 1 << 60;

/// The smallest limit of the groups that this process is in.
pub(super) fn memory_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    smallest(&groups, Path::new("/sys/fs/cgroup"))
}

/// `groups`: lines `ID:CONTROLLERS:PATH`; below `mount` are the files.
fn smallest(groups: &str, mount: &Path) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        if controllers.is_empty() {
            return along(mount, path, "memory.max");
        }
        let is_memory = controllers.split(',').any(|controller| controller == "memory");
        is_memory.then(|| along(&mount.join("memory"), path, "memory.limit_in_bytes"))?
    });
    limits.min()
}

/// The smallest limit in the files of that name from the root down to `path`. In a container the root is its own group, and
/// what is named below it may not be there.
fn along(root: &Path, path: &str, file: &str) -> Option<u64> {
    let below = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
    let mut at = PathBuf::from(root);
    let mut found = limit_in(&at.join(file));
    for part in below {
        at.push(part);
        found = found.into_iter().chain(limit_in(&at.join(file))).min();
    }
    found
}

fn limit_in(file: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    // "max" is no number.
    text.trim().parse().ok().filter(|limit| *limit < LIMIT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(groups: &str, files: &[(&str, &str)], want: Option<u64>) {
        let mount = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = mount.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        assert_eq!(smallest(groups, mount.path()), want, "{groups:?} {files:?}");
    }

    #[test]
    fn the_smallest_limit_on_the_way_counts() {
        let v2 = "0::/kube/pod/tamis\n";
        check(v2, &[("kube/pod/tamis/memory.max", "67108864\n")], Some(64 << 20));
        check(
            v2,
            &[
                ("kube/memory.max", "max\n"),
                ("kube/pod/memory.max", "1000\n"),
                ("kube/pod/tamis/memory.max", "max\n"),
            ],
            Some(1000),
        );
        // In a container with a namespace of its own, and in one that sees the path of the host.
        check("0::/\n", &[("memory.max", "1000\n")], Some(1000));
        check(v2, &[("memory.max", "1000\n")], Some(1000));
        let v1 = "5:cpu,cpuacct:/tamis\n4:memory:/tamis\n1:name=systemd:/tamis\n0::/\n";
        check(
            v1,
            &[("memory/tamis/memory.limit_in_bytes", "1000\n"), ("cpu/tamis/memory.max", "1\n")],
            Some(1000),
        );
    }

    #[test]
    fn what_is_no_limit() {
        for (groups, files) in [
            ("", &[][..]),
            ("no such line\n", &[("memory.max", "1000")]),
            ("0::/tamis\n", &[]),
            ("0::/tamis\n", &[("memory.max", "max\n")]),
            ("0::/tamis\n", &[("memory.max", "a few\n")]),
            ("4:memory:/\n", &[("memory/memory.limit_in_bytes", "9223372036854771712\n")]),
            ("0::/../../outside\n", &[("tamis/memory.max", "1000\n")]),
        ] {
            check(groups, files, None);
        }
    }
}
