//! What the operating system grants this process, and what it must not do with our memory.
//!
//! In: limits of the process. Out: the same, raised or lowered; how many connections and bytes of payload fit. Holds nothing.

mod cgroup;

use super::tell;
use crate::config::{Limits, Origin};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Of the file descriptors, senders' connections take at most one in so many. The rest is for what each of them may need
/// beside itself: a connection to an upstream, a file of the spool, a look of an operator.
const CONNECTIONS_SHARE: u64 = 2;

/// Of the memory of its control group, payloads take at most one byte in so many. The rest is for what is not counted:
/// connections, the packs, what the allocator keeps.
const MEMORY_SHARE: u64 = 2;
/// What the process takes before it holds any payload, packs and all, with some room.
const REST_BYTES: u64 = 48 << 20;

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

/// How many bytes all requests may hold: what is written, or what the control group leaves room for where nothing is.
pub(super) fn memory_bytes(limits: &Limits) -> usize {
    let group = cgroup::memory_limit();
    let fit = budget(limits, group);
    let (Some(group), written) = (group, limits.memory_bytes_max) else { return fit };
    match limits.memory_origin {
        Origin::Default if fit < written => {
            tracing::info!(
                memory_bytes_max = fit,
                group,
                "payloads may take a part of the control group's memory"
            );
        }
        Origin::Written if room(group) < written as u64 => {
            tracing::warn!(
                memory_bytes_max = written,
                group,
                fits = room(group),
                "`limits.memory_bytes_max` is more than the memory of the control group leaves room for: the kernel may end \
                 this process under load; lower the key, or raise the limit of the container (`MemoryMax=`) to twice of it"
            );
        }
        _ => {}
    }
    fit
}

/// `group`: bytes of memory of the control group; `None`: without a limit.
fn budget(limits: &Limits, group: Option<u64>) -> usize {
    match (limits.memory_origin, group) {
        (Origin::Default, Some(group)) => {
            let room = usize::try_from(room(group)).unwrap_or(usize::MAX);
            // Never less than the longest item, or that item would wait for ever.
            limits.memory_bytes_max.min(room.max(limits.item_bytes_max))
        }
        _ => limits.memory_bytes_max,
    }
}

/// Bytes of payload that a control group with so much memory leaves room for.
fn room(group: u64) -> u64 {
    (group / MEMORY_SHARE).min(group.saturating_sub(REST_BYTES))
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
    fn payloads_take_a_part_of_the_control_group() {
        let mib = |n: usize| n << 20;
        let defaults = Limits::default();
        let written = |n| Limits { memory_bytes_max: n, memory_origin: Origin::Written, ..Limits::default() };
        let small_items = Limits { item_bytes_max: mib(4), ..Limits::default() };
        for (limits, group, fit) in [
            (&defaults, None, mib(256)),
            (&defaults, Some(mib(4096)), mib(256)),
            (&defaults, Some(mib(512)), mib(256)),
            (&defaults, Some(mib(511)), mib(511) / 2),
            (&defaults, Some(mib(128)), mib(64)),
            (&defaults, Some(mib(64)), mib(16)),
            (&defaults, Some(mib(32)), mib(16)), // the longest item
            (&small_items, Some(mib(32)), mib(4)),
            (&small_items, Some(0), mib(4)),
            // What is written holds, and a warning tells of it.
            (&written(mib(256)), Some(mib(64)), mib(256)),
            (&written(mib(8)), Some(mib(4096)), mib(8)),
        ] {
            assert_eq!(budget(limits, group.map(|bytes| bytes as u64)), fit, "{group:?}");
        }
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
