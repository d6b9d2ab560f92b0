//! Sizes and durations as people write them: `256 KiB`, `10 s`.
//!
//! One unit each, whole numbers, binary sizes only: `KB` means two things to two people.

/// What a number in the configuration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A plain number.
    Count,
    /// Bytes; written as an integer or with a unit.
    Bytes,
    /// Milliseconds; always written with a unit.
    Millis,
}

const BYTES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const MILLIS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl Unit {
    fn table(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Count => &[],
            Self::Bytes => &BYTES,
            Self::Millis => &MILLIS,
        }
    }

    /// What a value of this unit looks like, for messages.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Count => "a whole number",
            Self::Bytes => "a size such as `\"256 KiB\"`, in B, KiB, MiB, GiB or TiB",
            Self::Millis => "a duration such as `\"10 s\"`, in ms, s, min, h or d",
        }
    }

    /// Whether a bare integer says enough.
    pub(super) fn takes_integer(self) -> bool {
        self != Self::Millis
    }

    /// Reads digits, an optional space and a unit. `None` if that is not what `text` is, or it is too big.
    pub(super) fn parse(self, text: &str) -> Option<u64> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let (_, factor) = self.table().iter().find(|(name, _)| *name == unit.trim_start())?;
        number.parse::<u64>().ok()?.checked_mul(*factor)
    }

    /// `value` in the largest unit that divides it.
    pub(super) fn show(self, value: u64) -> String {
        match self.table().iter().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor)) {
            Some((name, factor)) => format!("{} {name}", value / factor),
            None => match self {
                Self::Millis => format!("{value} s"), // only 0 is divided by no unit
                Self::Bytes => format!("{value} B"),
                Self::Count => value.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Unit::{Bytes, Count, Millis};

    #[test]
    fn reads_one_number_and_one_unit() {
        for (unit, text, want) in [
            (Bytes, "256 KiB", Some(262_144)),
            (Bytes, "256KiB", Some(262_144)),
            (Bytes, " 1 B ", Some(1)),
            (Bytes, "256", None), // in a string a unit is owed
            (Bytes, "256 KB", None),
            (Bytes, "256 kib", None),
            (Bytes, "1.5 MiB", None),
            (Bytes, "-1 MiB", None),
            (Bytes, "MiB", None),
            (Bytes, "", None),
            (Bytes, "16777215 TiB", Some(16_777_215 << 40)),
            (Bytes, "16777216 TiB", None), // 2^64
            (Bytes, "99999999999999999999 B", None),
            (Millis, "10 s", Some(10_000)),
            (Millis, "10s", Some(10_000)),
            (Millis, "500 ms", Some(500)),
            (Millis, "24 h", Some(86_400_000)),
            (Millis, "2 min", Some(120_000)),
            (Millis, "1 m", None), // month, minute, milli
            (Millis, "1 h 30 min", None),
            (Count, "10 s", None),
        ] {
            assert_eq!(unit.parse(text), want, "{unit:?} {text:?}");
        }
    }

    #[test]
    fn shows_what_it_reads() {
        for (unit, value, want) in [
            (Bytes, 262_144, "256 KiB"),
            (Bytes, 1000, "1000 B"),
            (Bytes, 1 << 30, "1 GiB"),
            (Millis, 10_000, "10 s"),
            (Millis, 90_000, "90 s"),
            (Millis, 60_000, "1 min"),
            (Millis, 1_500, "1500 ms"),
        ] {
            assert_eq!(unit.show(value), want);
            assert_eq!(unit.parse(want), Some(value));
        }
        assert_eq!(Millis.show(0), "0 s");
        assert_eq!(Count.show(128), "128");
    }
}
