//! Is a whole value one word that was drawn by chance? Stricter than [`entropy`](super::entropy), for values that nothing but a
//! name like `some_key` tells of: there labels, paths and names of things stand as often as secrets.

/// Shortest and longest such value.
const BYTES_MIN: usize = 20;
const BYTES_MAX: usize = 512;
/// Letters and digits side by side that one needs somewhere: names are joined of shorter words.
const RUN_BYTES_MIN: usize = 12;
/// Different bytes that one has; random hex of 20 digits holds about eleven.
const DISTINCT_MIN: u32 = 8;
/// Of so many letters and digits one is of another kind than the one before it: of random hex every second, of random
/// letters and digits every third, of words with a number behind every tenth.
const SHARE: usize = 6;
/// Lengths of the parts of a UUID, which names things more often than it opens them.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// True for letters and digits in no order, with `_`, `-` and what base64 has between them.
///
/// Quotes around it are no part of it, nor is the `b` before those of Python: SDKs send variables as the language prints them.
pub(crate) fn is_drawn(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"b").filter(|rest| rest.starts_with(b"'")).unwrap_or(value);
    let value = value.strip_prefix(b"'").and_then(|value| value.strip_suffix(b"'")).unwrap_or(value);
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    let of_it = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+/=".contains(byte);
    if !(BYTES_MIN..=BYTES_MAX).contains(&value.len()) || !value.iter().all(of_it) || is_uuid(value) {
        return false;
    }
    let runs = || value.split(|byte| !byte.is_ascii_alphanumeric());
    let seen = value.iter().fold(0_u128, |seen, byte| seen | 1 << (byte & 0x7f));
    let digits = value.iter().any(u8::is_ascii_digit);
    let capitals = value.windows(2).any(|pair| pair.iter().all(u8::is_ascii_uppercase));
    runs().any(|run| run.len() >= RUN_BYTES_MIN)
        && seen.count_ones() >= DISTINCT_MIN
        && value.iter().any(u8::is_ascii_alphabetic)
        && (digits || capitals)
        && runs().map(changes).sum::<usize>() * SHARE >= runs().map(<[u8]>::len).sum()
}

/// How often a run goes from lower case, upper case or digits to another of them. The first letter of a word in the middle
/// of a name, `userName`, is none.
fn changes(run: &[u8]) -> usize {
    let kind = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let is_change = |at: &usize| {
        let (before, byte) = (&run[at - 1], &run[*at]);
        let word = byte.is_ascii_uppercase() && run.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let of_word = before.is_ascii_uppercase() && byte.is_ascii_lowercase();
        kind(before) != kind(byte) && !of_word && !(word && before.is_ascii_lowercase())
    };
    (1..run.len()).filter(is_change).count()
}

fn is_uuid(value: &[u8]) -> bool {
    let parts = value.split(|byte| *byte == b'-').map(<[u8]>::len);
    parts.eq(UUID) && value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_told_from_what_is_named() {
        for (value, want) in [
            ("9f86d081884c7d659a2feaa0c55ad015", true),
            ("k3J9sLq0ZxW8vB2nM5tY", true),
            ("'k3J9sLq0ZxW8vB2nM5tY'", true),
            ("b'k3J9sLq0ZxW8vB2nM5tY'", true),
            ("k3J9sLq0ZxW8vB2nM5t", false),
            ("X7QW2KD9PL4MZ8RT3VNB", true),
            ("wJ4lrXUtn2FEMI/K7MDENG+bPx2fiCY1zQ9dT0==", true),
            ("wJ4l-rXUt-FEMI-K7MD-bPx2-fiCY", false),
            ("7bce8a4b-ef09-4ac1-8b61-4c7a6a2e61a6", false),
            ("user-profile-2024-settings-v2", false),
            ("userProfileSettingsPage2", false),
            ("MacBookPro16Inch2021Silver", false),
            ("campaign2024springsaleBanner", false),
            ("uploads/2024/11/27/picture_1.png", false),
            ("20240305123456789012", false),
            ("checkout_form_label_of_the_submit_button", false),
            ("k3J9sLq0ZxW8 B2nM5tYuR", false),
            ("a1a1a1a1a1a1a1a1a1a1a1a1", false),
            ("{\"k3J9sLq0ZxW8vB2nM5tY\":1}", false),
        ] {
            assert_eq!(is_drawn(value.as_bytes()), want, "{value}");
        }
        let of = |bytes: usize| "k3J9sLq0".repeat(bytes.div_ceil(8))[..bytes].to_owned();
        for (bytes, want) in [(19, false), (20, true), (512, true), (513, false)] {
            assert_eq!(is_drawn(of(bytes).as_bytes()), want, "{bytes} bytes");
        }
    }

    /// Of values that are drawn few may be taken for names: those of 24 bytes and more.
    #[test]
    fn nearly_all_that_is_drawn_is_known() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap_or(0) % below
        };
        let all = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for (alphabet, bytes) in [(16, 32), (16, 40), (36, 32), (36, 64), (62, 24), (62, 40)] {
            let known = (0..1000).filter(|_| {
                let value: Vec<u8> = (0..bytes).map(|_| all[next(alphabet)]).collect();
                is_drawn(&value)
            });
            let known = known.count();
            assert!(known >= 970, "{known} of 1000 with {bytes} of {alphabet}");
        }
    }
}
