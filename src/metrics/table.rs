//! Every metric there is, in one table: what is registered, what the documentation lists.
//!
//! A metric that is not here cannot be registered ([`super::Metrics`] takes name, labels and help from
//! this table), and tests hold `docs/metrics.md` against it line by line.

/// How a metric behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets, with their sum.
    Histogram,
}

impl Kind {
    /// The word in the exposition format.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric: a row of `docs/metrics.md`.
#[derive(Debug, Clone, Copy)]
pub struct MetricDoc {
    /// Full name, with the prefix.
    pub name: &'static str,
    /// Behaviour over time.
    pub kind: Kind,
    /// What one step of the value is.
    pub unit: &'static str,
    /// Label names, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence; also the `# HELP` line.
    pub meaning: &'static str,
}

impl MetricDoc {
    /// The row of the documentation that describes this metric.
    #[must_use]
    pub fn markdown_row(&self) -> String {
        let labels: Vec<String> = self.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "-".to_owned() } else { labels.join(" ") };
        format!("| `{}` | {} | {} | {labels} | {} |", self.name, self.kind.as_str(), self.unit, self.meaning)
    }
}

macro_rules! metrics {
    ($($kind:ident $name:literal, $unit:literal, [$($label:literal),*], $meaning:literal;)*) => {
        /// Every metric, in documentation order.
        pub const TABLE: &[MetricDoc] = &[$(MetricDoc {
            name: $name, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], meaning: $meaning,
        },)*];
    };
}

metrics! {
    Counter "tamis_items_total", "items", ["route", "protocol", "outcome", "reason"],
        "Items that ended, by their one outcome; the reason is `none` for `forwarded` and `redacted`.";
    Counter "tamis_redactions_total", "hits", ["route", "class", "pattern", "action"],
        "Hits of a pattern or field rule, by what was done; `action=\"keep\"` was found and left.";
    Counter "tamis_shadow_hits_total", "hits", ["route", "pattern"],
        "Hits that were counted and forwarded unchanged: of patterns with `stability = \"shadow\"`, and all of a route in shadow mode.";
    Counter "tamis_scan_bytes_total", "bytes", ["route"],
        "Decoded bytes of items that were scanned.";
    Counter "tamis_known_bytes_total", "bytes", ["route"],
        "Of these, bytes of sections and attributes that were scanned before, at the same place, and not again (`limits.known_bytes_max`).";
    Counter "tamis_body_bytes_total", "bytes", ["route", "stage"],
        "Bytes of request bodies that ended: `received` as they came, `decoded`, and `forwarded` (decoded bytes of what was taken).";
    Histogram "tamis_scan_seconds", "seconds", ["route"],
        "Processor time from the first to the last scanned byte of one body, without waiting.";
    Histogram "tamis_request_seconds", "seconds", ["route", "code_class"],
        "Time from a request's head to the end of its answer; `error` is a request that got no answer.";
    Gauge "tamis_requests_in_flight", "requests", ["route"],
        "Requests that have begun and are not yet answered.";
    Counter "tamis_upstream_requests_total", "requests", ["route", "code_class"],
        "Requests sent upstream, by answer; `error` is an upstream that gave none.";
    Histogram "tamis_upstream_seconds", "seconds", ["route"],
        "Time until the head of the upstream's answer, from when a request was ready to be sent, or the end of a body that streams; without those that got none.";
    Counter "tamis_upstream_retries_total", "requests", ["route"],
        "Requests sent upstream a second time, because the first certainly was not read or the connection had died.";
    Gauge "tamis_upstream_connections_open", "connections", ["route"],
        "Connections to the upstream that are open, idle ones too.";
    Gauge "tamis_upstream_circuit_state", "0, 1 or 2", ["route"],
        "0: requests go to the upstream; 1: one goes, to see whether it is back; 2: it has failed and is not asked.";
    Gauge "tamis_upstream_tls_not_after_timestamp_seconds", "seconds", ["route"],
        "When the certificate that the upstream is shown ends, in seconds since 1970-01-01 UTC; absent without one.";
    Gauge "tamis_unscanned_pass_enabled", "0 or 1", ["route"],
        "1 while the route may let items through unscanned (`on_error = \"pass\"`, shadow mode, or `attachments.allow`); alert on it.";
    Gauge "tamis_connections_open", "connections", [],
        "Sender connections that are open.";
    Gauge "tamis_connections_max", "connections", [],
        "How many may be open (`limits.connections_max`); more wait in the kernel's queue.";
    Gauge "tamis_connections_waiting", "connections", [],
        "Those of them that have something to say and wait because there is more to do than can be done.";
    Counter "tamis_connections_total", "connections", [],
        "Sender connections accepted.";
    Counter "tamis_connections_renewed_total", "connections", [],
        "Sender connections over HTTP/2 that were told to come anew (GOAWAY): they had many requests at once and then few, and keep room for all of them.";
    Counter "tamis_accept_failures_total", "failures", [],
        "Times that no connection of a sender could be accepted, above all because file descriptors had run out; each waits for 0.1 s.";
    Counter "tamis_gate_refused_total", "requests or connections", ["reason"],
        "Requests and connections that were refused for their framing or form, by the rule that they broke.";
    Counter "tamis_tls_handshakes_total", "handshakes", ["result"],
        "TLS handshakes with senders: `done`, `failed`, `timeout`, `plain` (HTTP in clear), `closed` (by the sender).";
    Gauge "tamis_tls_not_after_timestamp_seconds", "seconds", [],
        "When the certificate that senders are shown ends, in seconds since 1970-01-01 UTC; absent without TLS.";
    Gauge "tamis_tls_reload_success", "0 or 1", [],
        "0 while the certificate on disk cannot be used and the one before is; absent without TLS.";
    Gauge "tamis_memory_held_bytes", "bytes", [],
        "Payload bytes held by all requests, of `memory_bytes_max`.";
    Gauge "tamis_memory_max_bytes", "bytes", [],
        "How many payload bytes all requests may hold (`limits.memory_bytes_max`).";
    Counter "tamis_shed_requests_total", "requests", ["reason"],
        "Requests that were turned away because there was more work than may be held, or at the end of the process.";
    Gauge "tamis_runtime_workers", "threads", [],
        "Threads that serve requests.";
    Counter "tamis_runtime_busy_seconds_total", "seconds", [],
        "Time in which these threads had work, summed; by `tamis_runtime_workers` and the time that went by it is how busy they are.";
    Gauge "tamis_runtime_tasks", "tasks", [],
        "Tasks that are alive: about one per connection and request.";
    Gauge "tamis_runtime_queue_depth", "tasks", [],
        "Tasks that are ready and wait for a thread.";
    Counter "tamis_panics_total", "panics", [],
        "Items that panicked the engine; each was dropped or refused and is a bug to report.";
    Gauge "tamis_inbox_items", "items", [],
        "Items in the embedded inbox.";
    Gauge "tamis_inbox_bytes", "bytes", [],
        "Bytes held by the embedded inbox.";
    Counter "tamis_inbox_evicted_total", "items", [],
        "Items that left the embedded inbox because newer ones needed the room.";
    Gauge "tamis_spool_size_bytes", "bytes", [],
        "Bytes of requests on disk in the spool, dead letters included.";
    Gauge "tamis_spool_max_bytes", "bytes", [],
        "Bytes that the spool may take, `bytes_max`; 0 without a spool.";
    Gauge "tamis_spool_items", "items", [],
        "Items in the spool that have not ended.";
    Gauge "tamis_spool_unclaimed_items", "items", [],
        "Of these, items for upstreams that no route names any more: nobody sends them, and they expire.";
    Gauge "tamis_spool_unread_files", "files", [],
        "Files in the spool that the disk does not give; what is in them is in no other count until it does.";
    Gauge "tamis_spool_oldest_item_age_seconds", "seconds", [],
        "Age of the oldest item in the spool; 0 when it is empty.";
    Counter "tamis_spool_received_items_total", "items", [],
        "Items that the spool took.";
    Counter "tamis_spool_sent_items_total", "items", [],
        "Items that an upstream took from the spool.";
    Counter "tamis_spool_discarded_items_total", "items", ["reason"],
        "Items that left the spool unsent: `too_old`, `dead_letter`, or `spool_damaged` (a stretch of a file that is found damaged at the start counts as one).";
    Histogram "tamis_spool_fsync_seconds", "seconds", [],
        "Time of one group commit of the spool.";
    Counter "tamis_spool_io_errors_total", "errors", [],
        "Calls to the file system that failed in the spool.";
    Counter "tamis_spool_clock_jumps_total", "jumps", [],
        "Times that the clock on the wall was found to have moved otherwise than the one that runs since boot, by a minute and more; ages go by the latter.";
    Gauge "tamis_pattern_set_info", "1", ["generation", "hash"],
        "The pattern set in use; the value is always 1.";
    Gauge "tamis_config_reload_success", "0 or 1", [],
        "1 if the configuration on disk was last taken, at the start or by a reload; 0 if it was refused and the old one kept.";
    Gauge "tamis_config_last_reload_success_timestamp_seconds", "seconds", [],
        "When a configuration was last taken, in seconds since 1970-01-01 UTC.";
    Counter "tamis_config_weakened_total", "changes", [],
        "Changes by a reload that let more through than before, or may: each is a warning in the log.";
    Counter "tamis_canary_runs_total", "runs", ["result"],
        "Runs of `tamis canary` that were reported here: `clean`, `leaked` or `failed`.";
    Gauge "tamis_canary_last_clean_timestamp_seconds", "seconds", [],
        "When a canary last came through clean, in seconds since 1970-01-01 UTC; 0 if none ever has.";
    Counter "tamis_trace_spans_total", "spans", ["result"],
        "Spans of our own: `exported`, `rejected` by the collector, `failed` (not taken in time), `queue_full`; absent without `[telemetry.traces]`.";
    Gauge "tamis_start_time_seconds", "seconds", [],
        "When the process started, in seconds since 1970-01-01 UTC.";
    Gauge "tamis_build_info", "1", ["version", "revision", "os", "arch"],
        "What is running; the value is always 1. `revision` is what `TAMIS_REVISION` said at build time.";
}

/// What the library tells of the process, on Linux: name, kind, unit and meaning. The names are those that every
/// exporter uses. Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>
pub const PROCESS: &[MetricDoc] = &[
    process("process_cpu_seconds_total", Kind::Counter, "seconds", "Processor time used, in whole seconds."),
    process("process_open_fds", Kind::Gauge, "descriptors", "File descriptors that are open."),
    process("process_max_fds", Kind::Gauge, "descriptors", "How many may be open."),
    process("process_resident_memory_bytes", Kind::Gauge, "bytes", "Memory in use."),
    process("process_virtual_memory_bytes", Kind::Gauge, "bytes", "Address space in use."),
    process(
        "process_start_time_seconds",
        Kind::Gauge,
        "seconds",
        "When the process started; 0 where `/proc/stat` cannot be read, as under our systemd unit.",
    ),
    process("process_threads", Kind::Gauge, "threads", "Threads of the process."),
];

const fn process(name: &'static str, kind: Kind, unit: &'static str, meaning: &'static str) -> MetricDoc {
    MetricDoc { name, kind, unit, labels: &[], meaning }
}

/// Finds a metric by its full name.
#[must_use]
pub fn find(name: &str) -> Option<&'static MetricDoc> {
    TABLE.iter().find(|doc| doc.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for (at, doc) in TABLE.iter().enumerate() {
            assert!(doc.name.starts_with("tamis_"), "{}", doc.name);
            assert_eq!(doc.name.ends_with("_total"), doc.kind == Kind::Counter, "{}", doc.name);
            assert!(doc.meaning.ends_with('.'), "{}", doc.name);
            assert!(TABLE[at + 1..].iter().all(|other| other.name != doc.name), "{}", doc.name);
        }
    }

    #[test]
    fn the_documentation_lists_exactly_these() {
        let page = include_str!("../../docs/metrics.md");
        let is_row = |line: &&str| line.starts_with("| `tamis_") || line.starts_with("| `process_");
        let written: Vec<&str> = page.lines().filter(is_row).collect();
        let wanted: Vec<String> = TABLE.iter().chain(PROCESS).map(MetricDoc::markdown_row).collect();
        assert_eq!(written, wanted);
    }
}
