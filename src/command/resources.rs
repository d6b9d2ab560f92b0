//! What the operating system grants this process, and what it must not do with our memory.
//!
//! In: limits of the process. Out: the same, raised or lowered; how many connections fit. Holds nothing.

use super::tell;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Of the file descriptors, senders' connections take at most one in so many. The rest is for what each of them may need
/// beside itself: a connection to an upstream, a file of the spool, a look of an operator.
const CONNECTIONS_SHARE: u64 = 2;

/// Sees to it that nobody writes our memory to a file: in it are payloads that are not scrubbed yet, and keys.
///
/// LEAK: the limit alone does not hold where core dumps go through a pipe (`systemd-coredump`, `apport`).
/// SPEC: core(5), "Piping core dumps to a program".
pub(super) fn forbid_core_dumps() {
    let forbidden = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let forbidden =
        forbidden.and(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable));
    if let Err(error) = forbidden {
        tell(&format!("core dumps cannot be switched off: {error}"));
    }
}

/// Raises the limit of open files to the most that this process may have.
pub(super) fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        let error = io::Error::from(error);
        tracing::warn!(kind = %error.kind(), open_files = limit.current, "the limit of open files cannot be raised");
    }
}

/// How many connections of senders may be open: those of the configuration, or what the limit of open files leaves room for.
pub(super) fn connections(wanted: usize) -> usize {
    let open_files = getrlimit(Resource::Nofile).current;
    let fit = fitting(wanted, open_files);
    if fit < wanted {
        tracing::warn!(
            connections_max = fit,
            wanted,
            open_files,
            "fewer connections than `limits.connections_max`: raise the limit of open files \
             (`ulimit -Hn`, `LimitNOFILE=`, `--ulimit nofile=`) to twice of it, or lower the key"
        );
    }
    fit
}

/// `open_files` `None`: without a limit.
fn fitting(wanted: usize, open_files: Option<u64>) -> usize {
    let room = open_files.map_or(u64::MAX, |files| (files / CONNECTIONS_SHARE).max(1));
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the whole test process, which has no use for core dumps either.
    #[test]
    fn no_core_dump_is_written() {
        forbid_core_dumps();
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        #[cfg(target_os = "linux")]
        assert_eq!(
            rustix::process::dumpable_behavior().expect("a behaviour"),
            rustix::process::DumpableBehavior::NotDumpable
        );
    }

    #[test]
    fn connections_take_half_of_the_descriptors() {
        for (wanted, open_files, fit) in [
            (5_000, None, 5_000),
            (5_000, Some(1 << 20), 5_000),
            (5_000, Some(10_001), 5_000),
            (5_000, Some(10_000), 5_000),
            (5_000, Some(9_999), 4_999),
            (5_000, Some(1_024), 512),
            (100, Some(1_024), 100),
            (5_000, Some(1), 1),
            (5_000, Some(0), 1),
        ] {
            assert_eq!(fitting(wanted, open_files), fit, "{wanted} of {open_files:?}");
        }
    }
}
