//! `tamis serve` from its first word to its last.

use crate::program::{LONG, Server, TAMIS, command, to_inbox, write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Without `-c`, on sockets that it is handed as by systemd: whatever else runs here may have its own ports.
fn without_configuration() -> Server {
    let [ingest, admin] = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a free port"));
    let hand_over =
        "exec 3<&0 4<&1 0</dev/null 1>/dev/null; export LISTEN_FDS=2 LISTEN_PID=$$; exec \"$0\" serve";
    let mut shell = command("sh");
    shell.args(["-c", hand_over, TAMIS]).stdin(Stdio::from(OwnedFd::from(ingest)));
    Server::start(shell.stdout(Stdio::from(OwnedFd::from(admin))))
}

#[test]
fn without_a_configuration_it_shows_where_to_send() {
    let server = without_configuration();
    server.wait(|told| told.contains("curl -sS "));
    let told = server.told();
    let dsn = format!("http://0123456789abcdef0123456789abcdef@{}/1", server.ingest);
    assert!(told.contains("Sentry DSN") && told.contains(&dsn), "{told}");
    // The line as a shell reads it: between single quotes everything stands for itself.
    let line = told.lines().find(|line| line.starts_with("curl -sS ")).expect("a line to paste");
    assert!(line.contains(&format!(" http://{}/api/1/store/ ", server.ingest)), "{line}");
    let quoted: Vec<&str> = line.split('\'').skip(1).step_by(2).collect();
    let [_, auth, event] = quoted[..] else { panic!("two headers and a body: {line}") };
    let answer = server.post("/api/1/store/", &format!("{auth}\r\n"), event);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("{\"id\":\"ba5eba11"), "{answer}");
    let inbox = server.ask("/inbox");
    assert!(inbox.contains("Password reset for [email] failed (client [ip])"), "{inbox}");
    assert!(!inbox.contains("ada@example.com") && !inbox.contains("192.0.2.7"), "{inbox}");
    server.signal("INT");
    let (code, told) = server.ended();
    assert_eq!(code, Some(0), "{told}");
    let after = told.split_once(line).expect("told before").1;
    assert!(after.contains("signal received") && !after.contains("ada@example.com"), "{told}");
}

#[test]
fn a_signal_ends_it_with_0() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["TERM", "INT"] {
        let server = Server::configured(&write(dir.path(), "tamis.toml", &to_inbox("")));
        assert!(server.ask("/ready").starts_with("HTTP/1.1 200 "));
        let begun = Instant::now();
        server.signal(name);
        let (code, told) = server.ended();
        assert_eq!(code, Some(0), "{name}: {told}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{name}: nothing was in flight");
        assert!(told.contains("signal received"), "{name}: {told}");
    }
}

/// Starts it with a configuration that it waits for, in a pipe, and a signal that comes meanwhile: as early as one can that has any
/// other effect than to end the process. The configuration is written then.
#[cfg(target_os = "linux")]
fn signalled_early(dir: &Path, (name, number): (&str, u32)) -> (Child, PathBuf) {
    let file = dir.join("tamis.toml");
    assert!(command("mkfifo").arg(&file).status().expect("there is a mkfifo").success());
    let mut command = command(TAMIS);
    command.args(["serve", "--workers", "1", "-c"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let begun = Instant::now();
    // SPEC: proc_pid_status(5): the bit below the signal's number.
    let is_caught = |status: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("Linux has the field");
        u64::from_str_radix(mask.trim(), 16).expect("hexadecimal") >> (number - 1) & 1 == 1
    };
    while !is_caught(&std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs")) {
        assert!(begun.elapsed() < LONG && child.try_wait().expect("ours").is_none(), "{name} is not caught");
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent =
        std::process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("there is a kill").success());
    (child, file)
}

/// `systemctl reload` right after a start, or a script that renews certificates: once it runs the file is read again, once.
#[cfg(target_os = "linux")]
#[test]
fn a_hangup_while_it_starts_is_a_reload() {
    let dir = tempfile::tempdir().expect("a directory");
    let (child, file) = signalled_early(dir.path(), ("HUP", 1));
    let with = |action: &str| {
        let text = to_inbox(&format!("[policies.default.actions]\nemail = '{action}'\n"));
        std::fs::write(&file, text.replace("version = 1\n", "version = 1\nreload = 'signal'\n"))
            .expect("it reads");
    };
    with("token");
    let server = Server::of(child);
    with("remove"); // blocks until it reads again
    server.wait(|told| told.contains("configuration reloaded"));
    assert!(becomes(&server, "\\\"\\\""));
    server.signal("TERM");
    let (code, told) = server.ended();
    assert_eq!((code, told.matches("configuration reloaded").count()), (Some(0), 1), "{told}");
}

/// A rollout that is called off: it ends as it would later, and takes no connection on its way.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_while_it_starts_ends_it_with_0() {
    for signal in [("TERM", 15), ("INT", 2)] {
        let dir = tempfile::tempdir().expect("a directory");
        let (child, file) = signalled_early(dir.path(), signal);
        std::fs::write(file, to_inbox("")).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(0), "{signal:?}: {told}");
        assert!(told.contains("signal received") && !told.contains("listening"), "{signal:?}: {told}");
    }
}

/// Whoever has written a wrong address sends one event, is told 503, and looks here.
#[test]
fn an_upstream_that_does_not_answer_is_told_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let config = to_inbox("").replace("'inbox'", &format!("'http://{nobody}'"));
    let server = Server::configured(&write(dir.path(), "tamis.toml", &config));
    let answer = server.post("/logs", "", "{\"note\":\"jane@example.com\"}");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    server.wait(|told| told.contains("upstream gave no answer"));
    let told = server.told();
    let line = told.lines().find(|line| line.contains("gave no answer")).expect("told");
    assert!(
        line.contains(&format!("upstream=\"{nobody}\"")) && line.contains("reason=upstream_unreachable"),
        "{line}"
    );
    server.post("/logs", "", "{}");
    server.signal("TERM");
    let (_, told) = server.ended();
    assert_eq!(told.matches("gave no answer").count(), 1, "{told}");
    assert!(!told.contains("jane"), "{told}");
}

/// What is sent now becomes this.
fn becomes(server: &Server, want: &str) -> bool {
    server.post("/logs", "", "{\"note\":\"jane@example.com\"}");
    let inbox = server.ask("/inbox");
    inbox.lines().rfind(|line| line.contains("note")).is_some_and(|line| line.contains(want))
}

#[test]
fn a_hangup_has_the_file_read_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let with = |action: &str| to_inbox(&format!("[policies.default.actions]\nemail = '{action}'\n"));
    let server = Server::configured(&write(dir.path(), "tamis.toml", &with("token")));
    assert!(becomes(&server, "[email]"));
    write(dir.path(), "tamis.toml", &with("burn"));
    server.signal("HUP");
    server.wait(|told| told.contains("configuration refused"));
    assert!(becomes(&server, "[email]"));
    write(dir.path(), "tamis.toml", &with("remove"));
    server.signal("HUP");
    server.wait(|told| told.contains("configuration reloaded"));
    assert!(becomes(&server, "\\\"\\\""));
}

/// No signal, no token: the file alone. Takes two looks of five seconds.
#[test]
fn a_changed_file_is_read_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let with = |action: &str| to_inbox(&format!("[policies.default.actions]\nemail = '{action}'\n"));
    let server = Server::configured(&write(dir.path(), "tamis.toml", &with("token")));
    write(dir.path(), "tamis.toml", &with("remove"));
    server.wait(|told| told.contains("configuration reloaded"));
    assert!(becomes(&server, "\\\"\\\""));
    assert!(server.ask("/metrics").contains("\ntamis_config_reload_success 1\n"));
}
