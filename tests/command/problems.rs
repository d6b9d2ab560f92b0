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

/// Each was told only once those before it were mended.
#[test]
fn of_a_configuration_and_its_packs_at_once() {
    let (dir, ports) = (tempfile::tempdir().expect("a directory"), taken());
    let packs = dir.path().join("packs");
    std::fs::create_dir(&packs).expect("made");
    let pack = write(&packs, "own.toml", "[[pattern]]\nname = 'x.one'\nclass = 'ticket'\n");
    let text = format!(
        "{}[log]\nlevel = 'debug'\n[patterns]\ndirs = ['{}']\n[policies.default]\npreset = 'strickt'\n\
         [[policies.default.rules]]\npath = 'extra[0]'\naction = 'remove'\n",
        listen(&ports),
        packs.display()
    );
    let file = write(dir.path(), "tamis.toml", &text);
    for command in ["serve", "check", "scrub", "explain"] {
        let ran = tamis(&[command, "-c", &file]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(78), ""), "{command}: {}", ran.err);
        assert!(ran.err.starts_with("tamis: the configuration and its packs: "), "{}", ran.err);
        for place in [":6:1: unknown key `level`; ", ":10:10: unknown preset", ":12:8: not a field path"] {
            assert!(ran.err.contains(&format!("{file}{place}")), "{command} {place}: {}", ran.err);
        }
        assert!(ran.err.contains(&format!("{pack}:")), "{command}: {}", ran.err);
        assert!(ran.err.contains("TAMIS_LOG to error, warn, info, debug, trace or off"), "{}", ran.err);
    }
    // A list of packs that is none says nothing of what it may have held.
    let text = format!("{}[patterns]\ndirs = '{}'\ndisable = ['x.one']\n", listen(&ports), packs.display());
    let file = write(dir.path(), "tamis.toml", &text);
    refused(&file, &[&format!("{file}:6:8: `dirs` must be an array of strings, found string")]);
}

/// `check` ends as `serve` does, and makes nothing.
#[test]
fn of_a_spool_that_cannot_be_made() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = write(dir.path(), "file", "");
    let config = |spool: &str, more: &str| {
        let text = format!("version = 1\n{more}[spool]\ndir = '{spool}'\n");
        write(dir.path(), "tamis.toml", &text)
    };
    let ran = tamis(&["check", "-c", &config(&format!("{file}/spool"), "")]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(74), ""), "{}", ran.err);
    let want = format!("tamis: spool {file}/spool: the spool cannot be read or written: ");
    assert!(ran.err.starts_with(&want), "{}", ran.err);
    let free = "[listen]\ningest = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n";
    let ran = tamis(&["serve", "-c", &config(&format!("{file}/spool"), free)]);
    assert_eq!((ran.code, ran.err.starts_with(&want)), (Some(74), true), "{}", ran.err);
    // Together with what is wrong with the packs.
    let packs = "[patterns]\ndisable = ['no.such']\n";
    let ran = tamis(&["check", "-c", &config(&format!("{file}/spool"), packs)]);
    assert_eq!(ran.code, Some(78), "{}", ran.err);
    assert!(ran.err.contains("no.such") && ran.err.contains("the spool cannot be"), "{}", ran.err);
    let missing = dir.path().join("a/spool");
    let ran = tamis(&["check", "-c", &config(missing.to_str().expect("text"), "")]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!dir.path().join("a").exists());
}

#[test]
fn of_a_level_that_is_none() {
    let mut command = crate::program::command(crate::program::TAMIS);
    let dir = tempfile::tempdir().expect("a directory");
    // It ends at once: a file is in the place of its spool.
    let file = write(dir.path(), "file", "");
    let text = format!(
        "version = 1\n[listen]\ningest = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n[spool]\ndir = '{file}'\n"
    );
    let ran = command
        .args(["serve", "-c", &write(dir.path(), "tamis.toml", &text)])
        .env("TAMIS_LOG", "verbose")
        .output()
        .expect("it runs");
    let told = String::from_utf8(ran.stderr).expect("text");
    assert!(
        told.starts_with("tamis: TAMIS_LOG is no level: error, warn, info, debug, trace or off"),
        "{told}"
    );
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
