//! Sixty-four bytes at a time to bit masks: the one place where `unsafe` is allowed.
//!
//! In: a block of 64 bytes and the three that follow it. Out: one [`Masks`], a bit per byte and kind.
//! Holds nothing. [`classify_portable`] is the definition; the twins for AVX2 and AVX-512 must equal it on every input,
//! which the tests hold. Other processors run the portable one.
//!
//! PERF: the masks are what the rest of `scan` works on, so that its cost does not depend on how many
//! patterns there are. See `benches/README.md`, `sweep`.

use super::shapes::{Batch, Lanes};

/// Bytes that one call looks at.
pub(crate) const BLOCK: usize = 64;

/// Bytes behind the block that must be readable: a literal's fingerprint may begin on its last byte.
pub(crate) const AHEAD: usize = FINGERPRINT - 1;

/// Leading bytes of a literal that the sweep compares; the search compares the rest.
pub(crate) const FINGERPRINT: usize = 4;

/// One bit per byte of a block, lowest bit first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    /// `"`
    pub(crate) quote: u64,
    /// `\`
    pub(crate) backslash: u64,
    /// `:`
    pub(crate) colon: u64,
    /// `.`
    pub(crate) dot: u64,
    /// `@`, and the byte that begins what colours a text: looked at wherever they stand.
    pub(crate) alone: u64,
    /// `%`
    pub(crate) percent: u64,
    /// `0`-`9`
    pub(crate) digit: u64,
    /// `0`-`9`, `a`-`f`, `A`-`F`
    pub(crate) hex: u64,
    /// `0`-`9`, `a`-`z`, `A`-`Z`
    pub(crate) alnum: u64,
    /// `u`, `x`, `/`: behind a backslash, what hides a byte that a literal may hold.
    pub(crate) escape: u64,
    /// `=`, `;`, `|`, `>`: what stands behind a name in some printed structure.
    pub(crate) equals: u64,
    /// A blank, `+`, `-`, `.` or `/`: what may part the digits of a number.
    pub(crate) separator: u64,
    /// `+`, `-`, `_`, `/`: what base64 has beside letters and digits.
    pub(crate) joiner: u64,
    /// Bytes from 0x80 on.
    pub(crate) high: u64,
    /// `#`
    pub(crate) hash: u64,
    /// `&`
    pub(crate) ampersand: u64,
    /// The block may hold one of the literals from here on (never misses one, may be wrong).
    pub(crate) literal: u64,
}

/// Nibble tables that tell where one of a set of literals may begin, whatever its case.
///
/// Each literal belongs to one of eight buckets, one bit each. For each of the first four bytes there
/// is a table by low and one by high nibble; a place where some bucket's bit survives all eight
/// look-ups may be the start of a literal of that bucket. The idea is that of Teddy
/// (<https://github.com/rust-lang/regex/tree/master/regex-automata>, by way of Hyperscan).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fingerprints {
    low: [[u8; 16]; FINGERPRINT],
    high: [[u8; 16]; FINGERPRINT],
}

impl Fingerprints {
    /// Builds the tables. Literals are lower case ASCII; only their first four bytes count, and a
    /// shorter one leaves the rest open.
    pub(crate) fn new<'a>(literals: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut tables = Self::default();
        let mut literals: Vec<&[u8]> = literals.collect();
        // PERF: literals that begin alike in one bucket leave the others few letters to stand for.
        literals.sort_unstable();
        for (place, literal) in literals.iter().enumerate() {
            let bucket = 1_u8 << (place * 8 / literals.len());
            for k in 0..FINGERPRINT {
                match literal.get(k) {
                    Some(&byte) => {
                        let folded = byte | 0x20;
                        tables.low[k][usize::from(folded & 0x0f)] |= bucket;
                        tables.high[k][usize::from(folded >> 4)] |= bucket;
                    }
                    None => {
                        tables.low[k].iter_mut().for_each(|entry| *entry |= bucket);
                        tables.high[k].iter_mut().for_each(|entry| *entry |= bucket);
                    }
                }
            }
        }
        tables
    }
}

impl Fingerprints {
    /// True if there is no literal to look for.
    fn is_empty(&self) -> bool {
        self.low[0] == [0; 16]
    }
}

/// What is done with each batch of blocks.
///
/// PERF: a trait and no closure, since a method can be inlined for sure: then it too is compiled for the processor that the
/// blocks are classified with.
pub(crate) trait Batches {
    /// The next blocks, in order.
    fn batch(&mut self, batch: &Batch);
}

/// A block classifier, chosen once for the processor that we run on.
#[derive(Clone, Copy)]
pub(crate) struct Classifier {
    level: Level,
}

/// Which twin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// With VBMI2, which shifts two masks as one.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl std::fmt::Debug for Classifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Classifier")
    }
}

impl Classifier {
    /// The safe twin, and the others that this processor has.
    #[cfg(test)]
    pub(crate) fn twins() -> (Self, Vec<Self>) {
        let all =
            Level::FASTEST_LAST.iter().filter(|level| level.is_here()).map(|level| Self { level: *level });
        let (safe, others): (Vec<_>, Vec<_>) = all.partition(|twin| twin.level == Level::Portable);
        (safe[0], others)
    }

    /// Picks the fastest classifier that this processor has.
    pub(crate) fn detect() -> Self {
        Self {
            level: Level::FASTEST_LAST
                .iter()
                .copied()
                .rfind(|level| level.is_here())
                .unwrap_or(Level::Portable),
        }
    }

    /// Hands `each` the shapes of every block of `bytes` in order, some blocks at a time; the last one is filled up
    /// with blanks, which belong to no kind but separators (the caller cuts what lies past the end).
    pub(crate) fn for_each_batch(
        self,
        bytes: &[u8],
        literals: &Fingerprints,
        batch: &mut Batch,
        each: &mut impl Batches,
    ) {
        match self.level {
            Level::Portable => {
                for_each_batch_with::<u64>(bytes, batch, each, |block| classify_portable(block, literals));
            }
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            // SAFETY: this level is only chosen where the processor reported the features.
            Level::Avx2 => unsafe { avx2::for_each_batch(bytes, literals, batch, each) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            // SAFETY: as above.
            Level::Avx512 => unsafe { avx512::for_each_batch(bytes, literals, batch, each) },
        }
    }

    /// Asks `each` about every place where a literal may begin, in order, until it says true; true if it does.
    ///
    /// Never passes over a place where one does begin.
    pub(crate) fn any_start(
        self,
        bytes: &[u8],
        literals: &Fingerprints,
        each: impl FnMut(usize) -> bool,
    ) -> bool {
        match self.level {
            Level::Portable => any_start_with(bytes, each, |block| starts_portable(block, literals)),
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            // SAFETY: this level is only chosen where the processor reported the features.
            Level::Avx2 => unsafe { avx2::any_start(bytes, literals, each) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            // SAFETY: as above.
            Level::Avx512 => unsafe { avx512::any_start(bytes, literals, each) },
        }
    }
}

impl Level {
    const FASTEST_LAST: &[Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
    ];

    /// True if this processor has what it takes.
    fn is_here(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        let has_bits = is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2");
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => has_bits && is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                has_bits && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi2")
            }
        }
    }
}

/// The block that begins at `at`, with its look-ahead; at the end of the bytes filled up with blanks in `padded`.
#[inline(always)]
fn block_at<'b>(bytes: &'b [u8], at: usize, padded: &'b mut [u8; BLOCK + AHEAD]) -> &'b [u8; BLOCK + AHEAD] {
    let rest = &bytes[at..];
    match rest.first_chunk() {
        Some(block) => block,
        None => {
            padded.fill(b' ');
            padded[..rest.len()].copy_from_slice(rest);
            padded
        }
    }
}

/// Cuts `bytes` into blocks with their look-ahead, and asks about each bit that `starts` sets.
#[inline(always)]
fn any_start_with(
    bytes: &[u8],
    mut each: impl FnMut(usize) -> bool,
    starts: impl Fn(&[u8; BLOCK + AHEAD]) -> u64,
) -> bool {
    let mut padded = [b' '; BLOCK + AHEAD];
    for at in (0..bytes.len()).step_by(BLOCK) {
        let block = block_at(bytes, at, &mut padded);
        let mut places = starts(block);
        while places != 0 {
            let place = at + places.trailing_zeros() as usize;
            places &= places - 1;
            if place < bytes.len() && each(place) {
                return true;
            }
        }
    }
    false
}

/// Where in a block a literal may begin.
fn starts_portable(block: &[u8; BLOCK + AHEAD], literals: &Fingerprints) -> u64 {
    (0..BLOCK).fold(0, |mask, i| {
        let survives = (0..FINGERPRINT).fold(0xff_u8, |buckets, k| {
            let folded = block[i + k] | 0x20;
            buckets & literals.low[k][usize::from(folded & 0x0f)] & literals.high[k][usize::from(folded >> 4)]
        });
        mask | u64::from(survives != 0) << i
    })
}

/// Cuts `bytes` into blocks with their look-ahead; the last ones come from a padded copy.
#[inline(always)]
fn for_each_batch_with<L: Lanes>(
    bytes: &[u8],
    batch: &mut Batch,
    each: &mut impl Batches,
    classify: impl Fn(&[u8; BLOCK + AHEAD]) -> Masks,
) {
    let mut padded = [b' '; BLOCK + AHEAD];
    let mut at = 0;
    batch.begin();
    while at < bytes.len() {
        batch.clear();
        while !batch.is_full() && at < bytes.len() {
            let block = block_at(bytes, at, &mut padded);
            batch.push(&classify(block));
            at += BLOCK;
        }
        batch.derive::<L>();
        each.batch(batch);
    }
}

/// What each mask means, one byte at a time.
pub(crate) fn classify_portable(block: &[u8; BLOCK + AHEAD], literals: &Fingerprints) -> Masks {
    let mut masks = Masks::default();
    for (i, &byte) in block[..BLOCK].iter().enumerate() {
        let bit = |is_set: bool| u64::from(is_set) << i;
        masks.quote |= bit(byte == b'"');
        masks.backslash |= bit(byte == b'\\');
        masks.colon |= bit(byte == b':');
        masks.dot |= bit(byte == b'.');
        masks.alone |= bit(matches!(byte, b'@' | 0x1b));
        masks.percent |= bit(byte == b'%');
        masks.digit |= bit(byte.is_ascii_digit());
        masks.hex |= bit(byte.is_ascii_hexdigit());
        masks.alnum |= bit(byte.is_ascii_alphanumeric());
        masks.escape |= bit(matches!(byte, b'u' | b'x' | b'/'));
        masks.equals |= bit(matches!(byte, b'=' | b';' | b'|' | b'>'));
        masks.separator |= bit(matches!(byte, b' ' | b'+' | b'-' | b'.' | b'/'));
        masks.joiner |= bit(matches!(byte, b'+' | b'-' | b'_' | b'/'));
        masks.high |= bit(byte >= 0x80);
        masks.hash |= bit(byte == b'#');
        masks.ampersand |= bit(byte == b'&');
    }
    masks.literal = starts_portable(block, literals);
    masks
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2 {
    use super::super::shapes::Row;
    use super::{
        AHEAD, BLOCK, Batch, Batches, FINGERPRINT, Fingerprints, Lanes, Masks, any_start_with,
        for_each_batch_with,
    };
    use std::arch::x86_64::*;

    /// PERF: what `each` does with the masks is inlined, so that it too is compiled for this processor.
    ///
    /// # Safety
    /// The processor must have AVX2, BMI1 and BMI2.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) unsafe fn for_each_batch(
        bytes: &[u8],
        literals: &Fingerprints,
        batch: &mut Batch,
        each: &mut impl Batches,
    ) {
        // SAFETY: AVX2 is there by this function's contract.
        let tables = unsafe { Tables::load(literals) };
        // SAFETY: as above; `block` is an array of exactly the bytes that `classify` reads.
        if literals.is_empty() {
            for_each_batch_with::<Four>(bytes, batch, each, |block| unsafe {
                classify::<false>(block, &tables)
            });
        } else {
            for_each_batch_with::<Four>(bytes, batch, each, |block| unsafe {
                classify::<true>(block, &tables)
            });
        }
    }

    /// # Safety
    /// The processor must have AVX2, BMI1 and BMI2.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(super) unsafe fn any_start(
        bytes: &[u8],
        literals: &Fingerprints,
        each: impl FnMut(usize) -> bool,
    ) -> bool {
        // SAFETY: AVX2 is there by this function's contract; both halves lie in the block with its look-ahead.
        let tables = unsafe { Tables::load(literals) };
        any_start_with(bytes, each, |block| unsafe {
            let load = |from: usize, k: usize| _mm256_loadu_si256(block.as_ptr().add(from + k).cast());
            let (a, b) = (literal(|k| load(0, k), &tables), literal(|k| load(32, k), &tables));
            u64::from(a) | u64::from(b) << 32
        })
    }

    /// The masks of four blocks. Only made and used below [`for_each_batch`], which has AVX2.
    #[derive(Clone, Copy)]
    struct Four(__m256i);

    // SAFETY, in all methods: they are inlined into `for_each_batch` and called from nowhere else, so AVX2 is there.
    // The loads and stores are unaligned, and the slices they go to are four masks long.
    impl Lanes for Four {
        const COUNT: usize = 4;

        #[inline(always)]
        fn at(row: &Row, i: usize) -> Self {
            Self(unsafe { _mm256_loadu_si256(row[i..i + 4].as_ptr().cast()) })
        }

        #[inline(always)]
        fn put(self, row: &mut Row, i: usize) {
            unsafe { _mm256_storeu_si256(row[i..i + 4].as_mut_ptr().cast(), self.0) };
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            Self(unsafe { _mm256_and_si256(self.0, other.0) })
        }

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            Self(unsafe { _mm256_or_si256(self.0, other.0) })
        }

        #[inline(always)]
        fn and_not(self, other: Self) -> Self {
            Self(unsafe { _mm256_andnot_si256(other.0, self.0) })
        }

        #[inline(always)]
        fn shifted<const K: u32>(self) -> Self {
            Self(unsafe { _mm256_sll_epi64(self.0, _mm_cvtsi32_si128(K.cast_signed())) })
        }

        #[inline(always)]
        fn behind<const K: u32>(self, last: Self) -> Self {
            let below = unsafe { _mm256_srl_epi64(last.0, _mm_cvtsi32_si128((64 - K).cast_signed())) };
            self.shifted::<K>().or(Self(below))
        }
    }

    struct Tables {
        low: [__m256i; FINGERPRINT],
        high: [__m256i; FINGERPRINT],
    }

    impl Tables {
        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn load(literals: &Fingerprints) -> Self {
            // SAFETY: each table is 16 bytes long, and the load is unaligned.
            let twice = |table: &[u8; 16]| unsafe {
                _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()))
            };
            Self {
                low: std::array::from_fn(|k| twice(&literals.low[k])),
                high: std::array::from_fn(|k| twice(&literals.high[k])),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn classify<const LITERALS: bool>(block: &[u8; BLOCK + AHEAD], tables: &Tables) -> Masks {
        // SAFETY: AVX2 by contract; four unaligned loads of 32 at offsets 0 to 3 of either half read bytes 0..67 of 67.
        let load =
            |half: usize, k: usize| unsafe { _mm256_loadu_si256(block.as_ptr().add(half * 32 + k).cast()) };
        let both = [load(0, 0), load(1, 0)];
        // PERF: each kind goes from the vectors to its mask at once; by way of a struct of halves all of them were
        // written to memory and read again.
        let bits = |[a, b]: [__m256i; 2]| {
            let (low, high) = (_mm256_movemask_epi8(a), _mm256_movemask_epi8(b));
            u64::from(low.cast_unsigned()) | u64::from(high.cast_unsigned()) << 32
        };
        let is = |byte: u8| {
            let byte = _mm256_set1_epi8(byte.cast_signed());
            [_mm256_cmpeq_epi8(both[0], byte), _mm256_cmpeq_epi8(both[1], byte)]
        };
        let any = |[a, b]: [__m256i; 2], [c, d]: [__m256i; 2]| [_mm256_or_si256(a, c), _mm256_or_si256(b, d)];
        let folded = any(both, [_mm256_set1_epi8(0x20); 2]);
        // Wrapping subtraction, then an unsigned comparison by way of the minimum.
        let within = |x: __m256i, first: u8, span: u8| {
            let distance = _mm256_sub_epi8(x, _mm256_set1_epi8(first.cast_signed()));
            _mm256_cmpeq_epi8(_mm256_min_epu8(distance, _mm256_set1_epi8(span.cast_signed())), distance)
        };
        let between =
            |[a, b]: [__m256i; 2], first: u8, span: u8| [within(a, first, span), within(b, first, span)];
        let (dot, slash) = (is(b'.'), is(b'/'));
        let parted = any(any(is(b'+'), is(b'-')), slash);
        let digit = between(both, b'0', 9);
        let starts = || {
            let (a, b) = (literal(|k| load(0, k), tables), literal(|k| load(1, k), tables));
            u64::from(a) | u64::from(b) << 32
        };
        Masks {
            quote: bits(is(b'"')),
            backslash: bits(is(b'\\')),
            colon: bits(is(b':')),
            dot: bits(dot),
            alone: bits(any(is(b'@'), is(0x1b))),
            percent: bits(is(b'%')),
            digit: bits(digit),
            hex: bits(any(digit, between(folded, b'a', 5))),
            alnum: bits(any(digit, between(folded, b'a', 25))),
            escape: bits(any(any(is(b'u'), is(b'x')), slash)),
            equals: bits(any(any(is(b'='), is(b'>')), any(is(b';'), is(b'|')))),
            separator: bits(any(any(is(b' '), dot), parted)),
            joiner: bits(any(is(b'_'), parted)),
            high: bits(both),
            hash: bits(is(b'#')),
            ampersand: bits(is(b'&')),
            literal: if LITERALS { starts() } else { 0 },
        }
    }

    /// Where a literal may begin.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn literal(load: impl Fn(usize) -> __m256i, tables: &Tables) -> u32 {
        let nibble = _mm256_set1_epi8(0x0f);
        let mut buckets = _mm256_set1_epi8(-1);
        for k in 0..FINGERPRINT {
            let folded = _mm256_or_si256(load(k), _mm256_set1_epi8(0x20));
            let low = _mm256_and_si256(folded, nibble);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(folded), nibble);
            let found = _mm256_and_si256(
                _mm256_shuffle_epi8(tables.low[k], low),
                _mm256_shuffle_epi8(tables.high[k], high),
            );
            buckets = _mm256_and_si256(buckets, found);
        }
        !_mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, _mm256_setzero_si256())).cast_unsigned()
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512 {
    use super::super::shapes::Row;
    use super::{
        AHEAD, BLOCK, Batch, Batches, FINGERPRINT, Fingerprints, Lanes, Masks, any_start_with,
        for_each_batch_with,
    };
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor must have AVX512F, AVX512BW, AVX512-VBMI2, BMI1 and BMI2.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2")]
    pub(super) unsafe fn for_each_batch(
        bytes: &[u8],
        literals: &Fingerprints,
        batch: &mut Batch,
        each: &mut impl Batches,
    ) {
        // SAFETY: the features are there by this function's contract.
        let tables = unsafe { Tables::load(literals) };
        // SAFETY: as above; `block` is an array of exactly the bytes that `classify` reads.
        if literals.is_empty() {
            for_each_batch_with::<Eight>(bytes, batch, each, |block| unsafe {
                classify::<false>(block, &tables)
            });
        } else {
            for_each_batch_with::<Eight>(bytes, batch, each, |block| unsafe {
                classify::<true>(block, &tables)
            });
        }
    }

    /// # Safety
    /// The processor must have AVX512F, AVX512BW, AVX512-VBMI2, BMI1 and BMI2.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2")]
    pub(super) unsafe fn any_start(
        bytes: &[u8],
        literals: &Fingerprints,
        each: impl FnMut(usize) -> bool,
    ) -> bool {
        // SAFETY: the features are there by this function's contract; four loads of 64 at offsets 0 to 3 read bytes 0..67 of 67.
        let tables = unsafe { Tables::load(literals) };
        any_start_with(bytes, each, |block| unsafe {
            literal(|k| _mm512_loadu_si512(block.as_ptr().add(k).cast()), &tables)
        })
    }

    /// The masks of eight blocks. Only made and used below [`for_each_batch`], which has the features.
    #[derive(Clone, Copy)]
    struct Eight(__m512i);

    // SAFETY, in all methods: they are inlined into `for_each_batch` and called from nowhere else, so the features are there.
    // The loads and stores are unaligned, and the slices they go to are eight masks long.
    impl Lanes for Eight {
        const COUNT: usize = 8;

        #[inline(always)]
        fn at(row: &Row, i: usize) -> Self {
            Self(unsafe { _mm512_loadu_si512(row[i..i + 8].as_ptr().cast()) })
        }

        #[inline(always)]
        fn put(self, row: &mut Row, i: usize) {
            unsafe { _mm512_storeu_si512(row[i..i + 8].as_mut_ptr().cast(), self.0) };
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            Self(unsafe { _mm512_and_si512(self.0, other.0) })
        }

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            Self(unsafe { _mm512_or_si512(self.0, other.0) })
        }

        #[inline(always)]
        fn and_not(self, other: Self) -> Self {
            Self(unsafe { _mm512_andnot_si512(other.0, self.0) })
        }

        #[inline(always)]
        fn shifted<const K: u32>(self) -> Self {
            Self(unsafe { _mm512_sllv_epi64(self.0, _mm512_set1_epi64(i64::from(K))) })
        }

        #[inline(always)]
        fn behind<const K: u32>(self, last: Self) -> Self {
            Self(unsafe { _mm512_shldv_epi64(self.0, last.0, _mm512_set1_epi64(i64::from(K))) })
        }
    }

    struct Tables {
        low: [__m512i; FINGERPRINT],
        high: [__m512i; FINGERPRINT],
    }

    impl Tables {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn load(literals: &Fingerprints) -> Self {
            // SAFETY: each table is 16 bytes long, and the load is unaligned.
            let four_times =
                |table: &[u8; 16]| unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast())) };
            Self {
                low: std::array::from_fn(|k| four_times(&literals.low[k])),
                high: std::array::from_fn(|k| four_times(&literals.high[k])),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn classify<const LITERALS: bool>(block: &[u8; BLOCK + AHEAD], tables: &Tables) -> Masks {
        // SAFETY: the features by contract; four unaligned loads of 64 at offsets 0 to 3 read bytes 0..67 of 67.
        let load = |k: usize| unsafe { _mm512_loadu_si512(block.as_ptr().add(k).cast()) };
        let bytes = load(0);
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte.cast_signed()));
        let between = |bytes: __m512i, first: u8, span: u8| {
            let distance = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first.cast_signed()));
            _mm512_cmple_epu8_mask(distance, _mm512_set1_epi8(span.cast_signed()))
        };
        let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
        let (dot, slash) = (is(b'.'), is(b'/'));
        let parted = is(b'+') | is(b'-') | slash;
        let digit = between(bytes, b'0', 9);
        Masks {
            quote: is(b'"'),
            backslash: is(b'\\'),
            colon: is(b':'),
            dot,
            alone: is(b'@') | is(0x1b),
            percent: is(b'%'),
            digit,
            hex: digit | between(folded, b'a', 5),
            alnum: digit | between(folded, b'a', 25),
            escape: is(b'u') | is(b'x') | slash,
            equals: is(b'=') | is(b';') | is(b'|') | is(b'>'),
            separator: is(b' ') | dot | parted,
            joiner: is(b'_') | parted,
            high: _mm512_movepi8_mask(bytes),
            hash: is(b'#'),
            ampersand: is(b'&'),
            literal: if LITERALS { literal(load, tables) } else { 0 },
        }
    }

    /// Where a literal may begin.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn literal(load: impl Fn(usize) -> __m512i, tables: &Tables) -> u64 {
        let nibble = _mm512_set1_epi8(0x0f);
        let mut buckets = _mm512_set1_epi8(-1);
        for k in 0..FINGERPRINT {
            let folded = _mm512_or_si512(load(k), _mm512_set1_epi8(0x20));
            let low = _mm512_and_si512(folded, nibble);
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(folded), nibble);
            let found = _mm512_and_si512(
                _mm512_shuffle_epi8(tables.low[k], low),
                _mm512_shuffle_epi8(tables.high[k], high),
            );
            buckets = _mm512_and_si512(buckets, found);
        }
        _mm512_test_epi8_mask(buckets, buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::{BATCH, Shapes};
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Gathered(Vec<Shapes>);

    impl Batches for Gathered {
        fn batch(&mut self, batch: &Batch) {
            self.0.extend((0..batch.len()).map(|nth| batch.block(nth)));
        }
    }

    /// The shapes of every block, which are derived from all of its masks.
    fn blocks(classifier: Classifier, bytes: &[u8]) -> Vec<Shapes> {
        let mut all = Gathered::default();
        classifier.for_each_batch(bytes, &foo_bar(), &mut Batch::default(), &mut all);
        all.0
    }

    fn foo_bar() -> Fingerprints {
        Fingerprints::new([b"foo".as_slice(), b"barbar", b"eyj", b"://"].into_iter())
    }

    /// Bytes of which most have a meaning, over three batches.
    fn telling_bytes() -> impl Strategy<Value = Vec<u8>> {
        let telling =
            proptest::sample::select(b"\"\\:.@\x1b%0a9fzu/=;|> -+_&#\xc2\xa0 foobarEYJ://".to_vec());
        proptest::collection::vec(prop_oneof![3 => telling, 1 => any::<u8>()], 0..3 * BATCH * BLOCK)
    }

    #[test]
    fn every_byte_value_is_classified_alike() {
        let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let (safe, others) = Classifier::twins();
        for other in others {
            assert_eq!(blocks(other, &bytes), blocks(safe, &bytes), "{:?}", other.level);
        }
    }

    #[test]
    fn a_literal_is_never_missed_whatever_its_case_and_place() {
        let (safe, others) = Classifier::twins();
        for place in 0..150 {
            for literal in ["foo", "BarBar", "EYJ", "fOO"] {
                let mut bytes = vec![b'-'; 160];
                bytes[place..place + literal.len()].copy_from_slice(literal.as_bytes());
                for classifier in others.iter().chain([&safe]) {
                    let masks = blocks(*classifier, &bytes);
                    assert_ne!(masks[place / 64].literal & (1 << (place % 64)), 0, "{literal} at {place}");
                }
            }
        }
    }

    fn starts(classifier: Classifier, bytes: &[u8]) -> Vec<usize> {
        let mut places = Vec::new();
        classifier.any_start(bytes, &foo_bar(), |at| {
            places.push(at);
            false
        });
        places
    }

    #[test]
    fn every_literal_is_asked_about_until_one_is_it() {
        let text = [b"-".repeat(61).as_slice(), b"foo", b"-".repeat(70).as_slice(), b"barbar"].concat();
        let (safe, others) = Classifier::twins();
        for classifier in others.into_iter().chain([safe]) {
            let places = starts(classifier, &text);
            assert!(places.contains(&61) && places.contains(&134), "{places:?}");
            assert!(classifier.any_start(&text, &foo_bar(), |at| at == 134));
            assert!(!classifier.any_start(&text, &foo_bar(), |at| at == 135));
        }
    }

    proptest! {
        #[test]
        fn the_twins_agree_on_starts(bytes in telling_bytes()) {
            let (safe, others) = Classifier::twins();
            for other in others {
                prop_assert_eq!(starts(other, &bytes), starts(safe, &bytes));
            }
        }

        #[test]
        fn the_twins_agree(bytes in telling_bytes()) {
            let (safe, others) = Classifier::twins();
            for other in others {
                prop_assert_eq!(blocks(other, &bytes), blocks(safe, &bytes));
            }
        }
    }
}
