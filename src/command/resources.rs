//! What the operating system grants this process, and what it must not do with our memory.
//!
//! In: limits of the process. Out: the same, raised or lowered; how many connections and bytes of payload fit. Holds nothing.

mod allocator;
mod cgroup;

use super::tell;
use crate::config::{Limits, Origin};
pub(super) use allocator::{give_back_if_tight, warn_of_waste};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Of the file descriptors, senders' connections take at most one in so many. The rest is for what each of them may need
/// beside itself: a connection to an upstream, a file of the spool, a look of an operator.
const CONNECTIONS_SHARE: u64 = 2;

/// Of what its control group has beyond that, payloads take one byte in so many. The rest is for what is not counted: connections, what
/// the allocator keeps although it is told not to.
const MEMORY_SHARE: u64 = 2;
/// What the process takes before it holds any payload, packs and all, with some room.
const REST_BYTES: u64 = 56 << 20;
/// What payloads get even in a group that has no room for them.
const PAYLOAD_BYTES_MIN: usize = 4 << 20;
/// Known sections take at most one byte in so many of the group's memory: they save time, and payloads need room.
const KNOWN_SHARE: u64 = 64;
/// Items of the default length take at most one part in so many of what all payloads may.
const ITEM_SHARE: usize = 2;

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

/// The limits, where a number that is not written gives way to what the control group leaves room for.
pub(super) fn fitted(limits: &Limits) -> Limits {
    let group = cgroup::memory_limit();
    let fitted = fit(limits, group);
    let Some(group) = group else { return fitted };
    let room = room(group);
    if fitted != *limits {
        tracing::info!(
            memory_bytes_max = fitted.memory_bytes_max,
            item_bytes_max = fitted.item_bytes_max,
            group,
            "payloads may take a part of the control group's memory"
        );
    }
    if fitted.memory_bytes_max > room {
        tracing::warn!(
            memory_bytes_max = fitted.memory_bytes_max,
            group,
            fits = room,
            "payloads may take more than the memory of the control group leaves room for: the kernel may end this process under \
             load; lower `limits.memory_bytes_max`, or raise the limit of the container (`MemoryMax=`)"
        );
    }
    fitted
}

/// How many bytes of sections that came before may be kept: those of the configuration, or what suits the control group.
pub(super) fn known_bytes(limits: &Limits) -> usize {
    suiting(limits.known_bytes_max, cgroup::memory_limit())
}

fn suiting(wanted: usize, group: Option<u64>) -> usize {
    let share = group.map_or(u64::MAX, |group| group / KNOWN_SHARE);
    wanted.min(usize::try_from(share).unwrap_or(usize::MAX))
}

/// `group`: bytes of memory of the control group; `None`: without a limit.
fn fit(limits: &Limits, group: Option<u64>) -> Limits {
    let mut fitted = limits.clone();
    let Some(group) = group else { return fitted };
    let room = room(group).max(PAYLOAD_BYTES_MIN);
    if limits.memory_origin == Origin::Default {
        // Never less than an item that is meant, or that item would wait for ever.
        let item = if limits.item_origin == Origin::Written { limits.item_bytes_max } else { 0 };
        let held = limits.buffer_bytes_max.max(item);
        fitted.memory_bytes_max = limits.memory_bytes_max.min(room.max(held));
    }
    if limits.item_origin == Origin::Default {
        let share = (fitted.memory_bytes_max / ITEM_SHARE).max(limits.buffer_bytes_max);
        // Beside a budget that is written items stay as they are: it was checked to hold one.
        let is_given = limits.memory_origin == Origin::Written;
        fitted.item_bytes_max =
            if is_given { limits.item_bytes_max } else { limits.item_bytes_max.min(share) };
    }
    fitted
}

/// Bytes of payload that a control group with so much memory leaves room for.
fn room(group: u64) -> usize {
    let room = group.saturating_sub(REST_BYTES) / MEMORY_SHARE;
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sections_take_a_small_part_of_a_small_container() {
        const MIB: usize = 1 << 20;
        for (group, bytes) in [(None, 4 * MIB), (Some(1 << 30), 4 * MIB), (Some(64 << 20), MIB), (Some(0), 0)]
        {
            assert_eq!(suiting(4 * MIB, group), bytes, "{group:?}");
        }
        assert_eq!(suiting(0, None), 0, "switched off");
    }

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
        let memory = |n| Limits { memory_bytes_max: n, memory_origin: Origin::Written, ..Limits::default() };
        let item = |n| Limits { item_bytes_max: n, item_origin: Origin::Written, ..Limits::default() };
        let buffer = Limits { buffer_bytes_max: mib(3), ..Limits::default() };
        for (limits, group, fitting) in [
            (&defaults, None, (mib(256), mib(16))),
            (&defaults, Some(mib(4096)), (mib(256), mib(16))),
            (&defaults, Some(mib(568)), (mib(256), mib(16))),
            (&defaults, Some(mib(256)), (mib(100), mib(16))),
            (&defaults, Some(mib(72)), (mib(8), mib(4))),
            (&defaults, Some(mib(64)), (mib(4), mib(2))),
            (&defaults, Some(0), (mib(4), mib(2))),
            // What is written holds, and all payloads may take as much as one that is.
            (&item(mib(16)), Some(mib(64)), (mib(16), mib(16))),
            (&item(mib(1)), Some(mib(64)), (mib(4), mib(1))),
            (&memory(mib(256)), Some(mib(64)), (mib(256), mib(16))),
            (&memory(mib(16)), Some(mib(4096)), (mib(16), mib(16))),
            (&buffer, Some(mib(56)), (mib(4), mib(3))),
        ] {
            let fitted = fit(limits, group.map(|bytes| bytes as u64));
            assert_eq!((fitted.memory_bytes_max, fitted.item_bytes_max), fitting, "{group:?}");
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
