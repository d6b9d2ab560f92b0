//! Starts on a disk that does not give all that is on it.

use crate::metrics::Metrics;
use crate::outcome::Outcome;
use crate::spool::SpoolError;
use crate::spool::disk::Disk as _;
use crate::spool::disk::fake::Fault;
use crate::spool::inspect;
use crate::spool::segment::{write_head, write_record};
use crate::spool::store::{End, Store, dir_name};
use crate::spool::tests::{Rig, UPSTREAM, numbered};
use std::path::PathBuf;
use std::time::Duration;

/// The calls of a start on a spool with something in it, and what each one stands in the way of.
#[test]
fn a_start_fails_only_where_there_is_no_spool_to_speak_of() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    assert_eq!(rig.append(&[1, 2], 10), [Ok(()); 2]);
    rig.store().0.close();
    let before = rig.disk.calls();
    rig.start();
    let calls = rig.disk.calls() - before;
    assert!(calls > 15, "{calls}");
    let mut refused = Vec::new();
    for first in 1..=calls {
        for fault in [Fault::Full, Fault::Io] {
            rig.disk.fail(rig.disk.calls() + first, 1, fault);
            rig.forget();
            let Some(opened) = rig.try_start() else {
                refused.push(first);
                continue;
            };
            rig.disk.heal();
            rig.open = Some(opened);
            rig.assert_sum();
            rig.mend();
            assert!(!rig.store().0.is_failing(), "call {first}");
            assert_eq!(rig.assert_sum().in_spool, 6, "call {first}, {fault:?}: all is there, once");
            assert!(rig.says("tamis_spool_unread_files 0"));
            rig.store().0.close();
        }
    }
    // To make sure of the directory, to make it if it is gone, and to list it.
    assert_eq!(refused, [1, 1, 2, 2, 3, 3]);
    rig.start();
    assert_eq!(rig.drain(), [1, 2]);
}

/// One file of three that the disk does not give: what is in the others goes, and it follows in its place.
#[test]
fn a_segment_that_cannot_be_read_waits_for_itself() {
    let mut rig = Rig::new(1 << 20);
    for id in [1, 2, 3] {
        rig.start();
        assert_eq!(rig.append(&[id, id + 10], 10), [Ok(()); 2]);
        rig.store().0.close();
    }
    let segments: Vec<PathBuf> =
        rig.disk.files().into_keys().filter(|path| path.extension().is_some()).collect();
    assert_eq!(segments.len(), 3);
    for (at, others) in [[2, 12, 3, 13], [1, 11, 3, 13], [1, 11, 2, 12]].into_iter().enumerate() {
        let files = rig.disk.files();
        let mut rig = Rig::new(1 << 20);
        files.iter().for_each(|(path, bytes)| rig.disk.put(path, bytes.clone()));
        rig.disk.break_file(&segments[at], true);
        rig.start();
        assert_eq!(rig.assert_sum().received, 12, "three items in each of four");
        assert!(!rig.store().0.is_failing(), "it takes what comes");
        assert!(rig.says("tamis_spool_unread_files 1"), "file {at}");
        assert_eq!(rig.append(&[4], 10), [Ok(())]);
        let (number, id) = rig.take().expect("it waits");
        rig.end(number, End::Sent);
        assert_eq!(id, others[0]);
        // All this is known to the next process too, which does not get it either.
        rig.start();
        assert_eq!(rig.drain(), [&others[1..], &[4]].concat(), "file {at}");
        rig.store().0.tick();
        assert_eq!(rig.append(&[5], 10), [Ok(())]);
        rig.start();
        rig.disk.break_file(&segments[at], false);
        rig.mend();
        let id = u32::try_from(at).expect("small") + 1;
        assert!(rig.says("tamis_spool_unread_files 0"));
        assert_eq!(rig.drain(), [id, id + 10, 5], "in its place, and nothing again");
        assert_eq!(rig.assert_sum().in_spool, 0);
        rig.store().0.tick();
        assert!(
            rig.disk.files().keys().all(|path| path.extension().is_none()),
            "files of which all was sent go"
        );
        rig.start();
        assert_eq!(rig.drain(), [] as [u32; 0]);
    }
}

#[test]
fn what_was_never_read_goes_when_all_in_it_is_too_old() {
    let mut rig = Rig::new(1 << 20);
    rig.options.age_max = Duration::from_millis(300);
    rig.start();
    assert_eq!(rig.append(&[1, 2], 10), [Ok(()); 2]);
    let segment = rig.disk.files().into_keys().find(|path| path.extension().is_some()).expect("a segment");
    rig.disk.break_file(&segment, true);
    rig.start();
    rig.store().0.tick();
    assert!(rig.disk.files().contains_key(&segment));
    assert!(rig.store().0.bytes() >= (1 << 20) / 8, "it takes up the room of a whole one");
    rig.clock.pass(Duration::from_millis(320));
    rig.store().0.tick();
    assert!(!rig.disk.files().contains_key(&segment));
    assert_eq!(rig.assert_sum().of(Outcome::Expired), 1, "nobody knows how many items it had");
    assert!(rig.says("tamis_spool_discarded_items_total{reason=\"too_old\"} 1"));
    assert!(rig.says("tamis_spool_unread_files 0"));
    assert_eq!(rig.store().0.bytes(), 0);
}

/// Somebody threw the file away that could not be read: nothing waits for it any more.
#[test]
fn what_was_set_aside_and_is_gone_is_not_awaited() {
    let mut rig = Rig::new(1 << 20);
    for id in [1, 2] {
        rig.start();
        assert_eq!(rig.append(&[id], 10), [Ok(())]);
    }
    let segment = rig.disk.files().into_keys().find(|path| path.extension().is_some()).expect("a segment");
    rig.disk.break_file(&segment, true);
    rig.start();
    assert!(rig.says("tamis_spool_unread_files 1"));
    rig.disk.remove(&segment).expect("there");
    rig.disk.break_file(&segment, false);
    rig.mend();
    assert!(rig.says("tamis_spool_unread_files 0"));
    assert_eq!(rig.drain(), [2]);
    rig.store().0.tick();
    assert_eq!((rig.assert_sum().received, rig.store().0.bytes()), (3, 0));
}

/// Without `sent` it is not known which numbers were given out, so nothing is taken: a number that ended would be given again.
#[test]
fn a_queue_that_cannot_be_opened_takes_nothing_until_it_can() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    assert_eq!(rig.append(&[1, 2], 10), [Ok(()); 2]);
    assert_eq!(rig.drain(), [1, 2]);
    rig.store().0.tick();
    let is_sent = |path: &PathBuf| path.ends_with("sent") && !path.starts_with("/spool/dead");
    let sent = rig.disk.files().into_keys().find(is_sent).expect("there");
    rig.disk.break_file(&sent, true);
    rig.start();
    assert!(rig.store().0.is_failing(), "`/ready` says so from the first moment on");
    assert_eq!(rig.append(&[3], 10), [Err(SpoolError::Io)]);
    assert_eq!(rig.take(), None);
    rig.mend();
    assert!(rig.store().0.is_failing(), "a disk that takes other files does not make it well");
    assert_eq!(rig.assert_sum().of(Outcome::Rejected), 3);
    rig.disk.break_file(&sent, false);
    rig.mend();
    assert!(!rig.store().0.is_failing());
    assert_eq!(rig.append(&[4], 10), [Ok(())]);
    rig.start();
    assert_eq!(rig.drain(), [4]);
}

#[test]
fn a_full_disk_at_the_start_takes_what_comes_when_there_is_room() {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    drop(rig.open.take());
    rig.forget();
    let store = Store::open(rig.machine(), rig.options.clone(), rig.ledger.clone(), Metrics::default());
    let mut store = store.expect("it opens");
    // The directory of a fresh queue cannot be made.
    rig.disk.fail(rig.disk.calls() + 1, u64::MAX / 2, Fault::Full);
    let queue = store.queue("https://o9.ingest.example.com").expect("no reason to stop");
    assert!(store.is_failing());
    rig.disk.heal();
    store.tick();
    assert!(!store.is_failing());
    assert_eq!(store.waiting(queue), 0);
}

/// A later version's file is refused and left as it is, also where another one cannot be read, and where it was unreadable at the start.
#[test]
fn what_a_later_version_wrote_stays() {
    let mut rig = Rig::new(1 << 20);
    rig.options.age_max = Duration::from_secs(60);
    for id in [1, 2] {
        rig.start();
        assert_eq!(rig.append(&[id], 10), [Ok(())]);
    }
    let files = rig.disk.files();
    let segments: Vec<&PathBuf> = files.keys().filter(|path| path.extension().is_some()).collect();
    let mut later = files[segments[1]].clone();
    later[8] += 1;
    let head = 8 + 1 + 2 + usize::from(u16::from_le_bytes([later[9], later[10]]));
    let crc = crc32c::crc32c(&later[..head]).to_le_bytes();
    later[head..head + 4].copy_from_slice(&crc);
    rig.disk.put(segments[1], later.clone());
    rig.disk.break_file(segments[0], true);
    rig.forget();
    rig.open = None;
    assert!(rig.try_start().is_none(), "it does not start");
    rig.disk.break_file(segments[0], false);
    rig.disk.break_file(segments[1], true);
    rig.start();
    assert_eq!(rig.drain(), [1]);
    rig.disk.break_file(segments[1], false);
    rig.mend();
    rig.clock.pass(Duration::from_secs(120));
    rig.mend();
    assert_eq!(rig.disk.files()[segments[1]], later);
    assert!(rig.says("tamis_spool_unread_files 1"));
}

/// A file that somebody brings from elsewhere has numbers of its own. Who opened the spool took what goes back from file to file, and
/// who inspected it did not tell of it.
#[test]
fn each_number_is_found_once_by_who_opens_and_by_who_inspects() {
    let mut rig = Rig::new(1 << 20);
    let dir = rig.options.dir.join(dir_name(UPSTREAM));
    for (file, numbers) in [(1, [5, 9]), (2, [3, 9]), (3, [4, 2])] {
        let mut bytes = write_head(UPSTREAM);
        for number in numbers {
            let payload = numbered(number, 10).encode().expect("short");
            write_record(&mut bytes, file, number.into(), 1_760_000_000_000, &payload);
        }
        rig.disk.put(&dir.join(format!("{file:016x}-{file:016x}.seg")), bytes);
    }
    let report = inspect::queue(&rig.disk, dir, 0, &mut |_| Ok(())).expect("it is read");
    assert_eq!((report.records, report.items, report.damaged), (5, 15, 0));
    rig.start();
    assert_eq!(rig.assert_sum().in_spool, report.items);
    assert_eq!(rig.drain(), [2, 3, 4, 5, 9]);
}
