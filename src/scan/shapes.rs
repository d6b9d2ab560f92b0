//! Masks to shapes: which bytes end something that has the form of an address, a number, a word.
//!
//! In: the masks of some blocks in a row, and of the block before them. Out: more masks, one bit per byte. Every shape
//! looks back only, so that one pass is enough. Holds the masks of a batch, reused.
//!
//! PERF: the masks of one kind lie side by side and nothing branches, so that a vector of the processor takes
//! several blocks at a time: `simd` has those. The compiler does not do it by itself.

use super::simd::Masks;

/// Blocks that are looked at together.
pub(crate) const BATCH: usize = 16;
/// The masks of one kind; the first is that of the block before the batch.
pub(super) type Row = [u64; BATCH + 1];

/// The masks of some blocks, and the shapes in them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    filled: usize,
    quote: Row,
    backslash: Row,
    colon: Row,
    dot: Row,
    alone: Row,
    percent: Row,
    digit: Row,
    hex: Row,
    alnum: Row,
    escape: Row,
    equals: Row,
    separator: Row,
    joiner: Row,
    high: Row,
    hash: Row,
    ampersand: Row,
    literal: Row,
    /// Digits and the separators between them.
    number_run: Row,
    /// Letters of base64, and where it may begin.
    base64_run: Row,
    base64_start: Row,
    /// The second of two dots, and of two colons, with few enough digits between.
    dot_pair: Row,
    colon_pair: Row,
    sure: Row,
    number: Row,
    word: Row,
    base64: Row,
}

/// What one block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shapes {
    /// `"`
    pub(crate) quote: u64,
    /// `\`
    pub(crate) backslash: u64,
    /// Triggers that need no second look.
    pub(crate) sure: u64,
    /// Where a literal may begin that may stand anywhere.
    pub(crate) literal: u64,
    /// The seventh byte of a run of digits, or the fourth of a word that may begin with two letters and two digits.
    pub(crate) number: u64,
    /// Where words begin.
    pub(crate) word: u64,
    /// `0`-`9`
    pub(crate) digit: u64,
    /// `=`, `:`, `;`, `|`
    pub(crate) assigned: u64,
    /// The twelfth byte of what may be base64.
    pub(crate) base64: u64,
}

impl Batch {
    /// Forgets what came before: a new buffer begins.
    pub(super) fn begin(&mut self) {
        self.filled = BATCH;
        for row in self.carried() {
            row[BATCH] = 0;
        }
    }

    /// The rows of which the last block of one batch counts for the next.
    #[inline(always)]
    fn carried(&mut self) -> [&mut Row; 16] {
        [
            &mut self.backslash,
            &mut self.colon,
            &mut self.dot,
            &mut self.percent,
            &mut self.digit,
            &mut self.hex,
            &mut self.alnum,
            &mut self.joiner,
            &mut self.ampersand,
            &mut self.high,
            &mut self.number_run,
            &mut self.base64_run,
            &mut self.base64_start,
            &mut self.dot_pair,
            &mut self.colon_pair,
            &mut self.word,
        ]
    }

    /// Makes room for the next blocks.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        for row in self.carried() {
            row[0] = row[BATCH];
        }
        self.filled = 0;
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.filled == BATCH
    }

    /// Appends a block. Only while the batch is not full.
    #[inline(always)]
    pub(super) fn push(&mut self, masks: &Masks) {
        self.filled += 1;
        let i = self.filled.min(BATCH);
        self.quote[i] = masks.quote;
        self.backslash[i] = masks.backslash;
        self.colon[i] = masks.colon;
        self.dot[i] = masks.dot;
        self.alone[i] = masks.alone;
        self.percent[i] = masks.percent;
        self.digit[i] = masks.digit;
        self.hex[i] = masks.hex;
        self.alnum[i] = masks.alnum;
        self.escape[i] = masks.escape;
        self.equals[i] = masks.equals;
        self.separator[i] = masks.separator;
        self.joiner[i] = masks.joiner;
        self.high[i] = masks.high;
        self.hash[i] = masks.hash;
        self.ampersand[i] = masks.ampersand;
        self.literal[i] = masks.literal;
    }

    /// Finds the shapes in the blocks that were pushed, as many at a time as `L` holds.
    #[inline(always)]
    pub(super) fn derive<L: Lanes>(&mut self) {
        let mut i = 1;
        while i <= self.filled {
            self.runs_and_pairs::<L>(i);
            i += L::COUNT;
        }
        let mut i = 1;
        while i <= self.filled {
            self.shapes::<L>(i);
            i += L::COUNT;
        }
    }

    /// What the shapes of the next blocks build upon.
    #[inline(always)]
    fn runs_and_pairs<L: Lanes>(&mut self, i: usize) {
        let (digit, hex, dot, colon) = (&self.digit, &self.hex, &self.dot, &self.colon);
        // A blank that does not break is two or three bytes long.
        let high = &self.high;
        let third = L::before::<2>(high, i).and(L::before::<3>(digit, i));
        let wide = L::before::<1>(high, i).and(L::before::<2>(digit, i).or(third));
        let wide = L::at(high, i).and(L::before::<1>(digit, i).or(wide));
        let parted = L::at(&self.separator, i).and(L::before::<1>(digit, i));
        let number_run = L::at(digit, i).or(parted).or(wide);
        let dot_pair = L::at(dot, i).and(led::<L>(digit, dot, i, 3));
        let colon_pair = L::at(colon, i).and(led::<L>(hex, colon, i, 4));
        let base64_run = L::at(&self.alnum, i).or(L::at(&self.joiner, i));
        let behind = L::before::<1>(&self.joiner, i).or(L::before::<2>(&self.backslash, i));
        let base64_last = L::at(&self.alnum, i - 1).or(L::at(&self.joiner, i - 1));
        let base64_start = base64_run.and(behind).or(base64_run.and_not(base64_run.behind::<1>(base64_last)));
        base64_run.put(&mut self.base64_run, i);
        base64_start.put(&mut self.base64_start, i);
        number_run.put(&mut self.number_run, i);
        dot_pair.put(&mut self.dot_pair, i);
        colon_pair.put(&mut self.colon_pair, i);
    }

    #[inline(always)]
    fn shapes<L: Lanes>(&mut self, i: usize) {
        let escaped = L::at(&self.escape, i).or(L::at(&self.quote, i));
        let hidden = (L::before::<1>(&self.percent, i).and(L::at(&self.hex, i)))
            .or(L::before::<1>(&self.backslash, i).and(escaped))
            .or(L::before::<1>(&self.ampersand, i).and(L::at(&self.hash, i)));
        // The third dot of `1.22.333.`.
        let dotted = L::at(&self.dot, i).and(led::<L>(&self.digit, &self.dot_pair, i, 3));
        let sure = L::at(&self.alone, i).or(hidden).or(dotted).or(self.colons(i));
        sure.put(&mut self.sure, i);

        // A letter behind a backslash is an escape, and the next byte begins a word whatever it was.
        let inside = L::before::<1>(&self.alnum, i).and_not(L::before::<2>(&self.backslash, i));
        L::at(&self.alnum, i).and_not(inside).put(&mut self.word, i);

        let run = &self.number_run;
        let three = L::at(run, i).and(L::before::<1>(run, i)).and(L::before::<2>(run, i));
        let six = three.and(L::before::<3>(run, i)).and(L::before::<4>(run, i)).and(L::before::<5>(run, i));
        let seven = six.and(L::before::<6>(run, i));
        let number = seven.and_not(L::before::<7>(run, i));
        // Two digits behind no digit, in a word that did not begin with one: what the two before are is looked at where this holds.
        let digit = &self.digit;
        let begun = L::before::<3>(&self.word, i).and_not(L::before::<3>(digit, i));
        let digits = L::at(digit, i).and(L::before::<1>(digit, i)).and_not(L::before::<2>(digit, i));
        number.or(digits.and(begun)).put(&mut self.number, i);
        self.base64::<L>(i).put(&mut self.base64, i);
    }

    /// The twelfth byte of base64 that begins where its run does, or behind one of its four marks or an escape.
    #[inline(always)]
    fn base64<L: Lanes>(&self, i: usize) -> L {
        let (now, last) = (L::at(&self.base64_run, i), L::at(&self.base64_run, i - 1));
        // Runs of two, four; what the last block lacks of the one before it lies too far back to count.
        let (two, two_last) = (now.and(now.behind::<1>(last)), last.and(last.shifted::<1>()));
        let (four, four_last) = (two.and(two.behind::<2>(two_last)), two_last.and(two_last.shifted::<2>()));
        let twelve = four.and(four.behind::<4>(four_last)).and(four.behind::<8>(four_last));
        twelve.and(L::before::<11>(&self.base64_start, i))
    }

    /// `::` with a hex digit on either side, or three colons with one to four hex digits between.
    #[inline(always)]
    fn colons<L: Lanes>(&self, i: usize) -> L {
        let (hex, colon) = (&self.hex, &self.colon);
        let behind_colon = L::before::<1>(colon, i);
        let hex_before = L::at(colon, i).and(behind_colon).and(L::before::<2>(hex, i));
        // Marked at the hex digit itself, since nothing may look ahead.
        let hex_after = L::at(hex, i).and(behind_colon).and(L::before::<2>(colon, i));
        let triple = L::at(colon, i).and(led::<L>(hex, &self.colon_pair, i, 4));
        hex_before.or(hex_after).or(triple)
    }

    /// Blocks in the batch.
    pub(crate) fn len(&self) -> usize {
        self.filled
    }

    /// The shapes of one of them.
    #[inline(always)]
    pub(crate) fn block(&self, nth: usize) -> Shapes {
        let i = (nth + 1).min(BATCH);
        Shapes {
            quote: self.quote[i],
            backslash: self.backslash[i],
            sure: self.sure[i],
            literal: self.literal[i],
            number: self.number[i],
            word: self.word[i],
            digit: self.digit[i],
            assigned: self.equals[i] | self.colon[i],
            base64: self.base64[i],
        }
    }
}

/// True behind one to `most` bytes of `part` (three or four) that a byte of `lead` stands before.
#[inline(always)]
fn led<L: Lanes>(part: &Row, lead: &Row, i: usize, most: u32) -> L {
    let mut behind = L::before::<3>(part, i).and(L::before::<4>(lead, i));
    if most == 4 {
        let four = L::before::<4>(part, i).and(L::before::<5>(lead, i));
        behind = L::before::<3>(part, i).and(L::before::<4>(lead, i).or(four));
    }
    behind = L::before::<2>(part, i).and(L::before::<3>(lead, i).or(behind));
    L::before::<1>(part, i).and(L::before::<2>(lead, i).or(behind))
}

/// Masks of one or several blocks that follow each other.
pub(super) trait Lanes: Copy {
    /// How many.
    const COUNT: usize;
    /// Those of a row from block `i` on.
    fn at(row: &Row, i: usize) -> Self;
    /// Writes them to a row.
    fn put(self, row: &mut Row, i: usize);
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    /// What is in this and not in `other`.
    fn and_not(self, other: Self) -> Self;
    /// Moved up by `K` bytes, each block for itself.
    fn shifted<const K: u32>(self) -> Self;
    /// Moved up by `K` bytes, with the end of the blocks before, `last`, below.
    fn behind<const K: u32>(self, last: Self) -> Self;

    /// What stood `K` bytes before each byte.
    #[inline(always)]
    fn before<const K: u32>(row: &Row, i: usize) -> Self {
        Self::at(row, i).behind::<K>(Self::at(row, i - 1))
    }
}

/// One block at a time, on any processor.
impl Lanes for u64 {
    const COUNT: usize = 1;

    #[inline(always)]
    fn at(row: &Row, i: usize) -> Self {
        row[i]
    }

    #[inline(always)]
    fn put(self, row: &mut Row, i: usize) {
        row[i] = self;
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self & !other
    }

    #[inline(always)]
    fn shifted<const K: u32>(self) -> Self {
        self << K
    }

    #[inline(always)]
    fn behind<const K: u32>(self, last: Self) -> Self {
        self << K | last >> (64 - K)
    }
}
