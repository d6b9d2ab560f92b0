//! The book of items: what arrived, how each one ended, and what is still on its way.
//!
//! Every body that arrives opens a [`Receipt`]. The receipt counts its items into exactly one outcome
//! each, also when nobody tells it how things ended: dropping it counts them as rejected. So
//! `received = outcomes + in flight + in spool` holds whatever happens to a request. Items in the spool have no outcome yet;
//! those that an earlier process left there are received anew when it is opened.
//!
//! Until a body is framed it counts as one item; a body in which nothing could be framed stays one.

use crate::metrics::RouteMetrics;
use crate::outcome::{Outcome, Reason};
use crate::pipeline::Summary;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Sums over all routes. Cheap to clone; all clones share one count.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Counts>);

#[derive(Default)]
struct Counts {
    received: AtomicU64,
    in_flight: AtomicU64,
    in_spool: AtomicU64,
    ended: [AtomicU64; Outcome::ALL.len()],
    draining: watch::Sender<bool>,
}

/// A reading of the [`Ledger`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items that arrived.
    pub received: u64,
    /// Items that have not ended; a body that is not framed yet is one.
    pub in_flight: u64,
    /// Items that wait on disk for their upstream.
    pub in_spool: u64,
    /// Items by outcome, in the order of [`Outcome::ALL`].
    pub ended: [u64; Outcome::ALL.len()],
}

impl Totals {
    /// Items that have ended.
    #[must_use]
    pub fn outcomes(&self) -> u64 {
        self.ended.iter().sum()
    }

    /// Items that ended as `outcome`.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.ended[outcome as usize]
    }
}

impl Ledger {
    /// Opens a receipt for a body that arrives.
    pub fn open(&self, route: &RouteMetrics) -> Receipt {
        self.0.received.fetch_add(1, Ordering::Relaxed);
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        Receipt {
            ledger: self.clone(),
            route: route.clone(),
            framed: 0,
            lost_as: Reason::SenderGone,
            open: true,
        }
    }

    /// What was counted so far. The sums agree once nothing is in flight.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Totals {
            received: read(&self.0.received),
            in_flight: read(&self.0.in_flight),
            in_spool: read(&self.0.in_spool),
            ended: std::array::from_fn(|at| read(&self.0.ended[at])),
        }
    }

    /// Counts items that were found in the spool as received.
    pub(crate) fn restored(&self, items: u64) {
        self.0.received.fetch_add(items, Ordering::Relaxed);
        self.0.in_spool.fetch_add(items, Ordering::Relaxed);
    }

    /// Ends items that were in the spool.
    pub(crate) fn left(&self, route: &RouteMetrics, outcome: Outcome, reason: Reason, items: u64) {
        self.end(route, outcome, reason, items);
        self.0.in_spool.fetch_sub(items, Ordering::Relaxed);
    }

    fn end(&self, route: &RouteMetrics, outcome: Outcome, reason: Reason, items: u64) {
        if items > 0 {
            self.0.ended[outcome as usize].fetch_add(items, Ordering::Relaxed);
            route.items(outcome, reason, items);
        }
    }

    /// From now on a receipt that is dropped untold ended because of the shutdown.
    pub fn drain(&self) {
        self.0.draining.send_replace(true);
    }

    /// Waits for [`Ledger::drain`].
    pub(crate) async fn drained(&self) {
        let mut draining = self.0.draining.subscribe();
        let drained = draining.wait_for(|draining| *draining).await;
        drained.expect("the sender is `self`, which outlives the wait");
    }
}

/// The items of one body, until they have ended. Dropped untold they are rejected.
#[must_use = "dropping it counts the items as rejected"]
pub struct Receipt {
    ledger: Ledger,
    route: RouteMetrics,
    framed: u64,
    lost_as: Reason,
    open: bool,
}

impl Receipt {
    /// Notes what was framed so far, for the case that the receipt is dropped.
    pub fn framed(&mut self, summary: &Summary) {
        self.framed = framed(summary);
    }

    /// Sets why the items ended if the receipt is dropped; `sender_gone` until set.
    pub fn lost_as(&mut self, reason: Reason) {
        self.lost_as = reason;
    }

    /// Ends the items of a body that was read to its end: with the upstream's status, or with the
    /// reason why there is none.
    pub fn settle(mut self, summary: &Summary, end: Result<u16, Reason>) {
        match end {
            Ok(..400) => self.accepted(summary),
            Ok(_) => self.rejected(summary, Reason::UpstreamStatus, 0),
            Err(reason) => self.rejected(summary, reason, 0),
        }
    }

    /// Ends the items of a body that was not read to its end; the item it stopped in counts too.
    pub fn refuse(mut self, summary: &Summary, reason: Reason) {
        self.rejected(summary, reason, 1);
    }

    /// Moves the items of a body that was read to its end into the spool, where they stay if the store takes them.
    #[must_use = "the items are in the spool until the store refuses them"]
    pub(crate) fn spool(mut self, summary: &Summary) -> Spooling {
        // A body without any item is one, as it is when it goes straight on.
        let clean = if framed(summary) == 0 { 1 } else { summary.clean };
        let items = clean + summary.redacted;
        self.route.body_bytes(summary, true);
        self.ledger.0.in_spool.fetch_add(items, Ordering::Relaxed);
        self.ledger.0.received.fetch_add(items, Ordering::Relaxed);
        self.close(summary, &[]);
        Spooling { ledger: self.ledger.clone(), route: self.route.clone(), clean, redacted: summary.redacted }
    }

    fn accepted(&mut self, summary: &Summary) {
        // A body without any item went through as it was.
        let clean = if framed(summary) == 0 { 1 } else { summary.clean };
        let forwarded = (Outcome::Forwarded, Reason::None, clean);
        self.route.body_bytes(summary, true);
        self.close(summary, &[forwarded, (Outcome::Redacted, Reason::None, summary.redacted)]);
    }

    fn rejected(&mut self, summary: &Summary, reason: Reason, unframed: u64) {
        self.route.body_bytes(summary, false);
        let items = summary.clean + summary.redacted + unframed;
        let nothing = items + dropped(summary) == 0;
        self.close(summary, &[(Outcome::Rejected, reason, if nothing { 1 } else { items })]);
    }

    /// Closes the receipt over the items of `ends` and the dropped ones.
    fn close(&mut self, summary: &Summary, ends: &[(Outcome, Reason, u64)]) {
        let items = dropped(summary) + ends.iter().map(|(_, _, n)| n).sum::<u64>();
        // One was counted when the receipt was opened. It may be in the spool, counted there.
        self.ledger.0.received.fetch_add(items, Ordering::Relaxed);
        self.ledger.0.received.fetch_sub(1, Ordering::Relaxed);
        for (reason, n) in &summary.dropped {
            self.ledger.end(&self.route, Outcome::Dropped, *reason, *n);
        }
        for (outcome, reason, n) in ends {
            self.ledger.end(&self.route, *outcome, *reason, *n);
        }
        self.ledger.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.open = false;
    }
}

/// The items of one body that the spool is asked to take.
pub(crate) struct Spooling {
    ledger: Ledger,
    route: RouteMetrics,
    clean: u64,
    redacted: u64,
}

impl Spooling {
    /// Items in which nothing was found, and those in which something was replaced.
    pub(crate) fn items(&self) -> (u64, u64) {
        (self.clean, self.redacted)
    }

    /// Ends the items: the store did not take them.
    pub(crate) fn refuse(self, reason: Reason) {
        self.ledger.left(&self.route, Outcome::Rejected, reason, self.clean + self.redacted);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if self.open {
            let draining = *self.ledger.0.draining.borrow();
            let reason = if draining { Reason::Draining } else { self.lost_as };
            let summary = Summary { clean: self.framed, ..Summary::default() };
            self.rejected(&summary, reason, 1);
        }
    }
}

/// Items that the body was found to consist of.
pub(crate) fn framed(summary: &Summary) -> u64 {
    summary.clean + summary.redacted + dropped(summary)
}

fn dropped(summary: &Summary) -> u64 {
    summary.dropped.iter().map(|(_, n)| n).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// Outcomes in the order of `Outcome::ALL`: forwarded, redacted, dropped, rejected, expired.
    #[track_caller]
    fn check(end: impl FnOnce(Receipt, &Summary), summary: &Summary, want: [u64; 5]) {
        let ledger = Ledger::default();
        let receipt = ledger.open(&Metrics::default().route("a", "test"));
        assert_eq!(ledger.totals().in_flight, 1);
        end(receipt, summary);
        let totals = ledger.totals();
        assert_eq!(totals.ended, want);
        assert_eq!(totals.in_flight, 0);
        assert_eq!(totals.received, totals.outcomes());
    }

    fn summary(clean: u64, redacted: u64, dropped: u64) -> Summary {
        let dropped = if dropped == 0 { Vec::new() } else { vec![(Reason::Binary, dropped)] };
        Summary { clean, redacted, dropped, ..Summary::default() }
    }

    #[test]
    fn every_item_ends_once() {
        let three = summary(3, 2, 1);
        check(|r, s| r.settle(s, Ok(200)), &three, [3, 2, 1, 0, 0]);
        check(|r, s| r.settle(s, Ok(302)), &three, [3, 2, 1, 0, 0]);
        check(|r, s| r.settle(s, Ok(429)), &three, [0, 0, 1, 5, 0]);
        check(|r, s| r.settle(s, Err(Reason::UpstreamTimeout)), &three, [0, 0, 1, 5, 0]);
        check(|r, s| r.refuse(s, Reason::NotJson), &three, [0, 0, 1, 6, 0]);
    }

    #[test]
    fn a_body_without_items_is_one() {
        let none = summary(0, 0, 0);
        check(|r, s| r.settle(s, Ok(200)), &none, [1, 0, 0, 0, 0]);
        check(|r, s| r.settle(s, Ok(500)), &none, [0, 0, 0, 1, 0]);
        check(|r, s| r.refuse(s, Reason::EnvelopeMalformed), &none, [0, 0, 0, 1, 0]);
    }

    #[test]
    fn items_that_were_all_dropped_are_not_rejected_too() {
        let dropped = summary(0, 0, 2);
        check(|r, s| r.settle(s, Ok(200)), &dropped, [0, 0, 2, 0, 0]);
        check(|r, s| r.settle(s, Ok(503)), &dropped, [0, 0, 2, 0, 0]);
    }

    #[test]
    fn what_is_spooled_has_no_outcome_yet() {
        for (summary, clean, redacted) in
            [(summary(3, 2, 1), 3, 2), (summary(0, 0, 0), 1, 0), (summary(0, 0, 2), 0, 0)]
        {
            let ledger = Ledger::default();
            let route = Metrics::default().route("a", "test");
            let spooling = ledger.open(&route).spool(&summary);
            assert_eq!(spooling.items(), (clean, redacted));
            let totals = ledger.totals();
            assert_eq!((totals.in_flight, totals.in_spool), (0, clean + redacted));
            assert_eq!(totals.received, totals.outcomes() + totals.in_spool);
            spooling.refuse(Reason::SpoolFull);
            let totals = ledger.totals();
            assert_eq!((totals.in_spool, totals.of(Outcome::Rejected)), (0, clean + redacted));
            assert_eq!(totals.received, totals.outcomes());
        }
    }

    #[test]
    fn what_an_earlier_process_left_is_received_anew() {
        let ledger = Ledger::default();
        ledger.restored(5);
        let route = Metrics::default().route("a", "test");
        ledger.left(&route, Outcome::Expired, Reason::TooOld, 2);
        let totals = ledger.totals();
        assert_eq!((totals.received, totals.in_spool, totals.of(Outcome::Expired)), (5, 3, 2));
    }

    #[test]
    fn a_dropped_receipt_counts() {
        check(|receipt, _| drop(receipt), &summary(0, 0, 0), [0, 0, 0, 1, 0]);
        let framed = |mut receipt: Receipt, summary: &Summary| receipt.framed(summary);
        check(framed, &summary(2, 1, 1), [0, 0, 0, 5, 0]);
    }
}
