//! What this process and its children may use: descriptors, cores, memory.

use super::options::Options;
use crate::proxy::measure::pin_self;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

/// Descriptors beside those of idle connections.
const DESCRIPTORS_BESIDE: usize = 3_000;
/// What they are of all that a process may open: Tamis gives senders no more than half.
const CONNECTIONS_SHARE: usize = 2;

/// Lets this process, and what it starts, open enough connections, and moves it off the core of the proxy.
///
/// # Errors
/// The hard limit is too low, or `prlimit` is not there.
pub(crate) fn raise(options: &Options) -> io::Result<()> {
    if options.smoke {
        return Ok(());
    }
    let wanted = options.connections * CONNECTIONS_SHARE + DESCRIPTORS_BESIDE;
    let pid = std::process::id().to_string();
    let status =
        Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={wanted}:{wanted}")]).status();
    let raised = status.is_ok_and(|status| status.success());
    if !raised {
        return Err(io::Error::other(format!(
            "{wanted} descriptors are needed, and `prlimit` did not give them"
        )));
    }
    if std::thread::available_parallelism()?.get() > 1 { pin_self() } else { Ok(()) }
}

/// A control group whose members may use so much memory together. Removed when it goes out of scope, if it is empty then.
pub(crate) struct MemoryGroup {
    dir: PathBuf,
    peak: &'static str,
}

impl MemoryGroup {
    /// Makes one. `None` where this process may not, or the kernel has none.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        let name = format!("tamis-torture-{}", std::process::id());
        // Version 1 of the interface, then version 2, where the controller is delegated.
        for (root, limit, peak, swap) in [
            (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.max_usage_in_bytes",
                "memory.memsw.limit_in_bytes",
            ),
            ("/sys/fs/cgroup", "memory.max", "memory.peak", "memory.swap.max"),
        ] {
            let dir = PathBuf::from(root).join(&name);
            if fs::create_dir(&dir).is_err() {
                continue;
            }
            let group = Self { dir, peak };
            if fs::write(group.dir.join(limit), bytes.to_string()).is_ok() {
                // Swap would only hide what is measured; a machine without it has no such file.
                let swap_bytes = if peak == "memory.peak" { 0 } else { bytes };
                let _no_swap = fs::write(group.dir.join(swap), swap_bytes.to_string()).is_ok();
                return Some(group);
            }
        }
        None
    }

    /// A command that joins the group and becomes `program`.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.dir).arg(program);
        command
    }

    /// The most that was used at once, in MiB, kernel memory and file pages included.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        let text = fs::read_to_string(self.dir.join(self.peak)).ok()?;
        text.trim().parse::<f64>().ok().map(|bytes| bytes / f64::from(1 << 20))
    }

    /// Members that the kernel has killed.
    pub(crate) fn kills(&self) -> Option<u64> {
        let files = ["memory.oom_control", "memory.events"];
        let text = files.iter().find_map(|file| fs::read_to_string(self.dir.join(file)).ok())?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir(&self.dir).is_err();
    }
}
