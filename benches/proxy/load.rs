//! One run of `wrk` against one address.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// What wrk says about one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Requests with an answer.
    pub(crate) requests: f64,
    /// Answers of 400 and more, and connections that failed.
    pub(crate) failed: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Posts the bytes of the files that begin with `body` and go on with a number from 0, in turn, to `to` over `connections` connections for `seconds`.
///
/// wrk is closed-loop: a connection waits for its answer, so its percentiles are those of a server that is
/// exactly busy, and no promise about a slower one.
///
/// # Errors
/// When wrk cannot be run or says something else than expected.
pub(crate) fn run(
    wrk: &Path,
    to: SocketAddr,
    body: &Path,
    connections: u32,
    seconds: u32,
) -> io::Result<Load> {
    let output = Command::new(wrk)
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/proxy/post.lua"))
        .arg(format!("http://{to}/api/42/envelope/"))
        .arg("--")
        .arg(body)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap_or_default();
    let numbers: Vec<f64> = result.split(' ').filter_map(|number| number.parse().ok()).collect();
    let &[requests, duration_us, failed, p50_us, p99_us] = numbers.as_slice() else {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("wrk gave no result ({}): {errors}", output.status)));
    };
    Ok(Load {
        requests,
        failed,
        requests_per_second: requests / (duration_us / 1e6),
        p50_ms: p50_us / 1e3,
        p99_ms: p99_us / 1e3,
    })
}
