//! Ten thousand planted values through a running process, by every protocol and coding and behind every wrapping: none of
//! them may be in anything that the process wrote.
//!
//! ```text
//! senders ──► tamis serve ──► an upstream that keeps what arrives; away at first, so that the spool holds some, and
//!                 │           then refusing, so that it keeps dead letters
//!                 └─► spool files, standard error at its most talkative, metrics, admin answers, answers to senders
//! ```
//! The values and the ways to hide them are those of `evaluation`; what each body is put into, and how what was written
//! is read, are this test's own.

#[allow(dead_code, reason = "shared with `evaluation`, which uses all of it")]
#[path = "evaluation/address.rs"]
mod address;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/carrier.rs"]
mod carrier;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/contact.rs"]
mod contact;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/event.rs"]
mod event;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/identity.rs"]
mod identity;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/layers.rs"]
mod layers;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/payment.rs"]
mod payment;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/plant.rs"]
mod plant;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/random.rs"]
mod random;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/secret.rs"]
mod secret;
#[allow(dead_code, reason = "shared with `evaluation`")]
#[path = "evaluation/shape.rs"]
mod shape;
#[allow(dead_code, unused_imports, reason = "shared with `proxy`")]
mod support;

#[path = "canaries/body.rs"]
mod body;
#[path = "canaries/parts.rs"]
mod parts;
#[path = "canaries/process.rs"]
mod process;

use aho_corasick::{AhoCorasick, MatchKind};
use body::{Sent, Way};
use layers::readings;
use plant::Plant;
use process::{Port, Served};
use random::Random;
use std::collections::BTreeMap;
use support::process::free_port;
use support::{FakeUpstream, Reply, Seen};

const SEED: u64 = 20_261_126;
/// Values that are planted at least.
const PLANTED_MIN: usize = 10_000;
/// Layers that are undone in what arrived: more than anything was hidden behind.
const BODY_DEPTH: usize = 6;
/// The same for what we say ourselves, in which nothing has a reason to be hidden.
const OWN_DEPTH: usize = 2;
/// Of so many turns one sends what is long.
const LONG_EVERY: usize = 8;
/// Turns behind TLS: the same bodies on another way in.
const TLS_TURNS: usize = 3;
/// What the status shows in the command that it suggests, invented by us and not sent by anybody.
const OWN_SAMPLE: [&str; 2] = ["192.0.2.7", "ada@example.com"];
/// Shorter needles would be found by chance in so many bytes.
const NEEDLE_BYTES_MIN: usize = 6;

/// A text that the process wrote, and where.
struct Written {
    place: String,
    bytes: Vec<u8>,
    depth: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_of_ten_thousand_canaries_are_in_anything_that_was_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let upstream_address = free_port().await;
    let served = Served::start(dir.path(), upstream_address, Port::Clear).await;
    let mut senders = Senders::new(&served);

    // Away: what can wait waits on disk.
    for _ in 0..8 {
        for way in Way::ALL.into_iter().filter(|way| way.waits()) {
            let status = senders.send(way).await;
            assert!((200..300).contains(&status), "{way:?} was answered {status} while its upstream is away");
        }
    }
    let spooled = process::files_below(&dir.path().join("spool"));
    assert!(spooled.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 30_000, "something waits");
    senders.written.extend(spooled.into_iter().map(|(name, bytes)| Written {
        place: format!("spool file {name}"),
        bytes,
        depth: 1,
    }));
    senders.written.push(Written {
        place: "spool export".into(),
        bytes: served.export(&[]),
        depth: BODY_DEPTH,
    });

    // There, and it refuses what waited: that is kept aside.
    let refuses = Reply { status: 400, ..Reply::default() };
    let upstream = FakeUpstream::at(upstream_address, refuses).await;
    served.wait_for("tamis_spool_items", 0).await;
    let dead = served.export(&["--dead"]);
    assert!(dead.len() > 30_000, "what was refused is kept");
    senders.written.push(Written { place: "export of dead letters".into(), bytes: dead, depth: BODY_DEPTH });
    let dead = process::files_below(&dir.path().join("spool"));
    assert!(dead.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 30_000, "on disk");
    senders.written.extend(dead.into_iter().map(|(name, bytes)| Written {
        place: format!("spool file {name}, dead letters"),
        bytes,
        depth: 1,
    }));

    // There: everything else, and more of the same.
    upstream.set(Reply::default());
    let mut turn = 0;
    while senders.planted.len() < PLANTED_MIN {
        for way in Way::ALL.into_iter().filter(|way| !way.is_long() || turn % LONG_EVERY == 0) {
            let status = senders.send(way).await;
            assert_eq!(way.is_refused(), status >= 400, "{way:?} was answered {status}");
        }
        turn += 1;
        assert!(turn < 1_000);
    }
    let Senders { planted, mut written, answers, bodies, .. } = senders;
    let arrived = look(&served, &upstream, &mut written).await;
    let inbox = written.iter().find(|written| written.place.contains("/inbox")).expect("asked");
    assert!(inbox.bytes.len() > 20_000, "the inbox holds what it was sent");
    end(served, &mut written).await;

    let told = survivors(&planted, &written);
    let bytes: usize = written.iter().map(|written| written.bytes.len()).sum();
    println!(
        "{} canaries in {bodies} bodies, {arrived} arrived; {} texts of {bytes} bytes were written; {} survive",
        planted.len(),
        written.len(),
        told.len()
    );
    answers.iter().for_each(|((way, status), count)| println!("{way:?} {status} {count}"));
    assert!(arrived > bodies / 2, "{arrived} of {bodies}");
    assert!(told.is_empty(), "{} survive\n{}", told.len(), told.join("\n"));
}

/// The same ways in behind TLS, over HTTP/1.1 and HTTP/2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is_written_behind_tls_either() {
    let dir = tempfile::tempdir().expect("a directory");
    let upstream = FakeUpstream::ok().await;
    let served = Served::start(dir.path(), upstream.address, Port::Tls).await;
    let mut senders = Senders::new(&served);
    for _ in 0..TLS_TURNS {
        for way in Way::ALL {
            let status = senders.send(way).await;
            assert_eq!(way.is_refused(), status >= 400, "{way:?} was answered {status}");
        }
    }
    let Senders { planted, mut written, bodies, .. } = senders;
    let arrived = look(&served, &upstream, &mut written).await;
    end(served, &mut written).await;
    let told = survivors(&planted, &written);
    assert!(planted.len() > 1_000 && arrived > bodies / 2, "{arrived} of {bodies}");
    assert!(told.is_empty(), "{} survive\n{}", told.len(), told.join("\n"));
}

/// Adds all that arrived and all that the admin port says; how many requests arrived.
async fn look(served: &Served, upstream: &FakeUpstream, written: &mut Vec<Written>) -> usize {
    let all = upstream.seen();
    for way in Way::ALL.into_iter().filter(|way| way.arrives()) {
        let is_there = |seen: &Seen| seen.target.split('?').next() == Some(way.target());
        assert!(all.iter().any(is_there), "nothing of {way:?} arrived");
    }
    for seen in &all {
        assert!(seen.complete);
        let mut head = format!("{} {}\n", seen.method, seen.target).into_bytes();
        for (name, value) in &seen.headers {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        }
        let body = body::unpacked(seen.header("content-encoding"), &seen.body);
        let strings = body::strings(&seen.target, &body);
        for (part, bytes) in [("head", head), ("body", body), ("strings", strings)] {
            written.push(Written { place: format!("{part} of {}", seen.target), bytes, depth: BODY_DEPTH });
        }
    }
    for path in process::ADMIN_PATHS {
        let answer = served.ask(path).await;
        assert_eq!(answer.status, 200, "{path}");
        written.push(Written { place: format!("admin {path}"), bytes: answer.bytes, depth: BODY_DEPTH });
    }
    served.assert_sum().await;
    all.len()
}

/// Ends the process, and adds all that it said.
async fn end(served: Served, written: &mut Vec<Written>) {
    let log = served.terminate();
    assert!(log.contains("tamis::access"), "the log is at its most talkative");
    written.push(Written { place: "standard error".into(), bytes: log.into_bytes(), depth: OWN_DEPTH });
}

/// Those who send to one process, and what came of it.
struct Senders<'s> {
    served: &'s Served,
    random: Random,
    bodies: usize,
    planted: Vec<Plant>,
    written: Vec<Written>,
    answers: BTreeMap<(Way, u16), usize>,
}

impl<'s> Senders<'s> {
    fn new(served: &'s Served) -> Self {
        let random = Random::new(SEED);
        Self { served, random, bodies: 0, planted: Vec::new(), written: Vec::new(), answers: BTreeMap::new() }
    }

    /// Sends one body in some way; the status of the answer, which is kept among what was written.
    async fn send(&mut self, way: Way) -> u16 {
        let sent = Sent::new(way, &mut self.random, self.bodies);
        self.bodies += 1;
        let answer = self.served.send(&sent).await;
        *self.answers.entry((way, answer.status)).or_default() += 1;
        let place = format!("the answer to {way:?}");
        self.written.push(Written { place, bytes: answer.bytes, depth: OWN_DEPTH });
        self.planted.extend(sent.plants);
        answer.status
    }
}

/// Each value that can be read in something that was written.
fn survivors(planted: &[Plant], written: &[Written]) -> Vec<String> {
    let mut needles: Vec<&str> = Vec::new();
    let mut forms = Vec::new();
    for plant in planted {
        let cores = plant.cores.iter().filter(|core| core.len() >= NEEDLE_BYTES_MIN);
        let cores = cores.filter(|core| !OWN_SAMPLE.contains(&core.as_str()));
        for core in cores {
            needles.push(core);
            forms.push(plant.form);
        }
    }
    assert!(2 * needles.len() > planted.len());
    let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&needles).expect("it fits");
    let mut told = Vec::new();
    for text in written {
        for reading in readings(&text.bytes, text.depth) {
            // Overlapping, for one value may be a part of another.
            for found in search.find_overlapping_iter(&reading) {
                let at = found.pattern().as_usize();
                let near = &reading[found.start().saturating_sub(60)..(found.end() + 60).min(reading.len())];
                told.push(format!(
                    "{} {:?} in {}: {}",
                    forms[at],
                    needles[at],
                    text.place,
                    String::from_utf8_lossy(near)
                ));
                if told.len() > 40 {
                    return told;
                }
            }
        }
    }
    told
}

/// Eyes that would see it: everything is found in what was sent.
#[test]
fn what_was_sent_is_seen() {
    let mut random = Random::new(SEED);
    for way in Way::ALL {
        let sent = Sent::new(way, &mut random, 0);
        let (head, body) = sent.parts();
        let strings =
            body::strings(String::from_utf8_lossy(head).split(' ').nth(1).expect("a target"), &body);
        let written = [head.to_vec(), body, strings].map(|bytes| Written {
            place: "what was sent".into(),
            bytes,
            depth: BODY_DEPTH,
        });
        let readings: Vec<Vec<u8>> =
            written.iter().flat_map(|text| readings(&text.bytes, text.depth)).collect();
        for plant in sent.plants.iter().filter(|plant| plant.cores.iter().all(|core| core.len() >= 6)) {
            let found = readings
                .iter()
                .any(|reading| memchr::memmem::find(reading, plant.cores[0].as_bytes()).is_some());
            assert!(found, "{way:?}: {} {:?}", plant.form, plant.cores);
        }
    }
}
