//! How the C library keeps memory that was given back, in a container that has little.
//!
//! glibc keeps freed pieces for later, in one arena per thread, and counts ever larger pieces among those that it keeps. Where bodies
//! of a MiB come and go that is as much again as payloads hold: in control groups of 64 and 128 MiB the kernel ended the
//! process within seconds of 200 senders. It reads two numbers from the environment, once, before the program begins, and with them it
//! gives large pieces back at once. So where memory is tight the program begins again in its own place, with them set.
//!
//! Not everywhere: bodies of 200 KB cost half as much time again for it, small ones nothing. An allocator of our own was no
//! way out: jemalloc holds as well only with a decay that has to be told it in the same way, mimalloc did not hold.
//!
//! Source: mallopt(3), `M_MMAP_THRESHOLD`, `M_TRIM_THRESHOLD`, and the variables of the same names.

use super::cgroup;
use std::ffi::OsStr;
use std::io;
use std::process::Command;

/// Groups with less memory are tight. In this much the defaults hold without: 368 MiB at most.
const TIGHT_BYTES: u64 = 512 << 20;
/// Pieces of so many bytes are given back at once.
const GIVEN_BACK_BYTES: &str = "65536";
/// What glibc reads. Whoever sets one of them means something, and all of them stay.
const VARIABLES: [&str; 2] = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];
/// Other ways to say the same.
const OTHER_WAYS: [&str; 3] = ["GLIBC_TUNABLES", "MALLOC_TOP_PAD_", "LD_PRELOAD"];

/// Begins the program again, as the same process, if the allocator should know that memory is tight. To be called before anything
/// else: what is opened or set before is lost.
///
/// # Errors
/// It cannot begin again. It can go on as it is: see [`warn_of_waste`].
pub(in crate::command) fn give_back_if_tight() -> io::Result<()> {
    if !is_wanted(cgroup::memory_limit(), |name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    Err(begin_again())
}

/// Tells in the log what to do where the program could not begin again.
pub(in crate::command) fn warn_of_waste(error: &io::Error) {
    tracing::warn!(
        kind = %error.kind(),
        "the allocator cannot be told that memory is tight: set {}={GIVEN_BACK_BYTES} and {}={GIVEN_BACK_BYTES}, \
         or the kernel may end this process under load",
        VARIABLES[0],
        VARIABLES[1],
    );
}

/// `group`: bytes of memory of the control group.
fn is_wanted(group: Option<u64>, is_set: impl Fn(&str) -> bool) -> bool {
    let is_glibc = cfg!(all(target_os = "linux", target_env = "gnu"));
    let is_tight = group.is_some_and(|group| group < TIGHT_BYTES);
    is_glibc && is_tight && !VARIABLES.iter().chain(&OTHER_WAYS).any(|name| is_set(name))
}

/// Returns only if it cannot.
#[cfg(unix)]
fn begin_again() -> io::Error {
    use std::os::unix::process::CommandExt as _;
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let mut command = Command::new(&program);
    command.arg0(name.as_deref().unwrap_or(OsStr::new("tamis"))).args(arguments);
    command.envs(VARIABLES.map(|name| (name, GIVEN_BACK_BYTES))).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tight_group_is_told_and_nobody_who_said_something_himself() {
        let glibc = cfg!(all(target_os = "linux", target_env = "gnu"));
        let mib = |n: u64| Some(n << 20);
        let nothing = |_: &str| false;
        assert_eq!(is_wanted(mib(64), nothing), glibc);
        assert_eq!(is_wanted(mib(511), nothing), glibc);
        assert!(!is_wanted(mib(512), nothing));
        assert!(!is_wanted(None, nothing));
        for said in VARIABLES.iter().chain(&OTHER_WAYS) {
            assert!(!is_wanted(mib(64), |name| name == *said), "{said}");
        }
    }
}
