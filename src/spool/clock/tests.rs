//! Clocks that are set, machines that are off, and what becomes of the ages of records.

use super::fake::FakeClock;
use super::{Clock as _, MARK_BYTES, Mark, Reading};
use crate::outcome::Outcome;
use crate::spool::disk::fake::Fault;
use crate::spool::tests::Rig;
use std::path::Path;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;

/// A rig whose records expire after a day, with one record in it that came an hour ago.
fn rig() -> Rig {
    let mut rig = Rig::new(1 << 20);
    rig.start();
    assert_eq!(rig.append(&[1], 10), [Ok(())]);
    rig.clock.pass(HOUR);
    tick(&mut rig);
    rig
}

/// Lets the store see what time it is.
fn tick(rig: &mut Rig) {
    (0..12).for_each(|_| rig.store().0.tick());
}

fn restart(rig: &mut Rig) {
    rig.store().0.close();
    rig.start();
}

/// Checks that the record expires when it has been there for `left` from now on, and no minute before.
#[track_caller]
fn assert_left(rig: &mut Rig, left: Duration, case: &str) {
    rig.clock.pass(left.saturating_sub(MINUTE));
    tick(rig);
    assert_eq!(rig.assert_sum().of(Outcome::Expired), 0, "{case}: too early");
    rig.clock.pass(2 * MINUTE);
    tick(rig);
    assert_eq!(rig.assert_sum().of(Outcome::Expired), 3, "{case}: too late");
}

#[track_caller]
fn assert_jumps(rig: &Rig, jumps: u64, case: &str) {
    assert!(rig.says(&format!("tamis_spool_clock_jumps_total {jumps}")), "{case}");
}

const JUMPS: [(&str, i64); 7] = [
    ("none", 0),
    ("a day on", DAY_MS),
    ("ten years on", 10 * YEAR_MS),
    ("an hour back", -3_600_000),
    ("a day back", -DAY_MS),
    ("ten years back", -10 * YEAR_MS),
    ("to 1970", i64::MIN),
];

/// The age of a record goes on over a restart whatever the wall says meanwhile.
#[test]
fn a_clock_that_is_set_between_two_processes_moves_no_age() {
    for (case, ms) in JUMPS {
        let mut rig = rig();
        rig.store().0.close();
        rig.clock.jump(ms);
        rig.clock.pass(HOUR);
        rig.start();
        assert_jumps(&rig, u64::from(ms != 0), case);
        restart(&mut rig);
        assert_jumps(&rig, 0, "it is told once");
        assert_left(&mut rig, 22 * HOUR, case);
    }
}

#[test]
fn a_clock_that_is_set_while_the_process_runs_moves_no_age() {
    for (case, ms) in JUMPS {
        let mut rig = rig();
        rig.clock.jump(ms);
        tick(&mut rig);
        assert_jumps(&rig, u64::from(ms != 0), case);
        // What comes from here on is younger by an hour, by whatever clock.
        assert_eq!(rig.append(&[2], 10), [Ok(())]);
        restart(&mut rig);
        assert_left(&mut rig, 23 * HOUR, case);
        assert_eq!(rig.drain(), [2], "{case}");
    }
}

/// The last words of a process that is killed are at most some ticks old.
#[test]
fn a_kill_moves_no_age() {
    let mut rig = rig();
    rig.clock.pass(5 * HOUR);
    rig.clock.jump(10 * YEAR_MS);
    rig.start();
    assert_left(&mut rig, 18 * HOUR, "killed");
}

/// Off for five minutes, the clock on the wall tells; off for ten years, it is believed as far as half of `age_max`.
#[test]
fn of_an_absence_no_more_than_half_of_the_age_is_believed() {
    for (case, off, jump, counted) in [
        ("five minutes", 5 * MINUTE, 0, 5 * MINUTE),
        ("twelve hours", 12 * HOUR, 0, 12 * HOUR),
        ("two days", 48 * HOUR, 0, 12 * HOUR),
        ("ten years by a wrong clock", 5 * MINUTE, 10 * YEAR_MS, 12 * HOUR),
        ("a clock without a battery", 5 * MINUTE, i64::MIN, Duration::ZERO),
    ] {
        let mut rig = rig();
        rig.store().0.close();
        rig.clock.reboot(off);
        rig.clock.jump(jump);
        rig.start();
        assert_left(&mut rig, 23 * HOUR - counted, case);
    }
}

/// A machine that is switched on and off with a clock that is wrong each time.
#[test]
fn nothing_is_kept_for_ever() {
    let mut rig = rig();
    let mut running = HOUR;
    while rig.assert_sum().in_spool > 0 {
        rig.store().0.close();
        rig.clock.reboot(MINUTE);
        rig.clock.jump(i64::MIN);
        rig.start();
        rig.clock.pass(HOUR);
        running += HOUR;
        tick(&mut rig);
        assert!(running <= 25 * HOUR, "running time counts");
    }
    assert!(running >= 24 * HOUR, "{running:?}");
}

/// At its start the machine thinks that it is 1970, and is told better once the spool is open.
#[test]
fn a_clock_that_is_set_right_after_the_start_does_no_harm_later() {
    let mut rig = Rig::new(1 << 20);
    let right = i64::try_from(rig.clock.wall_ms()).expect("far from the end");
    rig.clock.jump(i64::MIN);
    rig.start();
    assert_eq!(rig.append(&[1], 10), [Ok(())]);
    rig.clock.jump(right);
    tick(&mut rig);
    assert_jumps(&rig, 1, "set right");
    rig.clock.pass(HOUR);
    restart(&mut rig);
    rig.store().0.close();
    rig.clock.reboot(5 * MINUTE);
    rig.start();
    assert_jumps(&rig, 0, "all is well since");
    assert_left(&mut rig, 23 * HOUR - 5 * MINUTE, "set right");
}

/// What can be lost is the file, with the power; what it knew is then for the wall to tell, as it is on systems without a clock since boot.
#[test]
fn without_the_file_the_wall_tells() {
    for (case, lose) in [("gone", 0), ("flipped bits", 1), ("no clock since boot", 2)] {
        let mut rig = rig();
        rig.store().0.close();
        match lose {
            0 => rig.disk.put(Path::new("/spool/clock"), Vec::new()),
            1 => rig.disk.put(Path::new("/spool/clock"), vec![0xa5; 2 * MARK_BYTES]),
            _ => rig.clock.forget_boot(),
        }
        rig.clock.pass(HOUR);
        rig.start();
        assert_left(&mut rig, 22 * HOUR, case);
    }
}

/// An empty spool has no ages to keep: what comes has the time on the wall again.
#[test]
fn an_empty_spool_begins_again_with_the_wall() {
    let mut rig = rig();
    rig.clock.jump(-DAY_MS);
    restart(&mut rig);
    let bytes = &rig.disk.files()[Path::new("/spool/clock")];
    let mark = Mark::read(bytes).expect("whole");
    assert_eq!(mark.wall_shift_ms(), -DAY_MS, "by which `tamis spool` tells the time");
    assert_eq!(rig.drain(), [1]);
    tick(&mut rig);
    restart(&mut rig);
    assert_jumps(&rig, 0, "nothing went by it");
    let mark = Mark::read(&rig.disk.files()[Path::new("/spool/clock")]).expect("whole");
    assert_eq!((mark.wall_shift_ms(), mark.own_ms), (0, rig.clock.wall_ms()));
}

/// No file, no harm: it is tried again.
#[test]
fn a_clock_that_cannot_be_written_stops_nothing() {
    let mut rig = rig();
    rig.disk.fail(rig.disk.calls() + 1, 1_000, Fault::Full);
    (0..30).for_each(|_| rig.store().0.tick());
    rig.disk.heal();
    (0..12).for_each(|_| rig.store().0.tick());
    rig.clock.jump(10 * YEAR_MS);
    rig.start();
    assert_left(&mut rig, 23 * HOUR, "written again");
}

#[test]
fn a_torn_mark_leaves_the_one_before() {
    let clock = FakeClock::default();
    let mark = |serial, own_ms| Mark { serial, reading: clock.reading(), own_ms };
    let (old, new) = (mark(6, 9_000), mark(7, 1_000));
    let bytes = [old.write(), new.write()].concat();
    assert_eq!(Mark::read(&bytes), Some(new), "the later one, not the one with the later time");
    for cut in 0..bytes.len() {
        let want = if cut < MARK_BYTES { None } else { Some(old) };
        assert_eq!(Mark::read(&bytes[..cut]), want, "cut at {cut}");
        let mut flipped = bytes.clone();
        flipped[cut] ^= 0x10;
        assert_eq!(Mark::read(&flipped), Some(if cut < MARK_BYTES { new } else { old }), "flipped at {cut}");
    }
    let nowhere = Mark { reading: Reading { wall_ms: 5, boot: None }, ..old };
    assert_eq!(Mark::read(&nowhere.write()), Some(nowhere));
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_tells_since_when_it_runs() {
    let clock = super::RealClock::new();
    let (first, second) = (clock.reading(), clock.reading());
    let (Some((id, then)), Some((same, now))) = (first.boot, second.boot) else { panic!("{first:?}") };
    assert!(id == same && id != 0 && now >= then && first.wall_ms > 1_700_000_000_000);
}
