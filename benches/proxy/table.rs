//! Rounds to rows, rows to the table that `benches/README.md` keeps.

use super::load::Load;
use super::peer::Peer;
use std::fmt::Write as _;

/// One run of one proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) load: Load,
    /// CPU time of the proxy during the run; none where there is no proxy.
    pub(crate) cpu_seconds: Option<f64>,
}

/// All rounds of one proxy at one size.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) peer: Peer,
    pub(crate) size_kb: usize,
    pub(crate) body_bytes: usize,
    pub(crate) rounds: Vec<Round>,
    pub(crate) peak_mib: Option<f64>,
}

impl Row {
    fn median(&self, of: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.rounds.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = values.get(middle).copied()?;
        // An even count has two middles.
        let lower = if values.len().is_multiple_of(2) { values[middle - 1] } else { upper };
        Some(f64::midpoint(lower, upper))
    }

    pub(crate) fn requests_per_second(&self) -> Option<f64> {
        self.median(|round| Some(round.load.requests_per_second))
    }
}

/// The table as Markdown. Every number is a median over the rounds; memory is the most of the whole run.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "| body KB | proxy | requests/s | MB/s | p50 ms | p99 ms | CPU µs/request | core % | peak RSS MiB | of Envoy |\n\
         |--:|:--|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        let envoy = rows.iter().find(|other| other.peer == Peer::Envoy && other.size_kb == row.size_kb);
        let rate = row.requests_per_second();
        let body_megabytes = f64::from(u32::try_from(row.body_bytes).unwrap_or(u32::MAX)) / 1e6;
        let cells = [
            cell(rate, 0),
            cell(rate.map(|rate| rate * body_megabytes), 0),
            cell(row.median(|round| Some(round.load.p50_ms)), 2),
            cell(row.median(|round| Some(round.load.p99_ms)), 2),
            cell(row.median(|round| Some(round.cpu_seconds? / round.load.requests * 1e6)), 0),
            cell(row.median(core_percent), 0),
            cell(row.peak_mib, 0),
            cell(rate.zip(envoy.and_then(Row::requests_per_second)).map(|(own, envoy)| own / envoy), 2),
        ];
        let (size, name) = (row.size_kb, row.peer.name());
        writeln!(out, "| {size} | {name} | {} |", cells.join(" | "))
            .expect("writing to a String cannot fail");
    }
    out
}

/// Share of its core that the proxy got. Well under 100 at full load: somebody else was using the core, or the
/// proxy waited for load and sink.
fn core_percent(round: &Round) -> Option<f64> {
    let seconds = round.load.requests / round.load.requests_per_second;
    Some(round.cpu_seconds? / seconds * 100.0)
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value
        .filter(|value| value.is_finite())
        .map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}
