//! What the operating system grants this process.
//!
//! In: limits of the process. Out: the same, raised or lowered; how many connections fit. Holds nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Of the file descriptors, senders' connections take at most one in so many. The rest is for what each of them may need
/// beside itself: a connection to an upstream, a file of the spool, a look of an operator.
const CONNECTIONS_SHARE: u64 = 2;

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
