//! Where things are that other programs keep in their file, or under another name.

use super::schema::Section;

/// What other programs call a key, or keep in their file, and where it is here: the section, the key, the rest of the message.
const HINTS: [(&str, &[&str], &str); 7] = [
    (
        "log",
        &["level", "filter", "levels"],
        "the level is not in the file: set the variable TAMIS_LOG to error, warn, info, debug, trace or off",
    ),
    (
        "listen",
        &["address", "addr", "bind", "host", "port"],
        "senders come to `ingest` and operators to `admin`, each an address and a port, such as `ingest = \"0.0.0.0:8080\"`",
    ),
    ("", &["metrics", "prometheus"], "metrics are at `/metrics` of the admin port, `admin` in `[listen]`"),
    (
        "",
        &["logging", "logs"],
        "the form of log records is `format` in `[log]`, their level the variable TAMIS_LOG",
    ),
    ("", &["server", "http"], "where it listens is in `[listen]`"),
    ("", &["upstream", "upstreams", "sinks", "sources", "relay"], "each of `[[routes]]` has its `upstream`"),
    ("admin", &["address", "addr", "bind", "host", "port"], "its address and port are `admin` in `[listen]`"),
];

/// Where to put what other programs have under this key, if it has no key of its own here.
pub(super) fn hint(section: &Section, given: &str) -> Option<&'static str> {
    let known = HINTS.iter().find(|(path, keys, _)| *path == section.path && keys.contains(&given));
    known.map(|(.., hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::super::schema::SECTIONS;
    use super::*;

    #[test]
    fn hints_are_for_keys_that_are_none() {
        for (path, keys, _) in HINTS {
            let section = SECTIONS.iter().find(|section| section.path == path).expect("a section");
            assert!(keys.iter().all(|key| !section.keys.contains(key)), "{path}");
        }
    }

    #[test]
    fn what_other_programs_have_is_told_its_place() {
        check(
            "[metrics]\nport = 9090\n[listen]\naddress = '0.0.0.0'\n[log]\nlevel = 'debug'\n[[routes]]\nname='a'\n\
             protocol='generic'\nupstream='inbox'\npolicy='strict'\n[policies.own]\npreset='strict'\n",
            &[
                "2:2: unknown key `metrics`; metrics are at `/metrics` of the admin port, `admin` in `[listen]`",
                "5:1: unknown key `address`; senders come to `ingest` and operators to `admin`, each an address and a port, such as `ingest = \"0.0.0.0:8080\"`",
                "7:1: unknown key `level`; the level is not in the file: set the variable TAMIS_LOG to error, warn, info, debug, trace or off",
                "12:8: `strict` is a preset; write the name of a policy that has it: `preset = \"strict\"` in `[policies.NAME]`",
            ],
        );
    }

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let nothing = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let parsed = super::super::parse(&format!("version = 1\n{text}"), "t", &|_| None, &nothing);
        let problems = parsed.expect_err(text).to_string();
        let got: Vec<&str> = problems.lines().filter_map(|line| line.strip_prefix("t:")).collect();
        assert_eq!(got, want, "\n{text}");
    }
}
