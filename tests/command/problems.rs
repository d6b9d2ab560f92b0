//! What is wrong is told all at once, with its places, and nothing is opened.

use crate::program::{tamis, write};
use std::net::TcpListener;

/// Two ports that are taken: whoever tried to open them would fail in another way.
fn taken() -> [TcpListener; 2] {
    [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a free port"))
}

/// A head that listens on them.
fn listen(ports: &[TcpListener; 2]) -> String {
    let [ingest, admin] = [0, 1].map(|nth| ports[nth].local_addr().expect("bound"));
    format!("version = 1\n[listen]\ningest = '{ingest}'\nadmin = '{admin}'\n")
}

/// `serve` and `check` tell these problems of the file, and `serve` has not come to its ports.
#[track_caller]
fn refused(file: &str, want: &[&str]) {
    for command in ["serve", "check"] {
        let ran = tamis(&[command, "-c", file]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(78), ""), "{command}: {}", ran.err);
        let told: Vec<&str> = ran.err.lines().collect();
        assert!(told[0].starts_with("tamis: the "), "{command}: {}", ran.err);
        let told: Vec<&str> = told[1..].iter().map(|line| line.trim_start()).collect();
        assert_eq!(told, want, "{command}");
    }
}

#[test]
fn of_a_configuration() {
    let (dir, ports) = (tempfile::tempdir().expect("a directory"), taken());
    let text = format!(
        "{}ingst = 1\n[[routes]]\nname = 'a'\nprotocol = 'sentri'\nupstream = 'inbox'\npolicy = 'defalt'\n\
         [limits]\nratio_max = 'ten'\n",
        listen(&ports)
    );
    let file = write(dir.path(), "tamis.toml", &text);
    refused(
        &file,
        &[
            &format!("{file}:5:1: unknown key `ingst`; did you mean `ingest`?"),
            &format!("{file}:8:12: unknown protocol `sentri`; did you mean `sentry`?"),
            &format!("{file}:10:10: unknown policy `defalt`; did you mean `default`?"),
            &format!("{file}:12:13: `ratio_max` must be a whole number"),
        ],
    );
}

#[test]
fn of_packs() {
    let (dir, ports) = (tempfile::tempdir().expect("a directory"), taken());
    let packs = dir.path().join("packs");
    std::fs::create_dir(&packs).expect("made");
    let pattern = |name: &str, class: &str| {
        format!(
            "[[pattern]]\nname = '{name}'\nclass = '{class}'\nregex = 'TICKET-[0-9]'\nwhy = 'w'\n\
             hits = ['«TICKET-1»']\nmisses = []\n"
        )
    };
    let one = write(&packs, "one.toml", &pattern("x.one", "ticket"));
    let two = write(&packs, "two.toml", &pattern("x.two", "parcel"));
    let text = format!("{}[patterns]\ndirs = ['{}']\n", listen(&ports), packs.display());
    let file = write(dir.path(), "tamis.toml", &text);
    for command in ["serve", "check"] {
        let ran = tamis(&[command, "-c", &file]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(78), ""), "{command}: {}", ran.err);
        assert!(!ran.err.contains("in use"), "{command}: {}", ran.err);
        for place in [&one, &two] {
            let line = ran.err.lines().find(|line| line.trim_start().starts_with(&format!("{place}:")));
            let at = line
                .unwrap_or_else(|| panic!("{command}: no {place} in {}", ran.err))
                .rsplit(".toml:")
                .next();
            let numbers = at.expect("a place").split(':').take(2);
            assert!(numbers.into_iter().all(|n| n.parse::<u32>().is_ok()), "{command}: {}", ran.err);
        }
    }
}

#[test]
fn of_examples_that_do_not_hold() {
    let (dir, ports) = (tempfile::tempdir().expect("a directory"), taken());
    let packs = dir.path().join("packs");
    std::fs::create_dir(&packs).expect("made");
    let pack = "[[pattern]]\nname = 'x.ticket'\nclass = 'user_id'\nregex = 'TICKET-[0-9]{6}'\nwhy = 'w'\n\
                hits = ['no such thing']\nmisses = []\n";
    write(&packs, "own.toml", pack);
    let text = format!("{}[patterns]\ndirs = ['{}']\n", listen(&ports), packs.display());
    let ran = tamis(&["serve", "-c", &write(dir.path(), "tamis.toml", &text)]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(78), ""), "{}", ran.err);
    assert!(ran.err.contains("own.toml:") && !ran.err.contains("in use"), "{}", ran.err);
}

#[test]
fn of_files_that_cannot_be_read() {
    for args in [
        &["serve", "-c", "/no/such.toml"][..],
        &["check", "-c", "/no/such.toml"],
        &["scrub", "-c", "/no/such.toml"],
        &["explain", "-c", "/no/such.toml"],
        &["health", "-c", "/no/such.toml"],
        &["canary", "-c", "/no/such.toml"],
    ] {
        let ran = tamis(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(74), ""), "{args:?}: {}", ran.err);
        assert!(ran.err.starts_with("tamis: cannot read /no/such.toml: "), "{args:?}: {}", ran.err);
    }
}

#[test]
fn of_ports_that_are_taken() {
    let (dir, ports) = (tempfile::tempdir().expect("a directory"), taken());
    let ran = tamis(&["serve", "-c", &write(dir.path(), "tamis.toml", &listen(&ports))]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(74), ""), "{}", ran.err);
    assert!(
        ran.err.contains(" is in use by another process; ") && ran.err.contains("`listen.ingest`"),
        "{}",
        ran.err
    );
}
