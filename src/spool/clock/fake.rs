//! Clocks that go as they are told.

use super::{Clock, Reading};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The clocks of a machine that exists in a test. Clones are the same.
#[derive(Clone)]
pub(in crate::spool) struct FakeClock(Arc<Mutex<(i64, Reading)>>);

impl Default for FakeClock {
    fn default() -> Self {
        let reading = Reading { wall_ms: 1_764_000_000_000, boot: Some((1, 3_600_000)) };
        Self(Arc::new(Mutex::new((0, reading))))
    }
}

impl FakeClock {
    fn change(&self, change: impl FnOnce(&mut i64, &mut Reading)) {
        let mut clock = self.0.lock().expect("no panic");
        let (running, reading) = &mut *clock;
        change(running, reading);
    }

    /// Time goes by, on all clocks.
    pub(in crate::spool) fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).expect("short");
        self.change(|running, reading| {
            *running += i64::try_from(ms).expect("short");
            reading.wall_ms += ms;
            reading.boot = reading.boot.map(|(id, since)| (id, since + ms));
        });
    }

    /// Somebody sets the clock on the wall.
    pub(in crate::spool) fn jump(&self, ms: i64) {
        self.change(|_, reading| reading.wall_ms = reading.wall_ms.saturating_add_signed(ms));
    }

    /// The machine is off for a time, and starts.
    pub(in crate::spool) fn reboot(&self, off: Duration) {
        self.pass(off);
        self.change(|_, reading| reading.boot = reading.boot.map(|(id, _)| (id + 1, 10_000)));
    }

    /// From here on nobody tells since when the machine runs.
    pub(in crate::spool) fn forget_boot(&self) {
        self.change(|_, reading| reading.boot = None);
    }

    pub(in crate::spool) fn wall_ms(&self) -> u64 {
        self.reading().wall_ms
    }
}

impl Clock for FakeClock {
    fn running_ms(&self) -> i64 {
        self.0.lock().expect("no panic").0
    }

    fn reading(&self) -> Reading {
        self.0.lock().expect("no panic").1
    }
}
