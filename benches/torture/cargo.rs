//! What is a test already, in a release build where that matters: kills, faults, leaks, and fuzzing.

use super::options::Options;
use super::table::{Line, Verdict};
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Tests by what they show: their binary, what their names hold, and what the line says.
const TESTS: [(&str, &str, &str); 6] = [
    ("proxy", "nothing_acknowledged_is_lost_by_fifty_kills", "50 kills under load: lost"),
    (
        "proxy",
        "faults::",
        "refused, reset, half-open, black hole, 1 byte/s, garbage, early answer, GOAWAY, cut answer",
    ),
    ("proxy", "spool::", "the spool over loopback"),
    ("gate", "", "framing of HTTP/1"),
    ("proxy", "frames::", "frames and floods of HTTP/2"),
    ("canaries", "", "10,000 canaries in anything that was written"),
];
/// Where failing file system calls and power cuts are injected.
const SPOOL_TESTS: &str = "spool::tests::";

pub(crate) fn faults() -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (binary, name, what) in TESTS {
        lines.push(test(&["--test", binary], name, what)?);
    }
    lines.push(test(
        &["--lib"],
        SPOOL_TESTS,
        "ENOSPC and EIO at each of 120 calls, power cuts, flipped bits",
    )?);
    lines.push(test(
        &["--test", "proxy"],
        "none_of_two_hundred_headers_passes",
        "200 names of headers: unlisted that pass",
    )?);
    Ok(lines)
}

fn test(binary: &[&str], name: &str, what: &str) -> io::Result<Line> {
    let begun = Instant::now();
    let mut command = cargo();
    command.args(["test", "--locked", "--quiet"]).args(binary).args(["--", "--nocapture"]);
    if !name.is_empty() {
        command.arg(name);
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let sum = |word: &str| -> u32 {
        let results = text.lines().filter(|line| line.starts_with("test result:"));
        let count = |line: &str| {
            line.split(word).next()?.rsplit(' ').find(|part| !part.is_empty())?.parse::<u32>().ok()
        };
        results.filter_map(count).sum()
    };
    let (passed, failed) = (sum(" passed"), sum(" failed"));
    let told = text.lines().find(|line| line.contains(" lost, ") || line.contains("survive"));
    let told = told.map(|line| format!("; {}", line.trim_start_matches('.'))).unwrap_or_default();
    if !output.status.success() {
        eprintln!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(Line::new(
        "faults",
        what,
        "all pass",
        format!("{passed} passed, {failed} failed in {:.0} s{told}", begun.elapsed().as_secs_f64()),
        Verdict::floor(output.status.success() && passed > 0),
    ))
}

/// Each fuzz target for a short time, by the Makefile's own target.
pub(crate) fn fuzz(options: &Options) -> io::Result<Vec<Line>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = std::fs::read_to_string(root.join("Makefile"))?;
    if !makefile.lines().any(|line| line.starts_with("fuzz:")) {
        return Ok(vec![Line::new(
            "fuzz",
            "each target",
            "no crash",
            "the Makefile has no `fuzz`",
            Verdict::Skipped,
        )]);
    }
    let begun = Instant::now();
    let mut command = Command::new("make");
    command.current_dir(root).args(["fuzz", &format!("FUZZ_SECONDS={}", options.fuzz_seconds)]);
    let status = command.env_remove("CARGO_MANIFEST_DIR").status()?;
    Ok(vec![Line::new(
        "fuzz",
        format!("each target for {} s", options.fuzz_seconds),
        "no crash",
        format!("{status} after {:.0} s", begun.elapsed().as_secs_f64()),
        Verdict::floor(status.success()),
    )])
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
