//! From the file as written to the configuration as it runs: the one place that checks it.
//!
//! In: [`RawConfig`] with its places, and what the files and variables that it names hold. Out:
//! [`Config`], and a note of every problem. A value that has been noted is stood in for, so that the
//! rest is checked too; the stand-in is never run, since a single note refuses the whole.

use super::number;
use super::policy;
use super::problem::Findings;
use super::raw::{At, Entry, Numbers, RawConfig, RawSpool, RawTls};
use super::resolved::{
    Admin, Config, Limits, Listen, LogFormat, Origin, Patterns, Reload, Secret, Spool, Timeouts,
};
use super::routes::routes;
use super::traces;
use crate::certificate::{CertificateError, Pair, PairFiles, certificates};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The one layout of the file that there is so far.
const VERSION: u64 = 1;
/// Longest name of a route or policy, in bytes. It goes into logs, and a route's into metric labels.
const NAME_BYTES_MAX: usize = 64;
/// Shortest key or token, in bytes: 128 bits if they are random.
const SECRET_BYTES_MIN: usize = 16;

/// What the configuration may look at outside of its own file, and where it notes problems.
pub(super) struct World<'a, 'f> {
    pub(super) findings: &'a mut Findings<'f>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl World<'_, '_> {
    pub(super) fn note(&mut self, at: usize, message: impl Into<String>) {
        self.findings.note(at, message);
    }

    /// Notes a name that could not stand in a log line or a label.
    pub(super) fn check_name(&mut self, of: &str, name: &str, at: usize) {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !plain {
            self.note(at, format!("the name of a {of} has 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 - _ ."));
        }
    }

    /// Finds a written name among `names`; `None` when it is absent or noted.
    pub(super) fn named<T: Copy>(
        &mut self,
        what: &str,
        entry: &Entry<String>,
        names: &[(&str, T)],
    ) -> Option<T> {
        let At { value, at } = entry.good()?;
        let found = names.iter().find(|(name, _)| name == value).map(|(_, found)| *found);
        if found.is_none() {
            self.findings.unknown(*at, what, value, names.iter().map(|(name, _)| *name));
        }
        found
    }

    /// The bytes of a file that the key `key` names. LEAK: the path is not quoted, since a secret that
    /// was pasted in its place would be.
    pub(super) fn file(&mut self, key: &str, path: &At<String>) -> Option<Vec<u8>> {
        match (self.read)(Path::new(&path.value)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.note(path.at, format!("cannot read the file that `{key}` names: {error}"));
                None
            }
        }
    }

    /// A secret from a file.
    pub(super) fn secret_file(&mut self, key: &str, path: &At<String>) -> Option<Vec<u8>> {
        let bytes = self.file(key, path)?;
        self.secret(&format!("the file that `{key}` names"), path.at, &bytes)
    }

    /// A secret from a variable of the environment.
    pub(super) fn secret_env(&mut self, key: &str, name: &At<String>) -> Option<Vec<u8>> {
        let value = self.variable(key, name)?;
        self.secret(&format!("the variable that `{key}` names"), name.at, value.as_bytes())
    }

    /// A variable of the environment.
    pub(super) fn variable(&mut self, key: &str, name: &At<String>) -> Option<String> {
        let value = (self.env)(&name.value);
        if value.is_none() {
            self.note(name.at, format!("the variable that `{key}` names is not set, or not UTF-8"));
        }
        value
    }

    /// `bytes` without one line end, if that is long enough for a secret.
    fn secret(&mut self, holder: &str, at: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() >= SECRET_BYTES_MIN {
            return Some(bytes.to_vec());
        }
        self.note(
            at,
            format!("{holder} holds {} bytes; a secret has at least {SECRET_BYTES_MIN}", bytes.len()),
        );
        None
    }

    /// A file that must hold at least one PEM certificate.
    pub(super) fn certificates(&mut self, key: &str, entry: &Entry<String>) -> Option<PathBuf> {
        let path = entry.good()?;
        let bytes = self.file(key, path)?;
        if certificates(&bytes).is_err() {
            self.note(path.at, format!("the file that `{key}` names holds no PEM certificate"));
        }
        Some(PathBuf::from(&path.value))
    }

    /// A certificate and its key, which need each other. `at` is where one that lacks is noted.
    pub(super) fn certificate_pair(
        &mut self,
        at: usize,
        cert_file: &Entry<String>,
        key_file: &Entry<String>,
    ) -> Option<PairFiles> {
        if cert_file.is_absent() != key_file.is_absent() {
            self.note(at, "`cert_file` and `key_file` need each other");
        }
        let (cert_path, key_path) = (cert_file.good(), key_file.good());
        let chain = cert_path.and_then(|path| Some((path, self.file("cert_file", path)?)));
        let key = key_path.and_then(|path| Some((path, self.file("key_file", path)?)));
        let ((cert_path, chain), (key_path, key)) = (chain?, key?);
        if let Err(error) = Pair::parse(&chain, &key) {
            let (at, message) = match error {
                CertificateError::NoCertificate => {
                    (cert_path.at, "the file that `cert_file` names holds no PEM certificate")
                }
                CertificateError::NoKey => {
                    (key_path.at, "the file that `key_file` names holds no PEM private key")
                }
                CertificateError::NotAPair => {
                    (key_path.at, "`key_file` names a key that is not the one of the certificate")
                }
                CertificateError::Unusable(_) | CertificateError::Unreadable(..) => {
                    (cert_path.at, "the certificate or its key cannot be used for TLS")
                }
            };
            self.note(at, message);
        }
        Some(PairFiles {
            cert_file: PathBuf::from(&cert_path.value),
            key_file: PathBuf::from(&key_path.value),
        })
    }
}

/// Resolves everything.
pub(super) fn resolve(raw: &RawConfig, world: &mut World<'_, '_>) -> Config {
    version(&raw.version, world);
    let policies = policy::all(&raw.policies, world);
    let listen = listen(raw, world);
    let token = raw.token_file.good().and_then(|path| world.secret_file("token_file", path)).map(Secret);
    Config {
        reload: world.named("kind of reload", &raw.reload, &Reload::NAMES).unwrap_or_default(),
        admin: Admin { token },
        limits: limits(&raw.limits, world),
        timeouts: Timeouts::from_numbers(|number| read(&raw.timeouts, number)),
        log: world.named("log format", &raw.log_format, &LogFormat::NAMES).unwrap_or_default(),
        traces: raw.traces.as_ref().and_then(|traces| traces::resolve(traces, &listen, world)),
        spool: raw.spool.as_ref().and_then(|spool| self::spool(spool, world)),
        routes: routes(&raw.routes, &policies, &listen, world),
        listen,
        policies,
        pattern: Patterns {
            dirs: raw.dirs.iter().map(|dir| PathBuf::from(&dir.value)).collect(),
            disable: raw.disable.iter().map(|name| name.value.clone()).collect(),
        },
    }
}

fn version(entry: &Entry<u64>, world: &mut World<'_, '_>) {
    match entry {
        Entry::Absent => world.note(0, format!("`version = {VERSION}` is missing")),
        Entry::Is(version) if version.value != VERSION => {
            world.note(
                version.at,
                format!("version {} is not known; this is version {VERSION}", version.value),
            );
        }
        Entry::Is(_) | Entry::Bad => {}
    }
}

fn listen(raw: &RawConfig, world: &mut World<'_, '_>) -> Listen {
    let defaults = Listen::default();
    let mut address = |key: &str, entry: &Entry<String>, default| match entry.good() {
        None => default,
        Some(At { value, at }) => value.parse::<SocketAddr>().unwrap_or_else(|_| {
            world.note(*at, format!("`{key}` must be an IP address and a port, such as `{default}`"));
            default
        }),
    };
    let ingest = address("ingest", &raw.ingest, defaults.ingest);
    let admin = address("admin", &raw.admin, defaults.admin);
    if collide(ingest, admin) {
        let at = raw.admin.good().or(raw.ingest.good()).map_or(0, |entry| entry.at);
        world.note(at, format!("ingest ({ingest}) and admin ({admin}) would listen on the same port"));
    }
    let tls = raw.tls.as_ref().and_then(|tls| self::tls(tls, world));
    Listen { ingest, admin, tls }
}

/// Whether two addresses cannot both be listened on. Port 0 is a fresh port each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let every = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (every || one.ip() == other.ip())
}

fn tls(raw: &RawTls, world: &mut World<'_, '_>) -> Option<PairFiles> {
    if raw.cert_file.is_absent() && raw.key_file.is_absent() {
        world.note(raw.at, "`[listen.tls]` needs `cert_file` and `key_file`");
    }
    world.certificate_pair(raw.at, &raw.cert_file, &raw.key_file)
}

fn spool(raw: &RawSpool, world: &mut World<'_, '_>) -> Option<Spool> {
    if raw.dir.is_absent() {
        world.note(raw.at, "`[spool]` needs `dir`");
    }
    Some(Spool {
        dir: PathBuf::from(&raw.dir.good()?.value),
        bytes_max: read(&raw.numbers, &number::SPOOL_BYTES_MAX),
        age_max: Duration::from_millis(read(&raw.numbers, &number::SPOOL_AGE_MAX)),
    })
}

/// What is written for `number`, or its default.
fn read(numbers: &Numbers, number: &number::Number) -> u64 {
    written(numbers, number).map_or(number.default, |entry| entry.value)
}

fn written<'n>(numbers: &'n Numbers, number: &number::Number) -> Option<&'n At<u64>> {
    numbers.iter().find(|(known, _)| known.key == number.key).and_then(|(_, entry)| entry.good())
}

fn limits(raw: &Numbers, world: &mut World<'_, '_>) -> Limits {
    for (small, large) in [
        (&number::BUFFER_BYTES_MAX, &number::ITEM_BYTES_MAX),
        (&number::ITEM_BYTES_MAX, &number::MEMORY_BYTES_MAX),
    ] {
        let (low, high) = (read(raw, small), read(raw, large));
        // At whichever of the two is written: the defaults agree with each other.
        if let Some(place) = written(raw, large).or(written(raw, small)).filter(|_| high < low) {
            world.note(
                place.at,
                format!(
                    "`{}` ({}) is less than `{}` ({})",
                    large.key,
                    large.unit.show(high),
                    small.key,
                    small.unit.show(low)
                ),
            );
        }
    }
    let origin = |number| if written(raw, number).is_some() { Origin::Written } else { Origin::Default };
    Limits {
        memory_origin: origin(&number::MEMORY_BYTES_MAX),
        item_origin: origin(&number::ITEM_BYTES_MAX),
        ..Limits::from_numbers(|number| read(raw, number))
    }
}
