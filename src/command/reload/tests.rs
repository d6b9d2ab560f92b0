//! Files that are taken, refused, and what is told of them.

use super::*;
use crate::redact::Action;
use crate::spool::{Options, SpoolQueue, dir_name};
use std::cell::RefCell;
use std::sync::Once;

const FILE: &str = "version = 1\n[listen]\ningest = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n[[routes]]\nname = 'a'\n\
                    protocol = 'generic'\nupstream = 'inbox'\n[policies.default.actions]\nemail = 'token'\n";

struct Running {
    directory: tempfile::TempDir,
    file: String,
    reloader: Arc<Reloader>,
}

async fn running() -> Running {
    running_with("").await
}

/// With more in the file, in which `DIR` stands for its directory.
async fn running_with(more: &str) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tamis.toml");
    write_pair(directory.path(), 2030);
    std::fs::create_dir(directory.path().join("packs")).expect("made");
    let file = format!("{FILE}{more}").replace("DIR", &directory.path().display().to_string());
    std::fs::write(&path, &file).expect("written");
    let mut files = Files::new(vec![path.clone()]);
    let ready = setup::ready(Some(&path)).expect("a good file");
    files.set_dirs(ready.config.pattern.dirs.clone(), PACK_ENDING);
    let instance = super::super::serve::open(&ready, true).await.expect("free ports");
    let reloader = Arc::new(Reloader::new(path, files, ready.config, instance.reached()));
    Running { directory, file, reloader }
}

/// A certificate that ends when that year begins, and its key.
fn write_pair(directory: &std::path::Path, year: i32) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut certificate = rcgen::CertificateParams::new(["example.com".to_owned()]).expect("a name");
    certificate.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = certificate.self_signed(&key).expect("signed");
    std::fs::write(directory.join("cert.pem"), certificate.pem()).expect("written");
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).expect("written");
}

impl Running {
    fn reload(&self, file: &str) -> Result<(), Vec<String>> {
        std::fs::write(self.directory.path().join("tamis.toml"), file).expect("written");
        self.reloader.reload()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).expect("written");
    }

    /// Looks as often as a change takes to count.
    fn look(&self) {
        self.reloader.reload_if_changed();
        self.reloader.reload_if_changed();
    }

    fn email(&self) -> Action {
        self.reloader.reached.settings.routes[0].plan.load().policy().action(crate::pattern::Class::Email)
    }

    /// What reloads weakened so far.
    fn weakened(&self) -> u64 {
        let rendered = self.reloader.metrics.render();
        let line = rendered.lines().find(|line| line.starts_with("tamis_config_weakened_total "));
        line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a number")
    }

    fn says(&self, line: &str) -> bool {
        self.reloader.metrics.render().contains(line)
    }
}

thread_local! {
    /// Log records of this thread.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Logged;

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Log records that `work` writes on this thread, as text.
fn logged(work: impl FnOnce()) -> String {
    // One for the whole process: what is enabled for some threads alone is not reliably so.
    static SET: Once = Once::new();
    SET.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_writer(|| Logged).with_ansi(false).finish();
        tracing::subscriber::set_global_default(subscriber).expect("nobody else sets one in tests");
    });
    LOGGED.take();
    work();
    String::from_utf8(LOGGED.take()).expect("text")
}

#[tokio::test]
async fn policies_and_patterns_change_and_a_bad_file_changes_nothing() {
    let running = running().await;
    assert_eq!(running.email(), Action::Token);
    running.reload(&FILE.replace("'token'", "'remove'")).expect("taken");
    assert_eq!(running.email(), Action::Remove);
    assert!(running.says("tamis_config_reload_success 1"));
    for (file, part) in [
        (FILE.replace("'token'", "'burn'"), "burn"),
        (FILE.replace("inbox", "http://192.0.2.1"), "[[routes]] has changed"),
        (FILE.replace("127.0.0.1:0'\n[[", "127.0.0.2:0'\n[["), "[listen] has changed"),
        (format!("{FILE}[patterns]\ndisable = ['no.such']\n"), "no.such"),
    ] {
        let problems = running.reload(&file).expect_err("refused").join("\n");
        assert!(problems.contains(part), "{problems}");
        assert_eq!(running.email(), Action::Remove);
        assert!(running.says("tamis_config_reload_success 0"));
    }
    running.reload(&format!("{FILE}[patterns]\ndisable = ['email']\n")).expect("taken");
    assert_eq!(running.email(), Action::Token);
    assert!(running.says("tamis_config_reload_success 1"));
}

#[tokio::test]
async fn a_route_may_take_another_policy() {
    let running = running().await;
    let file = FILE.replace("'inbox'", "'inbox'\npolicy = 'other'");
    running.reload(&format!("{file}[policies.other.actions]\nemail = 'mask'\n")).expect("taken");
    assert_eq!(running.email(), Action::Mask);
    assert_eq!(running.reloader.routes()[0].policy, "other");
}

/// Each way in which a file can weaken what runs, and what the log says of it.
#[tokio::test]
async fn what_weakens_redaction_is_told() {
    let running = running().await;
    let consent = "unscanned_pass_consent = 'a trial'";
    let shown = "[policies.default]\n";
    let rule = "[[policies.default.rules]]\npath = 'extra.note'\naction = ";
    let with = |text: &str| format!("{FILE}{text}\n");
    let before = FILE.replace("[policies.default.actions]", &format!("{shown}[policies.default.actions]"));
    let policy = |text: &str| before.replace(shown, &format!("{shown}{text}\n"));
    for (from, to, said) in [
        (
            FILE.to_owned(),
            policy(&format!("mode = 'shadow'\n{consent}")),
            "items may pass unscanned or unchanged route=\"a\"",
        ),
        (
            FILE.to_owned(),
            policy(&format!("on_error = 'pass'\n{consent}")),
            "items may pass unscanned or unchanged route=\"a\"",
        ),
        (
            FILE.to_owned(),
            policy(&format!("attachments = {{ allow = ['event.minidump'] }}\n{consent}")),
            "these pass unread route=\"a\" attachments=",
        ),
        (
            FILE.to_owned(),
            FILE.replace("'token'", "'keep'"),
            "this class is kept route=\"a\" class=\"email\"",
        ),
        (
            FILE.to_owned(),
            FILE.replace("'token'", "'scan'"),
            "this class is kept route=\"a\" class=\"email\"",
        ),
        (FILE.to_owned(), with(&format!("{rule}'keep'")), "this field is kept route=\"a\" path=extra.note"),
        (
            with(&format!("{rule}'remove'")),
            FILE.to_owned(),
            "a rule for this field is gone or another route=\"a\" path=extra.note",
        ),
        (
            with(&format!("{rule}'remove'")),
            with(&format!("{rule}'keep'")),
            "a rule for this field is gone or another route=\"a\" path=extra.note",
        ),
        (FILE.to_owned(), with("[patterns]\ndisable = ['email']"), "no longer in force pattern=email"),
    ] {
        if from != FILE {
            running.reload(&from).expect("taken");
        }
        let before = running.weakened();
        let log = logged(|| running.reload(&to).expect("taken"));
        assert_eq!(running.weakened() - before, log.matches("weaker than before: ").count() as u64, "{log}");
        let told = log.lines().any(|line| {
            line.contains(" WARN ") && line.contains("weaker than before: ") && line.contains(said)
        });
        assert!(told, "{said:?} is not in\n{log}\nof\n{to}");
        running.reload(FILE).expect("taken");
    }
}

#[tokio::test]
async fn what_is_stricter_or_refused_is_no_warning() {
    let running = running().await;
    let log = logged(|| {
        running.reload(&FILE.replace("'token'", "'remove'")).expect("taken");
        running.reload(&FILE.replace("'token'", "'burn'")).expect_err("refused");
        running.reload(FILE).expect("taken");
    });
    assert!(!log.contains("weaker"), "{log}");
    assert_eq!(running.weakened(), 0);
    assert!(log.contains("configuration refused"), "{log}");
}

#[tokio::test]
async fn a_changed_file_is_taken_when_it_stands_still() {
    let running = running().await;
    running.look();
    assert_eq!(running.email(), Action::Token);
    running.write("tamis.toml", &FILE[..FILE.len() - 9]); // half written
    running.reloader.reload_if_changed();
    running.write("tamis.toml", &FILE.replace("'token'", "'remove'"));
    running.reloader.reload_if_changed();
    assert!(running.says("tamis_config_reload_success 1"), "the half was not read");
    assert_eq!(running.email(), Action::Token);
    running.reloader.reload_if_changed();
    assert_eq!(running.email(), Action::Remove);
}

#[tokio::test]
async fn a_broken_edit_is_told_once_and_what_runs_stays() {
    let running = running().await;
    let refused = |log: String| log.matches("configuration refused").count();
    running.write("tamis.toml", &FILE.replace("'token'", "'burn'"));
    assert_eq!(refused(logged(|| running.look())), 1);
    assert!(running.says("tamis_config_reload_success 0"));
    assert_eq!(running.email(), Action::Token);
    assert_eq!(refused(logged(|| running.look())), 0, "it is as it was told");
    std::fs::remove_file(running.directory.path().join("tamis.toml")).expect("there");
    assert_eq!(refused(logged(|| running.look())), 1, "another change");
    running.write("tamis.toml", &FILE.replace("'token'", "'mask'"));
    running.look();
    assert!(running.says("tamis_config_reload_success 1"));
    assert_eq!(running.email(), Action::Mask);
}

/// What a signal had read is not read a second time, whatever came of it.
#[tokio::test]
async fn what_a_signal_had_read_is_no_change() {
    let running = running().await;
    for file in [FILE.replace("'token'", "'mask'"), FILE.replace("'token'", "'burn'")] {
        drop(running.reload(&file));
        assert_eq!(logged(|| running.look()), "");
    }
}

#[tokio::test]
async fn packs_are_followed_those_too_of_a_file_that_was_refused() {
    let running = running_with("[patterns]\ndirs = ['DIR/packs']\n").await;
    let pack = "[[pattern]]\nname = 'x.ticket'\nclass = 'user_id'\nregex = 'TICKET-[0-9]{6}'\n\
                why = 'Tells whose ticket it is.'\nhits = ['see «TICKET-123456»']\nmisses = ['TICKET-12']\n";
    let patterns = || {
        let plan = running.reloader.reached.settings.routes[0].plan.load_full();
        plan.set().roster().entries.iter().filter(|entry| entry.spec.name().starts_with("x.")).count()
    };
    running.write("packs/x.toml", pack);
    running.look();
    assert_eq!(patterns(), 1, "a new file");
    running.write("packs/y.toml", &pack.replace("x.ticket", "x.other"));
    running.look();
    assert!(running.says("tamis_config_reload_success 0"), "the same regex under two names");
    assert_eq!(patterns(), 1);
    std::fs::remove_file(running.directory.path().join("packs/y.toml")).expect("there");
    running.look();
    assert!(running.says("tamis_config_reload_success 1"));
    std::fs::create_dir(running.directory.path().join("more")).expect("made");
    running.write("more/z.toml", "no pack");
    let more = running.file.replace("/packs']", "/packs', 'DIR/more']");
    running.write("tamis.toml", &more.replace("DIR", &running.directory.path().display().to_string()));
    running.look();
    assert!(running.says("tamis_config_reload_success 0"));
    running.write("more/z.toml", &pack.replace("x.ticket", "x.z").replace("TICKET", "PARCEL"));
    running.look();
    assert_eq!(patterns(), 2, "the pack that was wrong is mended, and the file says no more than it did");
    std::fs::remove_file(running.directory.path().join("packs/x.toml")).expect("there");
    let log = logged(|| running.look());
    assert!(log.contains("no longer in force pattern=x.ticket"), "{log}");
    assert_eq!(patterns(), 1);
}

#[tokio::test]
async fn files_are_not_followed_where_a_signal_is_wanted() {
    let running = running().await;
    let file = FILE.replace("version = 1", "version = 1\nreload = 'signal'").replace("'token'", "'remove'");
    running.write("tamis.toml", &file);
    running.look();
    assert_eq!(running.email(), Action::Remove, "it was followed until then");
    running.write("tamis.toml", FILE);
    running.look();
    assert_eq!(running.email(), Action::Remove);
    running.reload(FILE).expect("taken");
    running.write("tamis.toml", &FILE.replace("'token'", "'mask'"));
    running.look();
    assert_eq!(running.email(), Action::Mask, "it is followed again");
}

/// As the kubelet does it, and by the task that looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_that_changes_is_taken() {
    use std::os::unix::fs::symlink;
    let running = running().await;
    let at = |name: &str| running.directory.path().join(name);
    for (version, action) in [("..1", "'token'"), ("..2", "'remove'")] {
        std::fs::create_dir(at(version)).expect("made");
        running.write(&format!("{version}/tamis.toml"), &FILE.replace("'token'", action));
    }
    symlink("..1", at("..data")).expect("made");
    std::fs::remove_file(at("tamis.toml")).expect("there");
    symlink("..data/tamis.toml", at("tamis.toml")).expect("made");
    let every = std::time::Duration::from_millis(5);
    tokio::spawn(triggers::on_change(Arc::clone(&running.reloader), every));
    symlink("..2", at("..data_tmp")).expect("made");
    std::fs::rename(at("..data_tmp"), at("..data")).expect("turned");
    let taken = async {
        while running.email() != Action::Remove {
            tokio::time::sleep(every).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), taken).await.expect("it is taken");
}

/// A pack that is taken out of its directory takes its patterns with it.
#[tokio::test]
async fn patterns_that_go_with_their_pack_are_told() {
    let running = running().await;
    let packs = running.directory.path().join("packs");
    let pack = "[[pattern]]\nname = 'x.ticket'\nclass = 'user_id'\nregex = 'TICKET-[0-9]{6}'\n\
                why = 'Tells whose ticket it is.'\nhits = ['see «TICKET-123456»']\nmisses = ['TICKET-12']\n";
    std::fs::write(packs.join("x.toml"), pack).expect("written");
    let file = format!("{FILE}[patterns]\ndirs = ['{}']\n", packs.display());
    running.reload(&file).expect("taken");
    std::fs::remove_file(packs.join("x.toml")).expect("there");
    let log = logged(|| running.reload(&file).expect("taken"));
    assert!(log.contains("weaker than before: no longer in force pattern=x.ticket"), "{log}");
}

/// One of the same name may find less than the one before.
#[tokio::test]
async fn a_pattern_that_says_something_else_is_told() {
    const PACK: &str = "[[pattern]]\nname = 'x.ticket'\nclass = 'user_id'\nregex = 'TICKET-[0-9]{6}'\n\
                        why = 'Tells whose ticket it is.'\nhits = ['see «TICKET-123456»']\nmisses = ['TICKET-12']\n";
    const EXEMPT: &str = "[[field]]\nname = 'x.stays'\nkind = 'exempt'\npaths = ['ticket.state']\n\
                          why = 'One of four words.'\nhits = []\nmisses = ['{\"ticket\":{\"state\":\"open\"}}']\n";
    let running = running().await;
    let packs = running.directory.path().join("packs");
    // Two routes with one pattern set.
    let other = "[[routes]]\nname = 'b'\nprotocol = 'generic'\nupstream = 'inbox'\nmatch = { path = '/b' }\n";
    let file = FILE.replace("[[routes]]", &format!("{other}[[routes]]"));
    let file = format!("{file}[patterns]\ndirs = ['{}']\n", packs.display());
    std::fs::write(packs.join("x.toml"), PACK).expect("written");
    std::fs::write(running.directory.path().join("tamis.toml"), &file).expect("written");
    let path = running.directory.path().join("tamis.toml");
    let ready = setup::ready(Some(&path)).expect("a good file");
    let instance = super::super::serve::open(&ready, true).await.expect("free ports");
    let files = Files::new(vec![path.clone()]);
    let reloader = Arc::new(Reloader::new(path, files, ready.config, instance.reached()));
    let running = Running { reloader, ..running };
    for (pack, said) in [
        (PACK.replace("Tells whose", "Says whose"), None),
        (PACK.replace("[0-9]{6}", "[0-8]{6}"), Some("says something else pattern=x.ticket")),
        (
            format!("{PACK}{EXEMPT}").replace("[0-9]{6}", "[0-8]{6}"),
            Some("a rule by which a field stays pattern=x.stays"),
        ),
    ] {
        std::fs::write(packs.join("x.toml"), pack).expect("written");
        let before = running.weakened();
        let log = logged(|| running.reload(&file).expect("taken"));
        let told: Vec<&str> = log.lines().filter(|line| line.contains("weaker than before: ")).collect();
        assert_eq!(told.len(), usize::from(said.is_some()), "{said:?}: {log}");
        assert!(
            said.is_none_or(|said| told[0].contains(" WARN ") && told[0].contains(said)),
            "{said:?}: {log}"
        );
        assert_eq!(running.weakened() - before, told.len() as u64, "once for both routes");
    }
}

/// A file that others renewed, and that the watching has not come to yet or never will (a file system without times).
#[tokio::test]
async fn certificates_are_read_again_too_even_if_the_file_is_refused() {
    let running = running_with("[listen.tls]\ncert_file = 'DIR/cert.pem'\nkey_file = 'DIR/key.pem'\n").await;
    let ends = || {
        let rendered = running.reloader.metrics.render();
        let line = rendered.lines().find(|line| line.starts_with("tamis_tls_not_after_timestamp_seconds"));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).expect("a number")
    };
    let file = running.file.clone();
    for (year, file) in [(2031, file.clone()), (2032, file.replace("'token'", "'burn'"))] {
        write_pair(running.directory.path(), year);
        drop(running.reload(&file));
        let seconds = (u64::try_from(year).expect("late") - 1970) * 31_556_952;
        assert!(ends().abs_diff(seconds) < 2 * 86_400, "{} for {year}", ends());
    }
    std::fs::write(running.directory.path().join("key.pem"), "no key").expect("written");
    let log = logged(|| drop(running.reload(&running.file).expect_err("it names a key that is none")));
    assert!(log.contains("ERROR") && log.contains("the one before stays in use"), "{log}");
    assert!(running.says("tamis_tls_reload_success 0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_an_upstream_that_is_not_named_any_more_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let queue = directory.path().join("spool").join(dir_name("https://192.0.2.1"));
    let open = |upstream: &str, then: &dyn Fn(&SpoolQueue)| {
        let options = Options {
            dir: directory.path().join("spool"),
            bytes_max: 1 << 20,
            age_max: std::time::Duration::from_secs(60),
        };
        let names = [upstream.to_owned()];
        let metrics = Metrics::default();
        let opened = Spool::open(&options, &names, &Default::default(), &metrics);
        let (spool, queues) = opened.expect("it opens");
        then(&queues[0]);
        spool
    };
    let runtime = tokio::runtime::Handle::current();
    drop(tokio::task::block_in_place(|| {
        open("https://192.0.2.1", &|queue| {
            runtime.block_on(queue.append(crate::spool::sample(b"waits"))).expect("taken");
        })
    }));
    assert!(queue.is_dir());
    let spool = open("https://192.0.2.2", &|_| {});
    let log = logged(|| spool.warn_of_unclaimed());
    assert!(log.contains("WARN") && log.contains("upstream=\"https://192.0.2.1\" records=1"), "{log}");
    drop(spool);
    let spool = open("https://192.0.2.1", &|_| {});
    assert_eq!(logged(|| spool.warn_of_unclaimed()), "");
}
