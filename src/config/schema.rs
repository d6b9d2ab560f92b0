//! Which keys each table of the file may hold. The reader, the documentation and the tests use this one list.

use super::problem::nearest;

/// One table of the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    /// Its place: `listen.tls`; `NAME` stands for a name that the user chooses, `CLASS` for a data class.
    pub path: &'static str,
    /// The keys it may hold.
    pub keys: &'static [&'static str],
}

impl Section {
    /// The key, here or in another table, that `given` may have been meant as.
    pub(super) fn suggest(&self, given: &str) -> Option<String> {
        if let Some(near) = nearest(given, self.keys) {
            return Some(near.to_owned());
        }
        // `[admin] listen`, as other programs have it, is `[listen] admin`.
        if SECTIONS.iter().any(|section| section.path == given && section.keys.contains(&self.path)) {
            return Some(format!("{given}.{}", self.path));
        }
        let elsewhere = SECTIONS.iter().find(|section| section.keys.contains(&given))?;
        (!elsewhere.path.is_empty()).then(|| format!("{}.{given}", elsewhere.path))
    }
}

pub(super) static ROOT: Section = Section {
    path: "",
    keys: &[
        "version",
        "reload",
        "listen",
        "admin",
        "limits",
        "timeouts",
        "log",
        "telemetry",
        "spool",
        "routes",
        "policies",
        "patterns",
    ],
};
pub(super) static LISTEN: Section = Section { path: "listen", keys: &["ingest", "admin", "tls"] };
pub(super) static LISTEN_TLS: Section = Section { path: "listen.tls", keys: &["cert_file", "key_file"] };
pub(super) static ADMIN: Section = Section { path: "admin", keys: &["token_file"] };
pub(super) static LIMITS: Section = Section {
    path: "limits",
    keys: &[
        "buffer_bytes_max",
        "item_bytes_max",
        "body_bytes_max",
        "ratio_max",
        "stream_ratio_max",
        "depth_max",
        "layers_max",
        "memory_bytes_max",
        "known_bytes_max",
        "connections_max",
        "connections_per_peer_max",
        "headers_max",
        "headers_bytes_max",
        "headers_timeout",
        "body_idle_timeout",
        "request_timeout",
        "keep_alive_timeout",
        "write_timeout",
        "body_rate_min",
    ],
};
pub(super) static TIMEOUTS: Section = Section {
    path: "timeouts",
    keys: &["connect", "response", "answer", "pool_idle", "pool_age", "drain_delay", "drain"],
};
pub(super) static LOG: Section = Section { path: "log", keys: &["format"] };
pub(super) static TELEMETRY: Section = Section { path: "telemetry", keys: &["traces"] };
pub(super) static TRACES: Section = Section {
    path: "telemetry.traces",
    keys: &["endpoint", "sample_ratio", "headers_file", "headers_env", "ca_file"],
};
pub(super) static SPOOL: Section = Section { path: "spool", keys: &["dir", "bytes_max", "age_max"] };
pub(super) static ROUTE: Section = Section {
    path: "routes",
    keys: &[
        "name",
        "protocol",
        "match",
        "strip_prefix",
        "platform",
        "upstream",
        "policy",
        "tunnel",
        "forward_headers",
    ],
};
pub(super) static MATCH: Section = Section { path: "routes.match", keys: &["host", "path"] };
pub(super) static PLATFORM: Section = Section {
    path: "routes.platform",
    keys: &["secret_file", "secret_env", "verify", "sign_file", "sign_env"],
};
pub(super) static UPSTREAM: Section = Section {
    path: "routes.upstream",
    keys: &[
        "url",
        "path",
        "headers_file",
        "headers_env",
        "ca_file",
        "cert_file",
        "key_file",
        "coding",
        "private",
    ],
};
pub(super) static POLICY: Section = Section {
    path: "policies.NAME",
    keys: &["preset", "mode", "on_error", "unscanned_pass_consent", "attachments", "actions", "rules"],
};
pub(super) static ACTION: Section =
    Section { path: "policies.NAME.actions.CLASS", keys: &["action", "key_file", "key_env"] };
pub(super) static RULE: Section = Section { path: "policies.NAME.rules", keys: &["path", "action"] };
pub(super) static ATTACHMENTS: Section = Section { path: "policies.NAME.attachments", keys: &["allow"] };
pub(super) static PATTERNS: Section = Section { path: "patterns", keys: &["dirs", "disable"] };

/// Every table with a fixed set of keys, in documentation order. Beside these, `policies` takes names
/// that the user chooses and `policies.NAME.actions` the names of data classes.
pub static SECTIONS: [&Section; 19] = [
    &ROOT,
    &LISTEN,
    &LISTEN_TLS,
    &ADMIN,
    &LIMITS,
    &TIMEOUTS,
    &LOG,
    &TELEMETRY,
    &TRACES,
    &SPOOL,
    &ROUTE,
    &MATCH,
    &PLATFORM,
    &UPSTREAM,
    &POLICY,
    &ACTION,
    &RULE,
    &ATTACHMENTS,
    &PATTERNS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::number;

    #[test]
    fn every_number_is_a_key_of_its_section() {
        let keys = |numbers: &[&number::Number]| numbers.iter().map(|n| n.key).collect::<Vec<_>>();
        assert_eq!(keys(&number::LIMITS), LIMITS.keys);
        assert_eq!(keys(&number::TIMEOUTS), TIMEOUTS.keys);
        assert_eq!(keys(&number::SPOOL), SPOOL.keys[1..]);
    }
}
