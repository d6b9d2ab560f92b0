//! The exit code of every command, and that its stdout holds its data and nothing else.

use crate::program::{Server, tamis, to_inbox, write};

const PACK: &str = "[[pattern]]\nname = 'x.ticket'\nclass = 'national_id'\nregex = 'TICKET-[0-9]{6}'\n\
                    why = 'Tells whose ticket it is.'\nhits = ['see «TICKET-123456»']\nmisses = ['TICKET-12']\n";

#[test]
fn wrong_usage_is_2() {
    for args in [
        &[][..],
        &["sieve"],
        &["serve", "--workers", "0"],
        &["serve", "--config"],
        &["scrub", "--format", "xml"],
        &["patterns"],
        &["patterns", "diff", "embedded", "embedded"],
        &["patterns", "diff", "embedded", "embedded", "-"],
        &["health", "-c", "tamis.toml", "--admin", "127.0.0.1:1"],
        &["canary", "--every", "0"],
        &["completions", "nosh"],
    ] {
        let ran = tamis(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}: {}", ran.err);
        assert!(
            ran.err.contains("Usage: tamis") || ran.err.contains("try '--help'"),
            "{args:?}: {}",
            ran.err
        );
    }
}

#[test]
fn what_it_says_of_itself() {
    for (args, part) in [
        (&["version"][..], concat!("tamis ", env!("CARGO_PKG_VERSION"), "\ntarget ")),
        (&["--version"], concat!("tamis ", env!("CARGO_PKG_VERSION"), "\n")),
        (&["--help"], "Exit codes: 0 done, 1 the answer is no, 2 wrong usage"),
        (&["serve", "--help"], "--workers <N>"),
        (&["man"], ".TH tamis 1"),
        (&["completions", "bash"], "_tamis()"),
        (&["completions", "zsh"], "#compdef tamis"),
        (&["completions", "fish"], "complete -c tamis"),
        (&["patterns", "schema"], "\"$schema\""),
    ] {
        let ran = tamis(args);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(ran.out.contains(part), "{args:?}: {}", ran.out);
    }
    assert_eq!(tamis(&["man", "--dir", "/no/such/directory"]).code, Some(74));
}

#[test]
fn packs_are_listed_tested_and_compared() {
    let dir = tempfile::tempdir().expect("a directory");
    let packs = dir.path().display().to_string();
    write(dir.path(), "own.toml", PACK);
    let list = tamis(&["patterns", "list", "--dir", &packs]);
    assert_eq!((list.code, list.err.as_str()), (Some(0), ""));
    assert!(list.out.starts_with("NAME ") && list.out.contains("x.ticket "), "{}", list.out);
    let json = tamis(&["patterns", "list", "--json", "--dir", &packs]);
    let entries: serde_json::Value = serde_json::from_str(&json.out).expect("JSON alone");
    let is_there = |entry: &serde_json::Value| entry["name"] == "x.ticket";
    assert!(entries.as_array().expect("an array").iter().any(is_there));

    let log = write(dir.path(), "app.log", "see TICKET-123456\n");
    let diff = tamis(&["patterns", "diff", "embedded", &packs, &log]);
    assert_eq!(diff.code, Some(0), "{}", diff.err);
    assert!(diff.out.ends_with("hits: 1 more, 0 less, 0 in both\n"), "{}", diff.out);
    assert_eq!(tamis(&["patterns", "diff", "embedded", "embedded", "/no/such.log"]).code, Some(74));

    assert_eq!(tamis(&["patterns", "list", "--dir", "/no/such/packs"]).code, Some(78));
    assert_eq!(tamis(&["patterns", "list", "-c", "/no/such.toml"]).code, Some(74));
}

#[test]
fn examples_that_hold_are_0_and_others_1() {
    let dir = tempfile::tempdir().expect("a directory");
    let packs = dir.path().display().to_string();
    write(dir.path(), "own.toml", PACK);
    let test = tamis(&["patterns", "test", "--dir", &packs]);
    assert_eq!((test.code, test.err.as_str()), (Some(0), ""));
    assert!(test.out.ends_with(" examples, 0 do not hold\n"), "{}", test.out);
    write(dir.path(), "own.toml", &PACK.replace("'TICKET-12'", "'TICKET-654321'"));
    let test = tamis(&["patterns", "test", "--dir", &packs]);
    assert_eq!(test.code, Some(1), "{}", test.err);
    assert!(test.out.ends_with(" examples, 1 do not hold\n"), "{}", test.out);
    assert!(test.err.contains("own.toml:"), "{}", test.err);
}

#[test]
fn a_configuration_that_is_right_is_summed_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let ran = tamis(&["check", "-c", &write(dir.path(), "tamis.toml", &to_inbox(""))]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.starts_with("listen: ingest 127.0.0.1:0"), "{}", ran.out);
    assert!(ran.out.contains("\nroute all: ") && ran.out.ends_with("\nok\n"), "{}", ran.out);
}

/// Without a file `serve` makes a key, so ids become pseudonyms: it was said that there is none.
#[test]
fn without_a_file_check_tells_of_what_serve_runs_with() {
    let ran = tamis(&["check"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains("\nroute generic: every request -> inbox  policy default (strict, enforce)\n"));
    assert!(!ran.out.contains("key"), "{}", ran.out);
}

#[test]
fn the_demo_ends_after_its_events() {
    let ran = tamis(&["demo", "-n", "2"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.out.matches(" -> 200 OK").count(), 2, "{}", ran.out);
    assert!(ran.out.contains("[email]") && ran.err.starts_with("tamis: events go to "), "{}", ran.err);
}

#[test]
fn a_running_instance_is_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let weak = "policy = 'weak'\n[policies.weak]\n[policies.weak.actions]\nemail = 'keep'\n";
    for (more, code) in [("", 0), (weak, 1)] {
        let server = Server::configured(&write(dir.path(), "tamis.toml", &to_inbox(more)));
        let (ingest, admin) = (server.ingest.to_string(), server.admin.to_string());
        let health = tamis(&["health", "--admin", &admin]);
        assert_eq!((health.code, health.out.as_str(), health.err.as_str()), (Some(0), "", ""));
        let to = format!("{ingest}/canary");
        let canary = tamis(&["canary", "--to", &to, "--admin", &admin]);
        assert_eq!(canary.code, Some(code), "{}\n{}", canary.out, canary.err);
        assert!(canary.out.contains(" bodies planted, "), "{}", canary.out);
        assert_eq!(canary.err.contains("an e-mail address came through"), code == 1, "{}", canary.err);
    }
    // Nobody listens where a port has just been given back.
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let nobody = nobody.to_string();
    let health = tamis(&["health", "--admin", &nobody]);
    assert_eq!((health.code, health.out.as_str()), (Some(1), ""));
    let canary = tamis(&["canary", "--to", &nobody, "--admin", &nobody]);
    assert_eq!((canary.code, canary.out.as_str()), (Some(74), ""));
    assert!(canary.err.contains("the canary cannot tell"), "{}", canary.err);
}
