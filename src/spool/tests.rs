//! The store against a model, on a file system that forgets and fails.

use super::clock::Clock;
use super::clock::fake::FakeClock;
use super::disk::Disk;
use super::disk::fake::{FakeDisk, Fault};
use super::request::sample;
use super::segment::RECORD_HEAD_BYTES;
use super::slot::Back;
use super::store::{Arrival, End, QueueId, Store};
use super::{Options, SpoolError, StoredRequest, Unclaimed};
use crate::ledger::{Ledger, Spooling, Totals};
use crate::metrics::Metrics;
use crate::outcome::{Outcome, Reason};
use crate::pipeline::Summary;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(super) const UPSTREAM: &str = "https://o1.ingest.example.com";

/// A store on a disk that outlives it.
pub(super) struct Rig {
    pub(super) disk: FakeDisk,
    pub(super) clock: FakeClock,
    pub(super) options: Options,
    pub(super) ledger: Ledger,
    pub(super) metrics: Metrics,
    pub(super) open: Option<(Store, QueueId)>,
}

impl Rig {
    pub(super) fn new(bytes_max: u64) -> Self {
        let options =
            Options { dir: PathBuf::from("/spool"), bytes_max, age_max: Duration::from_secs(86_400) };
        let (disk, ledger, metrics) = (FakeDisk::default(), Ledger::default(), Metrics::default());
        Self { disk, clock: FakeClock::default(), options, ledger, metrics, open: None }
    }

    /// Opens the store as a fresh process would, trying until the disk lets it.
    pub(super) fn start(&mut self) -> &mut (Store, QueueId) {
        self.open = None;
        for _ in 0..1_000 {
            self.forget();
            self.open = self.try_start();
            if self.open.is_some() {
                break;
            }
        }
        self.open.as_mut().expect("it opens once the disk is well")
    }

    /// What a process knew goes with it.
    pub(super) fn forget(&mut self) {
        self.ledger = Ledger::default();
        self.metrics = Metrics::default();
    }

    /// Whether a metric has this line.
    pub(super) fn says(&self, line: &str) -> bool {
        self.metrics.render().lines().any(|found| found == line)
    }

    pub(super) fn machine(&self) -> (Arc<dyn Disk>, Arc<dyn Clock>) {
        (Arc::new(self.disk.clone()), Arc::new(self.clock.clone()))
    }

    pub(super) fn try_start(&self) -> Option<(Store, QueueId)> {
        let opened =
            Store::open(self.machine(), self.options.clone(), self.ledger.clone(), self.metrics.clone());
        let mut store = opened.ok()?;
        let queue = store.queue(UPSTREAM).ok()?;
        Some((store, queue))
    }

    pub(super) fn store(&mut self) -> &mut (Store, QueueId) {
        self.open.as_mut().expect("started")
    }

    /// Appends as the proxy does, which has the items of a request in the spool until it is refused.
    pub(super) fn append(&mut self, ids: &[u32], body_bytes: usize) -> Vec<Result<(), SpoolError>> {
        let arrivals: Vec<Arrival> =
            ids.iter().map(|id| Arrival { request: numbered(*id, body_bytes) }).collect();
        let route = self.metrics.route("sentry", "sentry");
        let spooling: Vec<Spooling> = arrivals
            .iter()
            .map(|Arrival { request }| {
                let (clean, redacted) = (request.clean.into(), request.redacted.into());
                self.ledger.open(&route).spool(&Summary { clean, redacted, ..Summary::default() })
            })
            .collect();
        let (store, queue) = self.store();
        let results = store.append(*queue, &arrivals);
        for (spooling, result) in spooling.into_iter().zip(&results) {
            if result.is_err() {
                spooling.refuse(Reason::SpoolFailed);
            }
        }
        results
    }

    /// Takes the next record without ending it.
    pub(super) fn take(&mut self) -> Option<(u64, u32)> {
        let (store, queue) = self.store();
        store.take(*queue).map(|(number, request)| (number, id_of(&request)))
    }

    pub(super) fn end(&mut self, number: u64, end: End) {
        let (store, queue) = self.store();
        let request = numbered(0, 4);
        store.end(*queue, number, end, Some(&request));
    }

    /// Lets time go by until all that the disk did not give was tried again.
    pub(super) fn mend(&mut self) {
        (0..40).for_each(|_| self.store().0.tick());
    }

    /// Takes and delivers everything.
    pub(super) fn drain(&mut self) -> Vec<u32> {
        let mut seen = Vec::new();
        while let Some((number, id)) = self.take() {
            self.end(number, End::Sent);
            seen.push(id);
        }
        seen
    }

    /// Checks that each item is in one place, that those in the spool are in its queues, and that the metrics say the same.
    #[track_caller]
    pub(super) fn assert_sum(&self) -> Totals {
        let totals = self.ledger.totals();
        assert_eq!(totals.received, totals.outcomes() + totals.in_flight + totals.in_spool, "{totals:?}");
        let (store, _) = self.open.as_ref().expect("started");
        assert_eq!(totals.in_spool, store.items(), "{totals:?}");
        let ended: u64 = self.metrics.item_totals().iter().map(|line| line.count).sum();
        assert_eq!(ended, totals.outcomes(), "{totals:?}");
        totals
    }
}

/// A request that says which it is.
pub(super) fn numbered(id: u32, body_bytes: usize) -> StoredRequest {
    let mut body = id.to_le_bytes().to_vec();
    body.resize(body_bytes.max(4), b'x');
    sample(&body)
}

fn id_of(request: &StoredRequest) -> u32 {
    u32::from_le_bytes(request.body[..4].try_into().expect("numbered"))
}

#[test]
fn what_is_appended_comes_out_in_order_also_after_a_restart() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert_eq!(rig.append(&[1, 2, 3], 10), [Ok(()); 3]);
    rig.start();
    assert_eq!(rig.ledger.totals().in_spool, 9, "three items each");
    assert_eq!(rig.append(&[4], 10), [Ok(())]);
    assert_eq!(rig.drain(), [1, 2, 3, 4]);
    rig.store().0.tick();
    assert!(rig.disk.files().keys().all(|path| path.extension().is_none()), "files of which all was sent go");
    rig.start();
    assert_eq!(rig.drain(), [] as [u32; 0]);
}

/// One that does not get through must not have all that were sent behind it sent again.
#[test]
fn a_kill_sends_again_only_what_was_on_its_way() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert!(rig.append(&(1..=40).collect::<Vec<_>>(), 10).iter().all(Result::is_ok));
    let stuck = rig.take().expect("the first");
    let on_its_way = rig.take().expect("the second");
    assert_eq!((stuck.1, on_its_way.1), (1, 2));
    for _ in 0..30 {
        let (number, _) = rig.take().expect("more wait");
        rig.end(number, End::Sent);
    }
    rig.start();
    assert_eq!(rig.assert_sum().in_spool, 3 * 10);
    assert_eq!(rig.append(&[41], 10), [Ok(())]);
    assert_eq!(rig.drain(), [1, 2].into_iter().chain(33..=41).collect::<Vec<_>>());
    rig.store().0.tick();
    assert!(rig.disk.files().keys().all(|path| path.extension().is_none()), "files of which all was sent go");
    rig.start();
    assert_eq!(rig.drain(), [] as [u32; 0]);
}

/// The power goes after a note is on disk and before the cursor is: its number must not be given out again.
#[test]
fn a_number_that_ended_is_never_given_to_another_record() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert_eq!(rig.append(&[1, 2, 3], 10), [Ok(()); 3]);
    let notes =
        |rig: &Rig| rig.disk.files().into_iter().find(|(path, _)| path.ends_with("sent")).expect("there");
    let (first, _) = rig.take().expect("1");
    for _ in 0..2 {
        let (number, _) = rig.take().expect("more");
        rig.end(number, End::Sent);
    }
    // Notes of 2 and 3 alone.
    let (path, bytes) = notes(&rig);
    rig.end(first, End::Sent);
    rig.store().0.tick();
    rig.store().0.close();
    rig.disk.put(&path, bytes);
    rig.start();
    assert_eq!(rig.append(&[4, 5, 6], 10), [Ok(()); 3]);
    rig.start();
    assert_eq!(rig.drain(), [4, 5, 6]);
}

/// The address of an upstream was changed while something waited for it.
#[test]
fn what_nobody_sends_any_more_is_told() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert_eq!(rig.append(&[1, 2], 10), [Ok(()); 2]);
    assert!(rig.metrics.render().contains("tamis_spool_unclaimed_items 0"));
    assert_eq!(rig.store().0.unclaimed(), []);
    rig.ledger = Ledger::default();
    rig.metrics = Metrics::default();
    let opened = Store::open(rig.machine(), rig.options.clone(), rig.ledger.clone(), rig.metrics.clone());
    let mut store = opened.expect("it opens");
    let other = store.queue("https://o2.ingest.example.com").expect("it begins");
    assert_eq!(store.waiting(other), 0);
    assert_eq!(store.unclaimed(), [Unclaimed { upstream: UPSTREAM.to_owned(), records: 2 }]);
    let rendered = rig.metrics.render();
    assert!(rendered.contains("tamis_spool_unclaimed_items 6\n"), "three items each");
    assert!(rendered.contains("tamis_spool_items 6\n"));
}

/// Found by a random walk: files that were removed came back with the power, beside what had taken their room.
#[test]
fn a_removed_file_stays_away_when_the_power_goes() {
    let fill = |rig: &mut Rig, bytes| while rig.append(&[7], bytes) == [Ok(())] {};
    let mut rig = Rig::new(64 << 10);
    rig.start();
    assert_eq!(rig.append(&[1], 1_000), [Ok(())]);
    // A start begins a file: the first has room for nothing more, and what takes its room goes into the last.
    rig.start();
    fill(&mut rig, 1_000);
    fill(&mut rig, 4);
    let (number, _) = rig.take().expect("it waits");
    rig.end(number, End::Sent);
    fill(&mut rig, 4);
    rig.disk.cut_power(0);
    rig.start();
    assert!(rig.store().0.bytes() <= 64 << 10, "{} bytes", rig.store().0.bytes());
}

/// Each directory that was made for the spool, down to the queue's own.
#[test]
fn a_fresh_directory_stays_when_the_power_goes() {
    let mut rig = Rig::new(1 << 20);
    rig.options.dir = PathBuf::from("/var/lib/tamis/spool");
    rig.start();
    assert_eq!(rig.append(&[1], 10), [Ok(())]);
    rig.disk.cut_power(0);
    assert_eq!(rig.disk.files().len(), 4, "a segment, `sent` of the queue and of dead letters, and `clock`");
    rig.start();
    assert_eq!(rig.drain(), [1]);
}

/// One that was made by a process that was killed before it could make sure of it.
#[test]
fn a_directory_that_was_found_stays_when_the_power_goes() {
    let mut rig = Rig::new(1 << 20);
    for dir in ["/spool", "/spool/dead"] {
        rig.disk.make_dir(Path::new(dir)).expect("well");
    }
    rig.start();
    assert_eq!(rig.append(&[1], 10), [Ok(())]);
    rig.disk.cut_power(0);
    rig.start();
    assert_eq!(rig.drain(), [1]);
}

#[derive(Debug, Clone)]
enum Step {
    Append { count: usize, body_bytes: usize },
    Take,
    Deliver,
    PutBack,
    Kill,
    CutPower { kept: usize },
    Close,
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..6, 4_usize..3_000).prop_map(|(count, body_bytes)| Step::Append { count, body_bytes }),
        3 => Just(Step::Take),
        4 => Just(Step::Deliver),
        1 => Just(Step::PutBack),
        1 => Just(Step::Kill),
        1 => (0_usize..200).prop_map(|kept| Step::CutPower { kept }),
        1 => Just(Step::Close),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Against a plain list: nothing acknowledged is lost, order holds, and only what was under way comes twice; after
    /// a power cut also what had ended.
    #[test]
    fn the_store_behaves_as_a_list(steps in proptest::collection::vec(step(), 1..60)) {
        // Small files, so that they begin and go often.
        let mut rig = Rig::new(64 << 10);
        rig.start();
        let mut next = 1;
        let mut model: Vec<u32> = Vec::new();
        let mut taken: Vec<(u64, u32)> = Vec::new();
        // What was delivered; of that, what may come again because the power went: nobody waits for the note to be synced.
        let (mut noted, mut delivered) = (BTreeSet::<u32>::new(), BTreeSet::<u32>::new());
        for step in steps {
            match step {
                Step::Append { count, body_bytes } => {
                    let ids: Vec<u32> = (next..).take(count).collect();
                    next += u32::try_from(count).expect("small");
                    for (id, result) in ids.iter().zip(rig.append(&ids, body_bytes)) {
                        match result {
                            Ok(()) => model.push(*id),
                            Err(error) => prop_assert_eq!(error, SpoolError::Full),
                        }
                    }
                    prop_assert!(rig.store().0.bytes() <= 64 << 10);
                }
                Step::Take => if let Some((number, id)) = rig.take() {
                    let known: BTreeSet<u32> = taken.iter().map(|(_, id)| *id).collect();
                    let waiting = model.iter().find(|id| !known.contains(id));
                    if waiting != Some(&id) {
                        prop_assert!(delivered.contains(&id), "{id} out of turn, {waiting:?} waits");
                    }
                    taken.push((number, id));
                },
                Step::Deliver => if let Some((number, id)) = taken.pop() {
                    rig.end(number, End::Sent);
                    model.retain(|known| *known != id);
                    delivered.remove(&id);
                    noted.insert(id);
                },
                Step::PutBack => if let Some((number, _)) = taken.pop() {
                    let (store, queue) = rig.store();
                    prop_assert!(!store.put_back(*queue, number, Back::Unsent));
                },
                Step::Kill => {
                    taken.clear();
                    rig.start();
                }
                Step::CutPower { kept } => {
                    taken.clear();
                    delivered.append(&mut noted);
                    rig.disk.cut_power(kept);
                    rig.start();
                }
                Step::Close => {
                    taken.clear();
                    rig.store().0.close();
                    rig.start();
                }
                Step::Tick => rig.store().0.tick(),
            }
            rig.assert_sum();
        }
        rig.store().0.close();
        rig.start();
        let seen: Vec<u32> = rig.drain().into_iter().filter(|id| !delivered.contains(id)).collect();
        prop_assert_eq!(seen, model);
    }
}

/// Every call to the file system, one after the other, fails once, then for a while; with a full disk and a broken one;
/// with and without the power going afterwards. What was acknowledged is there at the end.
#[test]
fn no_failing_call_loses_what_was_acknowledged() {
    let mut appended = 0;
    for fault in [Fault::Full, Fault::Io] {
        for (first, count, power) in (1..=120)
            .flat_map(|first| [(first, 1, false), (first, 1, true), (first, 7, true), (first, 40, false)])
        {
            let mut rig = Rig::new(256 << 10);
            rig.disk.fail(first, count, fault);
            rig.start();
            let (mut acknowledged, mut delivered) = (Vec::new(), BTreeSet::new());
            for round in 0..40_u32 {
                let ids: Vec<u32> = (round * 3..round * 3 + 3).collect();
                let results = rig.append(&ids, 1_500);
                acknowledged
                    .extend(ids.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(id, _)| *id));
                if round % 3 == 1
                    && let Some((number, id)) = rig.take()
                {
                    rig.end(number, End::Sent);
                    delivered.insert(id);
                }
                if round % 4 == 3 {
                    rig.store().0.tick();
                }
                if round == 20 {
                    if power {
                        rig.disk.cut_power(usize::try_from(first % 50).expect("small"));
                    }
                    rig.start();
                }
                rig.assert_sum();
            }
            assert!(rig.disk.calls() > first, "the call was made");
            rig.disk.heal();
            rig.mend();
            assert_eq!(rig.append(&[1_000], 10), [Ok(())], "it takes again once the disk is well");
            assert!(!rig.store().0.is_failing());
            if power {
                rig.disk.cut_power(0);
            }
            rig.start();
            let seen: BTreeSet<u32> = rig.drain().into_iter().chain(delivered).collect();
            assert_eq!(rig.assert_sum().in_spool, 0);
            appended += acknowledged.len();
            for id in acknowledged {
                assert!(
                    seen.contains(&id),
                    "{fault:?} at call {first} x {count}, power {power}: {id} is lost"
                );
            }
        }
    }
    assert!(appended > 60_000, "most is acknowledged: {appended}");
}

#[test]
fn a_failed_sync_ends_the_use_of_its_file() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert_eq!(rig.append(&[1], 10), [Ok(())]);
    let before = rig.disk.files();
    // One write, then the sync.
    rig.disk.fail(rig.disk.calls() + 2, 1, Fault::Io);
    assert_eq!(rig.append(&[2], 10), [Ok(())], "a new file takes it");
    let after = rig.disk.files();
    assert_eq!(after.len(), before.len() + 1);
    for (path, bytes) in &before {
        assert_eq!(&after[path], bytes, "nothing more is written to the old one");
    }
    assert!(rig.metrics.render().contains("tamis_spool_io_errors_total 1"));
    rig.disk.cut_power(0);
    rig.start();
    assert_eq!(rig.drain(), [1, 2]);
}

#[test]
fn a_disk_that_fails_is_told_of_and_used_again_when_it_is_well() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    rig.disk.fail(rig.disk.calls() + 1, u64::MAX / 2, Fault::Full);
    assert_eq!(rig.append(&[1], 10), [Err(SpoolError::Io)]);
    assert!(rig.store().0.is_failing());
    rig.disk.heal();
    assert_eq!(rig.append(&[2], 10), [Ok(())]);
    assert!(!rig.store().0.is_failing());
    assert_eq!(rig.drain(), [2]);
}

/// A flipped bit in each byte of each file: no damaged record is sent, and no other is lost.
#[test]
fn a_flipped_bit_costs_one_record_at_most() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    for id in 1..=4 {
        assert_eq!(rig.append(&[id], 20), [Ok(())]);
    }
    let files = rig.disk.files();
    let segment = files.iter().find(|(path, _)| path.extension().is_some()).expect("a segment");
    for (path, at) in files.iter().flat_map(|(path, bytes)| (0..bytes.len()).map(move |at| (path, at))) {
        let mut damaged = Rig::new(1 << 30);
        files.iter().for_each(|(path, bytes)| damaged.disk.put(path, bytes.clone()));
        let mut bytes = files[path].clone();
        bytes[at] ^= 1 << (at % 8);
        damaged.disk.put(path, bytes);
        damaged.start();
        let seen = damaged.drain();
        assert!(
            seen.len() >= if path == segment.0 { 3 } else { 4 },
            "{} byte {at}: {seen:?}",
            path.display()
        );
        assert!(seen.is_sorted() && seen.iter().all(|id| (1..=4).contains(id)), "{seen:?}");
        let totals = damaged.assert_sum();
        // Of the last one of a file that was not closed nobody knows whether it was acknowledged.
        let is_seen = totals.of(Outcome::Dropped) == u64::from(seen.len() < 4);
        assert!(is_seen || seen == [1, 2, 3], "{} byte {at}: {totals:?}", path.display());
    }
}

/// Damage to what has ended, or to the head of a file, takes nothing along, and is no loss to be counted.
#[test]
fn only_what_waited_is_lost_by_damage() {
    for (ended, want) in [(0, 1), (1, 1), (2, 0)] {
        let mut rig = Rig::new(1 << 30);
        rig.start();
        assert_eq!(rig.append(&[1, 2, 3], 20), [Ok(()); 3]);
        for _ in 0..ended {
            let (number, _) = rig.take().expect("it waits");
            rig.end(number, End::Sent);
        }
        rig.store().0.close();
        let (path, mut bytes) =
            rig.disk.files().into_iter().find(|(path, _)| path.extension().is_some()).expect("a segment");
        // The head of the file, and the second record.
        bytes[12] ^= 1;
        let record = RECORD_HEAD_BYTES + numbered(1, 20).encode().expect("short").len();
        let at = bytes.len() - RECORD_HEAD_BYTES - 2 * record + RECORD_HEAD_BYTES;
        bytes[at] ^= 1;
        rig.disk.put(&path, bytes);
        rig.start();
        let totals = rig.assert_sum();
        assert_eq!(totals.of(Outcome::Dropped), want, "{ended} ended");
        let line = format!("tamis_spool_discarded_items_total{{reason=\"spool_damaged\"}} {want}\n");
        assert!(rig.metrics.render().contains(&line), "{ended} ended");
        assert_eq!(rig.drain().last(), Some(&3));
        rig.assert_sum();
    }
}

/// A record that is damaged while the process runs is found when its turn comes.
#[test]
fn damage_is_seen_when_a_record_is_read() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert_eq!(rig.append(&[1, 2], 20), [Ok(()); 2]);
    let (path, mut bytes) =
        rig.disk.files().into_iter().find(|(path, _)| path.extension().is_some()).expect("a segment");
    let at = bytes.len() - 30;
    bytes[at] ^= 0x10;
    rig.disk.put(&path, bytes);
    assert_eq!(rig.drain(), [1]);
    let text = rig.metrics.render();
    assert!(text.contains("tamis_spool_discarded_items_total{reason=\"spool_damaged\"} 3"), "{text}");
    assert_eq!(rig.ledger.totals().of(Outcome::Dropped), 3);
}

/// A disk that cannot be read for a while loses nothing, and the records that can be read go on.
#[test]
fn what_cannot_be_read_waits() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert_eq!(rig.append(&[1, 2, 3], 20), [Ok(()); 3]);
    rig.disk.fail(rig.disk.calls() + 1, 100, Fault::Io);
    assert_eq!(rig.take(), None);
    rig.disk.heal();
    assert_eq!(rig.take(), None, "the disk is given a pause");
    rig.store().0.tick();
    rig.disk.fail(rig.disk.calls() + 1, 1, Fault::Io);
    let (number, id) = rig.take().expect("others can be read");
    assert_eq!(id, 2);
    rig.end(number, End::Sent);
    rig.store().0.tick();
    assert_eq!(rig.drain(), [1, 3]);
}

#[test]
fn a_torn_tail_is_dropped_at_every_byte_and_written_behind() {
    let mut rig = Rig::new(1 << 30);
    rig.start();
    assert_eq!(rig.append(&[1, 2, 3], 20), [Ok(()); 3]);
    let files = rig.disk.files();
    let (path, bytes) = files.iter().find(|(path, _)| path.extension().is_some()).expect("a segment");
    let last = RECORD_HEAD_BYTES + numbered(3, 20).encode().expect("short").len();
    for cut in bytes.len() - last..=bytes.len() {
        let mut torn = Rig::new(1 << 30);
        files.iter().for_each(|(path, bytes)| torn.disk.put(path, bytes.clone()));
        torn.disk.put(path, bytes[..cut].to_vec());
        torn.start();
        assert_eq!(torn.append(&[4], 20), [Ok(())]);
        let want: &[u32] = if cut == bytes.len() { &[1, 2, 3, 4] } else { &[1, 2, 4] };
        assert_eq!(torn.drain(), want, "cut at {cut}");
        assert_eq!(
            torn.metrics.render().matches("spool_damaged\"} 0").count(),
            1,
            "a torn tail is no damage"
        );
    }
}

#[test]
fn it_holds_at_its_bound_and_takes_again_when_there_is_room() {
    let record = RECORD_HEAD_BYTES + numbered(1, 20_000).encode().expect("short").len();
    let mut rig = Rig::new(1 << 20);
    rig.start();
    let mut taken = 0;
    while rig.append(&[taken], 20_000) == [Ok(())] {
        taken += 1;
        assert!(rig.store().0.bytes() <= 1 << 20);
    }
    assert!((1 << 20) - (rig.store().0.bytes()) < 2 * record as u64);
    assert_eq!(rig.append(&[taken], 20_000), [Err(SpoolError::Full)]);
    assert_eq!(rig.append(&[taken], 4), [Ok(())], "what still fits is taken");
    assert_eq!(rig.append(&[taken], 70 << 20), [Err(SpoolError::TooLarge)]);
    // A file goes as a whole: an eighth of the bound has to be sent first.
    for _ in 0..10 {
        let (number, _) = rig.take().expect("full");
        rig.end(number, End::Sent);
    }
    assert_eq!(rig.append(&[taken], 20_000), [Ok(())]);
}

#[test]
fn what_is_too_old_expires_and_is_counted() {
    let mut rig = Rig::new(1 << 20);
    rig.options.age_max = Duration::from_millis(40);
    rig.start();
    assert_eq!(rig.append(&[1, 2], 10), [Ok(()); 2]);
    rig.store().0.tick();
    let (number, _) = rig.take().expect("young");
    rig.clock.pass(Duration::from_millis(60));
    rig.store().0.tick();
    rig.end(number, End::Sent);
    assert_eq!(rig.take(), None, "the second expired, the first was on its way");
    let text = rig.metrics.render();
    assert!(text.contains("tamis_spool_discarded_items_total{reason=\"too_old\"} 3"), "{text}");
    assert!(text.contains("tamis_spool_sent_items_total 3"), "{text}");
    assert_eq!(rig.ledger.totals().of(Outcome::Expired), 3);
    rig.store().0.tick();
    rig.start();
    assert_eq!(rig.take(), None);
}

#[test]
fn what_is_refused_while_others_get_through_is_given_up() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    let ids: Vec<u32> = (1..=20).collect();
    assert!(rig.append(&ids, 10).iter().all(Result::is_ok));
    let (mut order, mut given_up) = (Vec::new(), Vec::new());
    while let Some((number, id)) = rig.take() {
        let (store, queue) = rig.store();
        if id != 1 {
            order.push(id);
            rig.end(number, End::Sent);
        } else if store.put_back(*queue, number, Back::Refused) {
            given_up.push(id);
            rig.end(number, End::Dead(0));
        }
    }
    assert_eq!(given_up, [1]);
    assert_eq!(order, (2..=20).collect::<Vec<_>>());
}

/// A project over its quota holds nobody else up, and is not to blame.
#[test]
fn a_record_whose_sender_is_over_a_limit_lets_others_go() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    assert!(rig.append(&[1, 2, 3], 10).iter().all(Result::is_ok));
    let (number, id) = rig.take().expect("it waits");
    assert_eq!(id, 1);
    let (store, queue) = rig.store();
    assert!(!store.put_back(*queue, number, Back::Deferred(Duration::from_millis(4_100))));
    for want in [2, 3] {
        let (number, id) = rig.take().expect("others go");
        assert_eq!(id, want);
        rig.end(number, End::Sent);
    }
    assert_eq!(rig.take(), None);
    for _ in 0..5 {
        assert_eq!(rig.take(), None);
        rig.store().0.tick();
    }
    assert_eq!(rig.take().map(|(_, id)| id), Some(1), "it waits again");
}

/// Nothing is appended where the upstream is there, so nothing but this tells that the disk is well again.
#[test]
fn a_disk_that_is_well_again_is_found_out_without_a_request() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    rig.disk.fail(rig.disk.calls() + 1, 1_000, Fault::Full);
    assert!(rig.append(&[1], 10)[0].is_err());
    rig.store().0.tick();
    assert!(rig.store().0.is_failing());
    rig.disk.heal();
    rig.store().0.tick();
    assert!(!rig.store().0.is_failing());
}

#[test]
fn an_outage_that_refuses_everything_gives_nothing_up() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    assert!(rig.append(&(1..=20).collect::<Vec<_>>(), 10).iter().all(Result::is_ok));
    for _ in 0..500 {
        let (number, _) = rig.take().expect("all wait");
        let (store, queue) = rig.store();
        assert!(!store.put_back(*queue, number, Back::Refused));
    }
    let mut seen = rig.drain();
    seen.sort_unstable();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());
}

#[test]
fn dead_letters_are_kept_within_their_share() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    for id in 1..=300 {
        assert_eq!(rig.append(&[id], 500), [Ok(())]);
        let (number, _) = rig.take().expect("one waits");
        let (store, queue) = rig.store();
        store.end(*queue, number, End::Dead(400), Some(&numbered(id, 500)));
        assert!(store.bytes() <= 1 << 20);
    }
    let dead: Vec<usize> = rig
        .disk
        .files()
        .iter()
        .filter(|(path, _)| path.starts_with("/spool/dead"))
        .map(|(_, bytes)| bytes.len())
        .collect();
    let bytes: usize = dead.iter().sum();
    assert!((20_000..=1 << 16).contains(&bytes), "{bytes}");
    assert_eq!(rig.ledger.totals().of(Outcome::Dropped), 900);
    rig.start();
    assert_eq!(rig.take(), None, "they are not sent again");
}

#[test]
fn queues_of_two_upstreams_do_not_mix_and_orphans_stay() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    let other = rig.store().0.queue("https://eu.example.org/base").expect("opens");
    assert_eq!(rig.append(&[1], 10), [Ok(())]);
    let arrivals = [Arrival { request: numbered(2, 10) }];
    assert_eq!(rig.store().0.append(other, &arrivals), [Ok(())]);
    assert_eq!(rig.drain(), [1]);
    rig.start();
    assert_eq!(rig.drain(), [] as [u32; 0]);
    assert_eq!(rig.ledger.totals().in_spool, 3, "the other one waits, though nobody asks for it");
    let other = rig.store().0.queue("https://eu.example.org/base").expect("opens");
    let taken = rig.store().0.take(other);
    assert_eq!(taken.map(|(_, request)| id_of(&request)), Some(2));
}
