//! Where each state goes on each symbol, in the memory that the few special steps take.
//!
//! In: rows, each as what it differs from a common row in. Out: one step at a time. Most states do for nearly all symbols what
//! every state does, so only their exceptions are held, sorted; a filter of 64 bits tells for most symbols that there is
//! none.
//!
//! PERF: one full row per state took 5.5 MB for the rules of Sentry items. In a loop over one payload that goes unseen; between
//! two requests it leaves the processor's caches, and each key of an event then waited 150 ns for it. Nearly all of what is left
//! are exceptions, so a state's number takes two bytes there: there are fewer states than that can tell (`STATES_MAX`).

/// One step that a row's common row does not know.
#[derive(Debug, Clone, Copy)]
struct Exception {
    symbol: u16,
    next: u16,
}

/// One state's steps.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Bit `symbol % 64` is set if there is an exception for a symbol.
    filter: u64,
    /// Its exceptions, sorted by symbol.
    first: u32,
    count: u16,
    /// Which of the common rows holds for all other symbols.
    common: u16,
}

/// The steps of all states.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    symbols: usize,
    rows: Vec<Row>,
    exceptions: Vec<Exception>,
    /// Rows of one entry per symbol, one after another.
    common: Vec<u16>,
}

impl Table {
    pub(super) fn new(symbols: usize) -> Self {
        Self { symbols, ..Self::default() }
    }

    /// Adds a common row and returns its number; `None` past 65,536 of them, or of states.
    pub(super) fn add_common(&mut self, row: &[u32]) -> Option<u16> {
        assert_eq!(row.len(), self.symbols, "one entry per symbol");
        let number = u16::try_from(self.common.len() / self.symbols).ok()?;
        let row: Vec<u16> = row.iter().map(|next| u16::try_from(*next).ok()).collect::<Option<_>>()?;
        self.common.extend_from_slice(&row);
        Some(number)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>()
            + self.exceptions.len() * size_of::<Exception>()
            + self.common.len() * size_of::<u16>()
    }

    /// Adds the next state: as a common row but for some steps, by symbol in order. `None` past 65,536 states.
    pub(super) fn add_state(
        &mut self,
        common: u16,
        steps: impl IntoIterator<Item = (usize, u32)>,
    ) -> Option<()> {
        let first = self.exceptions.len();
        let mut filter = 0;
        for (symbol, next) in steps {
            let next = u16::try_from(next).ok()?;
            if self.common[usize::from(common) * self.symbols + symbol] != next {
                filter |= 1 << (symbol % 64);
                let symbol = u16::try_from(symbol).expect("symbols are numbered in 16 bits");
                self.exceptions.push(Exception { symbol, next });
            }
        }
        let count = u16::try_from(self.exceptions.len() - first).expect("no more than there are symbols");
        let first = u32::try_from(first).expect("states and symbols are bounded");
        self.rows.push(Row { filter, first, count, common });
        Some(())
    }

    /// No more comes.
    pub(super) fn finish(&mut self) {
        self.rows.shrink_to_fit();
        self.exceptions.shrink_to_fit();
        self.common.shrink_to_fit();
    }

    /// Where `state` goes on `symbol`.
    #[inline]
    pub(super) fn step(&self, state: u32, symbol: u16) -> u32 {
        let row = &self.rows[state as usize];
        if row.filter & 1 << (symbol % 64) != 0 {
            let first = row.first as usize;
            let own = &self.exceptions[first..first + usize::from(row.count)];
            if let Ok(nth) = own.binary_search_by_key(&symbol, |exception| exception.symbol) {
                return u32::from(own[nth].next);
            }
        }
        u32::from(self.common[usize::from(row.common) * self.symbols + usize::from(symbol)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_steps_as_its_common_row_but_for_its_exceptions() {
        let common = [vec![7; 200], (0..200).collect::<Vec<u32>>()];
        let steps = [vec![], vec![(0, 9), (64, 9), (65, 7), (199, 3)], vec![(128, 0)]];
        let states = [(0, 0), (0, 1), (1, 1), (1, 2)];
        let mut table = Table::new(200);
        let numbers = common.each_ref().map(|row| table.add_common(row).expect("few rows"));
        for (of, own) in states {
            table.add_state(numbers[of], steps[own].iter().copied()).expect("few states");
        }
        for (state, (of, own)) in (0..).zip(states) {
            for (symbol, shared) in common[of].iter().enumerate() {
                let exception = steps[own].iter().find(|(special, _)| *special == symbol);
                let want = exception.map_or(*shared, |(_, next)| *next);
                let symbol = u16::try_from(symbol).expect("small");
                assert_eq!(table.step(state, symbol), want, "state {state}, symbol {symbol}");
            }
        }
    }

    #[test]
    fn a_state_that_two_bytes_cannot_tell_is_refused() {
        for (next, want) in [(65_535, Some(())), (65_536, None)] {
            let mut table = Table::new(1);
            assert_eq!(table.add_common(&[next]).map(drop), want);
            let common = table.add_common(&[0]).expect("few rows");
            assert_eq!(table.add_state(common, [(0, next)]), want);
        }
    }
}
