//! Our own log records: which are written, and in what form.
//!
//! In: `[log]` and the variable `TAMIS_LOG`. Out: records on standard error. Those of libraries are never written.

use super::tell;
use super::terminal::color_wanted;
use crate::config::LogFormat;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The variable that says which records are written.
const VARIABLE: &str = "TAMIS_LOG";

/// Our own log records to standard error, `info` and graver unless `TAMIS_LOG` says otherwise.
///
/// LEAK: those of libraries are left out whatever it says: at their most talkative they quote headers and frames.
pub(super) fn to_stderr(format: LogFormat) {
    let filter = std::env::var(VARIABLE).ok().and_then(|wanted| {
        let filter = filter(&wanted);
        if filter.is_none() {
            tell(&format!(
                "{VARIABLE} is no level: error, warn, info, debug, trace or off; records are those of info"
            ));
        }
        filter
    });
    let filter = filter.unwrap_or_else(|| EnvFilter::new("info"));
    let own = filter.and(filter_fn(|metadata| is_own(metadata.target())));
    let color = color_wanted(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(color);
    let registry = tracing_subscriber::registry();
    let set = match format {
        LogFormat::Text => registry.with(layer.with_filter(own)).try_init(),
        LogFormat::Json => registry.with(layer.json().with_filter(own)).try_init(),
    };
    if set.is_err() {
        tell("log records go where an earlier call sent them");
    }
}

/// What `TAMIS_LOG` asks for: a level, or `target=level` with commas between them. A lone word that is no level would be taken for a
/// target, and nothing would be written but what that target says.
fn filter(wanted: &str) -> Option<EnvFilter> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let mut words = wanted.split(',').map(str::trim).filter(|word| !word.is_empty());
    let known = words.all(|word| is_level(word) || word.contains('=') || is_own(word));
    if known && !wanted.trim().is_empty() { EnvFilter::try_new(wanted).ok() } else { None }
}

/// Whether a target is a module of ours.
fn is_own(target: &str) -> bool {
    target.strip_prefix("tamis").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_no_filter() {
        for (wanted, is_one) in [
            ("debug", true),
            ("OFF", true),
            ("warn,tamis::access=debug", true),
            ("tamis::access", true),
            ("verbose", false),
            ("info,all", false),
            ("tamis=loud", false),
            ("", false),
            (" ", false),
        ] {
            assert_eq!(filter(wanted).is_some(), is_one, "{wanted:?}");
        }
    }

    #[test]
    fn only_our_own_records_are_written() {
        for (target, own) in
            [("tamis", true), ("tamis::access", true), ("tamis_other", false), ("h2::codec", false)]
        {
            assert_eq!(is_own(target), own, "{target}");
        }
    }
}
