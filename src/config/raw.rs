//! The file as written: which keys are there, of the right type, and where. Seen by [`super::resolve`] only.
//!
//! In: a parsed TOML document with places. Out: [`RawConfig`], in which nothing is looked up and no
//! default is filled in. Notes every unknown key and every value of a wrong type, and goes on: serde's
//! `deny_unknown_fields` would end at the first.

use super::number::{self, Number};
use super::problem::{Findings, quoted};
use super::schema::{self, Section};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something and the byte of the file at which it begins.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// What the file says about one key.
#[derive(Debug, Clone)]
pub(super) enum Entry<T> {
    /// Nothing.
    Absent,
    /// Something wrong, which has been noted: say no more about it.
    Bad,
    /// This.
    Is(At<T>),
}

impl<T> Entry<T> {
    /// The value, if there is a good one.
    pub(super) fn good(&self) -> Option<&At<T>> {
        match self {
            Self::Is(at) => Some(at),
            Self::Absent | Self::Bad => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The numbers of one section, in the order of their table.
pub(super) type Numbers = Vec<(&'static Number, Entry<u64>)>;

pub(super) struct RawConfig {
    pub(super) version: Entry<u64>,
    pub(super) reload: Entry<String>,
    pub(super) ingest: Entry<String>,
    pub(super) admin: Entry<String>,
    pub(super) tls: Option<RawTls>,
    pub(super) token_file: Entry<String>,
    pub(super) limits: Numbers,
    pub(super) timeouts: Numbers,
    pub(super) log_format: Entry<String>,
    pub(super) traces: Option<RawTraces>,
    pub(super) spool: Option<RawSpool>,
    pub(super) routes: Entry<Vec<RawRoute>>,
    pub(super) policies: Vec<RawPolicy>,
    /// Nothing is wrong with `dirs` and `disable`.
    pub(super) patterns_hold: bool,
    pub(super) dirs: Vec<At<String>>,
    pub(super) disable: Vec<At<String>>,
}

pub(super) struct RawTls {
    pub(super) at: usize,
    pub(super) cert_file: Entry<String>,
    pub(super) key_file: Entry<String>,
}

pub(super) struct RawTraces {
    pub(super) at: usize,
    pub(super) endpoint: Entry<String>,
    pub(super) sample_ratio: Entry<f64>,
    pub(super) headers_file: Entry<String>,
    pub(super) headers_env: Entry<String>,
    pub(super) ca_file: Entry<String>,
}

pub(super) struct RawSpool {
    pub(super) at: usize,
    pub(super) dir: Entry<String>,
    pub(super) numbers: Numbers,
}

pub(super) struct RawRoute {
    pub(super) at: usize,
    pub(super) name: Entry<String>,
    pub(super) protocol: Entry<String>,
    pub(super) host: Entry<String>,
    pub(super) path: Entry<String>,
    pub(super) strip_prefix: Entry<String>,
    pub(super) platform: Option<RawPlatform>,
    pub(super) upstream: Entry<RawUpstream>,
    pub(super) tunnel: Vec<At<String>>,
    pub(super) policy: Entry<String>,
    pub(super) forward_headers: Vec<At<String>>,
}

pub(super) struct RawPlatform {
    pub(super) at: usize,
    pub(super) secret_file: Entry<String>,
    pub(super) secret_env: Entry<String>,
    pub(super) verify: Entry<String>,
    pub(super) sign_file: Entry<String>,
    pub(super) sign_env: Entry<String>,
}

/// An upstream as a table; the short form is one with a `url` alone.
pub(super) struct RawUpstream {
    pub(super) url: Entry<String>,
    pub(super) path: Entry<String>,
    pub(super) headers_file: Entry<String>,
    pub(super) headers_env: Entry<String>,
    pub(super) ca_file: Entry<String>,
    pub(super) cert_file: Entry<String>,
    pub(super) key_file: Entry<String>,
    pub(super) coding: Entry<String>,
    pub(super) private: Entry<bool>,
}

pub(super) struct RawPolicy {
    pub(super) name: At<String>,
    pub(super) preset: Entry<String>,
    pub(super) mode: Entry<String>,
    pub(super) on_error: Entry<String>,
    pub(super) consent: Entry<String>,
    pub(super) actions: Vec<RawAction>,
    pub(super) rules: Vec<RawRule>,
    pub(super) allow: Vec<At<String>>,
}

pub(super) struct RawAction {
    pub(super) class: At<String>,
    pub(super) action: Entry<String>,
    pub(super) key_file: Entry<String>,
    pub(super) key_env: Entry<String>,
}

pub(super) struct RawRule {
    pub(super) at: usize,
    pub(super) path: Entry<String>,
    pub(super) action: Entry<String>,
}

/// Reads the whole document.
pub(super) fn read(document: &Spanned<DeTable<'_>>, findings: &mut Findings<'_>) -> RawConfig {
    let root = Reader::open(&schema::ROOT, document.get_ref(), 0, findings);
    let listen = root.section("listen", &schema::LISTEN, findings);
    let noted = findings.len();
    let patterns = root.section("patterns", &schema::PATTERNS, findings);
    let strings = |key, findings: &mut Findings<'_>| {
        patterns.as_ref().map_or_else(Vec::new, |section| section.strings(key, findings))
    };
    let (dirs, disable) = (strings("dirs", findings), strings("disable", findings));
    let patterns_hold = findings.len() == noted;
    let string = |section: &Option<Reader<'_>>, key, findings: &mut Findings<'_>| {
        section.as_ref().map_or(Entry::Absent, |section| section.string(key, findings))
    };
    let admin = root.section("admin", &schema::ADMIN, findings);
    let log = root.section("log", &schema::LOG, findings);
    let telemetry = root.section("telemetry", &schema::TELEMETRY, findings);
    let traces = telemetry.as_ref().and_then(|section| section.section("traces", &schema::TRACES, findings));
    let limits = root.section("limits", &schema::LIMITS, findings);
    let timeouts = root.section("timeouts", &schema::TIMEOUTS, findings);
    RawConfig {
        version: root.version(findings),
        reload: root.string("reload", findings),
        ingest: string(&listen, "ingest", findings),
        admin: string(&listen, "admin", findings),
        tls: listen.as_ref().and_then(|listen| listen.section("tls", &schema::LISTEN_TLS, findings)).map(
            |tls| RawTls {
                at: tls.at,
                cert_file: tls.string("cert_file", findings),
                key_file: tls.string("key_file", findings),
            },
        ),
        token_file: string(&admin, "token_file", findings),
        limits: numbers(limits.as_ref(), &number::LIMITS, findings),
        timeouts: numbers(timeouts.as_ref(), &number::TIMEOUTS, findings),
        log_format: string(&log, "format", findings),
        traces: traces.map(|traces| RawTraces {
            at: traces.at,
            endpoint: traces.string("endpoint", findings),
            sample_ratio: traces.ratio("sample_ratio", findings),
            headers_file: traces.string("headers_file", findings),
            headers_env: traces.string("headers_env", findings),
            ca_file: traces.string("ca_file", findings),
        }),
        spool: root.section("spool", &schema::SPOOL, findings).map(|spool| RawSpool {
            at: spool.at,
            dir: spool.string("dir", findings),
            numbers: numbers(Some(&spool), &number::SPOOL, findings),
        }),
        routes: routes(&root, findings),
        policies: policies(&root, findings),
        patterns_hold,
        dirs,
        disable,
    }
}

fn numbers(
    section: Option<&Reader<'_>>,
    list: &'static [&'static Number],
    findings: &mut Findings<'_>,
) -> Numbers {
    let mut read = |number| section.map_or(Entry::Absent, |section| section.number(number, findings));
    list.iter().map(|number| (*number, read(number))).collect()
}

fn routes(root: &Reader<'_>, findings: &mut Findings<'_>) -> Entry<Vec<RawRoute>> {
    match root.sections("routes", &schema::ROUTE, findings) {
        Entry::Absent => Entry::Absent,
        Entry::Bad => Entry::Bad,
        Entry::Is(At { value, at }) => {
            let value = value.iter().map(|section| route(section, findings)).collect();
            Entry::Is(At { value, at })
        }
    }
}

fn route(section: &Reader<'_>, findings: &mut Findings<'_>) -> RawRoute {
    let expected = "a table, such as `{ path = \"/api/**\" }`";
    let matcher = section.section_of("match", expected, &schema::MATCH, findings);
    let (host, path) = match matcher {
        Some(matcher) => (matcher.string("host", findings), matcher.string("path", findings)),
        // LEAK: a `match` that cannot be read is not one that is absent; `Bad` keeps it apart.
        None if section.value("match").is_some() => (Entry::Bad, Entry::Bad),
        None => (Entry::Absent, Entry::Absent),
    };
    RawRoute {
        at: section.at,
        name: section.string("name", findings),
        protocol: section.string("protocol", findings),
        host,
        path,
        strip_prefix: section.string("strip_prefix", findings),
        platform: section.section("platform", &schema::PLATFORM, findings).map(|platform| RawPlatform {
            at: platform.at,
            secret_file: platform.string("secret_file", findings),
            secret_env: platform.string("secret_env", findings),
            verify: platform.string("verify", findings),
            sign_file: platform.string("sign_file", findings),
            sign_env: platform.string("sign_env", findings),
        }),
        upstream: upstream(section, findings),
        tunnel: section.strings("tunnel", findings),
        policy: section.string("policy", findings),
        forward_headers: section.strings("forward_headers", findings),
    }
}

fn upstream(route: &Reader<'_>, findings: &mut Findings<'_>) -> Entry<RawUpstream> {
    let Some(value) = route.value("upstream") else { return Entry::Absent };
    let at = value.span().start;
    let value = match value.get_ref() {
        DeValue::String(url) => RawUpstream {
            url: Entry::Is(At { value: url.to_string(), at }),
            path: Entry::Absent,
            headers_file: Entry::Absent,
            headers_env: Entry::Absent,
            ca_file: Entry::Absent,
            cert_file: Entry::Absent,
            key_file: Entry::Absent,
            coding: Entry::Absent,
            private: Entry::Absent,
        },
        DeValue::Table(table) => {
            let table = Reader::open(&schema::UPSTREAM, table, at, findings);
            RawUpstream {
                url: table.string("url", findings),
                path: table.string("path", findings),
                headers_file: table.string("headers_file", findings),
                headers_env: table.string("headers_env", findings),
                ca_file: table.string("ca_file", findings),
                cert_file: table.string("cert_file", findings),
                key_file: table.string("key_file", findings),
                coding: table.string("coding", findings),
                private: table.boolean("private", findings),
            }
        }
        other => return wrong_type(at, "upstream", "a string or a table", other, findings),
    };
    Entry::Is(At { value, at })
}

fn policies(root: &Reader<'_>, findings: &mut Findings<'_>) -> Vec<RawPolicy> {
    let Some(value) = root.value("policies") else { return Vec::new() };
    let DeValue::Table(named) = value.get_ref() else {
        note_type(value.span().start, "policies", "a table", value.get_ref(), findings);
        return Vec::new();
    };
    let mut list = Vec::new();
    for (name, value) in named {
        match value.get_ref() {
            DeValue::Table(table) => {
                let section = Reader::open(&schema::POLICY, table, value.span().start, findings);
                list.push(policy(name, &section, findings));
            }
            other => {
                note_type(value.span().start, name.get_ref(), "a table", other, findings);
            }
        }
    }
    list
}

fn policy(
    name: &Spanned<toml::de::DeString<'_>>,
    section: &Reader<'_>,
    findings: &mut Findings<'_>,
) -> RawPolicy {
    let attachments = section.section("attachments", &schema::ATTACHMENTS, findings);
    let rules = match section.sections("rules", &schema::RULE, findings) {
        Entry::Is(list) => list.value,
        Entry::Absent | Entry::Bad => Vec::new(),
    };
    RawPolicy {
        name: At { value: name.get_ref().to_string(), at: name.span().start },
        preset: section.string("preset", findings),
        mode: section.string("mode", findings),
        on_error: section.string("on_error", findings),
        consent: section.string("unscanned_pass_consent", findings),
        actions: actions(section, findings),
        allow: attachments.map_or_else(Vec::new, |section| section.strings("allow", findings)),
        rules: rules
            .iter()
            .map(|rule| RawRule {
                at: rule.at,
                path: rule.string("path", findings),
                action: rule.string("action", findings),
            })
            .collect(),
    }
}

fn actions(policy: &Reader<'_>, findings: &mut Findings<'_>) -> Vec<RawAction> {
    let Some(value) = policy.value("actions") else { return Vec::new() };
    let DeValue::Table(classes) = value.get_ref() else {
        note_type(value.span().start, "actions", "a table", value.get_ref(), findings);
        return Vec::new();
    };
    classes.iter().map(|(class, value)| action(class, value, findings)).collect()
}

fn action(
    class: &Spanned<toml::de::DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    findings: &mut Findings<'_>,
) -> RawAction {
    let at = value.span().start;
    let class = At { value: class.get_ref().to_string(), at: class.span().start };
    match value.get_ref() {
        DeValue::Table(table) => {
            let table = Reader::open(&schema::ACTION, table, at, findings);
            let action = table.string("action", findings);
            if action.is_absent() {
                findings.note(at, "`action` is missing");
            }
            RawAction {
                class,
                action,
                key_file: table.string("key_file", findings),
                key_env: table.string("key_env", findings),
            }
        }
        DeValue::String(action) => RawAction {
            class,
            action: Entry::Is(At { value: action.to_string(), at }),
            key_file: Entry::Absent,
            key_env: Entry::Absent,
        },
        other => {
            let action = wrong_type(at, &class.value, "a string or a table", other, findings);
            RawAction { class, action, key_file: Entry::Absent, key_env: Entry::Absent }
        }
    }
}

/// Notes that the value of `key` has a type it cannot have. LEAK: names the type, not the value.
fn note_type(at: usize, key: &str, expected: &str, found: &DeValue<'_>, findings: &mut Findings<'_>) {
    findings.note(at, format!("`{}` must be {expected}, found {}", quoted(key), found.type_str()));
}

/// As [`note_type`], for a place that owes an entry.
fn wrong_type<T>(
    at: usize,
    key: &str,
    expected: &str,
    found: &DeValue<'_>,
    findings: &mut Findings<'_>,
) -> Entry<T> {
    note_type(at, key, expected, found, findings);
    Entry::Bad
}

/// One table of the file, its unknown keys already noted.
struct Reader<'d> {
    schema: &'static Section,
    table: &'d DeTable<'d>,
    at: usize,
}

impl<'d> Reader<'d> {
    fn open(
        schema: &'static Section,
        table: &'d DeTable<'d>,
        at: usize,
        findings: &mut Findings<'_>,
    ) -> Self {
        for (key, _) in table {
            let name: &str = key.get_ref();
            if !schema.keys.contains(&name) {
                findings.unknown_key(key.span().start, name, schema);
            }
        }
        Self { schema, table, at }
    }

    fn value(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        debug_assert!(self.schema.keys.contains(&key), "`{key}` is read and not in the table of keys");
        self.table.get(key)
    }

    /// The value of `key` as `take` gives it; a wrong type is noted as "must be `expected`".
    fn entry<T>(
        &self,
        key: &str,
        expected: &str,
        findings: &mut Findings<'_>,
        take: impl FnOnce(&DeValue<'_>) -> Option<T>,
    ) -> Entry<T> {
        let Some(value) = self.value(key) else { return Entry::Absent };
        let at = value.span().start;
        match take(value.get_ref()) {
            Some(value) => Entry::Is(At { value, at }),
            None => wrong_type(at, key, expected, value.get_ref(), findings),
        }
    }

    fn string(&self, key: &str, findings: &mut Findings<'_>) -> Entry<String> {
        self.entry(key, "a string", findings, |value| value.as_str().map(str::to_owned))
    }

    fn boolean(&self, key: &str, findings: &mut Findings<'_>) -> Entry<bool> {
        let take =
            |value: &DeValue<'_>| if let DeValue::Boolean(value) = value { Some(*value) } else { None };
        self.entry(key, "true or false", findings, take)
    }

    fn ratio(&self, key: &str, findings: &mut Findings<'_>) -> Entry<f64> {
        let take = |value: &DeValue<'_>| match value {
            DeValue::Float(value) => value.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(value) => value.as_str().parse().ok(),
            _ => None,
        };
        self.entry(key, "a number", findings, take)
    }

    fn version(&self, findings: &mut Findings<'_>) -> Entry<u64> {
        self.entry("version", "a whole number", findings, integer)
    }

    fn strings(&self, key: &str, findings: &mut Findings<'_>) -> Vec<At<String>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            note_type(value.span().start, key, "an array of strings", value.get_ref(), findings);
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in items {
            let at = item.span().start;
            match item.get_ref().as_str() {
                Some("") => findings.note(at, format!("`{key}` holds an empty string")),
                Some(text) => list.push(At { value: text.to_owned(), at }),
                None => {
                    note_type(at, key, "an array of strings", item.get_ref(), findings);
                }
            }
        }
        list
    }

    fn number(&self, number: &Number, findings: &mut Findings<'_>) -> Entry<u64> {
        let (key, unit) = (number.key, number.unit);
        let Some(value) = self.value(key) else { return Entry::Absent };
        let at = value.span().start;
        let read = match value.get_ref() {
            DeValue::String(text) => unit.parse(text),
            other if unit.takes_integer() => integer(other),
            _ => None,
        };
        let bound = match read {
            None => {
                findings.note(at, format!("`{key}` must be {}", unit.expected()));
                return Entry::Bad;
            }
            Some(value) if value < number.min => format!("at least {}", unit.show(number.min)),
            Some(value) if value > number.max => format!("at most {}", unit.show(number.max)),
            Some(value) => return Entry::Is(At { value, at }),
        };
        findings.note(at, format!("`{key}` must be {bound}"));
        Entry::Bad
    }

    fn section(
        &self,
        key: &str,
        schema: &'static Section,
        findings: &mut Findings<'_>,
    ) -> Option<Reader<'d>> {
        self.section_of(key, "a table", schema, findings)
    }

    /// The same; `expected` says what it must be.
    fn section_of(
        &self,
        key: &str,
        expected: &str,
        schema: &'static Section,
        findings: &mut Findings<'_>,
    ) -> Option<Reader<'d>> {
        let value = self.value(key)?;
        let at = value.span().start;
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Reader::open(schema, table, at, findings));
        }
        note_type(at, key, expected, value.get_ref(), findings);
        None
    }

    fn sections(
        &self,
        key: &str,
        schema: &'static Section,
        findings: &mut Findings<'_>,
    ) -> Entry<Vec<Reader<'d>>> {
        let Some(value) = self.value(key) else { return Entry::Absent };
        let at = value.span().start;
        let expected = format!("a list of tables, each under `[[{}]]`", schema.path);
        let DeValue::Array(items) = value.get_ref() else {
            return wrong_type(at, key, &expected, value.get_ref(), findings);
        };
        let mut list = Vec::new();
        for item in items {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::Table(table) => list.push(Reader::open(schema, table, at, findings)),
                other => {
                    note_type(at, key, &expected, other, findings);
                }
            }
        }
        Entry::Is(At { value: list, at })
    }
}

/// A whole number that is not negative. `None` also past 2^64.
fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}
