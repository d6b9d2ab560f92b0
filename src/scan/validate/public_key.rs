//! Keys that their vendors hand to every browser: what ingest needs them for, and no secret.

/// Prefixes of publishable keys, and the least length of what follows.
///
/// PostHog project keys (<https://posthog.com/docs/api>), Stripe's and Clerk's publishable keys
/// (<https://docs.stripe.com/keys>), Supabase's (<https://supabase.com/docs/guides/api/api-keys>).
const PUBLIC: &[(&[u8], usize)] =
    &[(b"phc_", 20), (b"pk_live_", 10), (b"pk_test_", 10), (b"sb_publishable_", 16)];
/// Longest such key.
const KEY_BYTES_MAX: usize = 200;

/// True for a value that is nothing but one publishable key.
///
/// LEAK: by the vendor's own prefix only. A public key without one (a DSN's, a write key) cannot be told from a
/// secret; field rules of its protocol spare it.
#[must_use]
pub fn is_public_key(value: &[u8]) -> bool {
    let body = |(prefix, least): &(&[u8], usize)| {
        value.strip_prefix(*prefix).is_some_and(|body| {
            body.len() >= *least
                && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-$=".contains(byte))
        })
    };
    value.len() <= KEY_BYTES_MAX && PUBLIC.iter().any(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishable_keys_are_told_by_their_prefix() {
        for (value, want) in [
            ("phc_0123456789abcdefghijABCDEFGHIJ", true),
            ("pk_live_0123456789abcdef", true),
            ("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k", true),
            ("sb_publishable_0123456789abcdefghij_01234567", true),
            ("phx_0123456789abcdefghijABCDEFGHIJ", false),
            ("sk_live_0123456789abcdef", false),
            ("phc_short", false),
            ("phc_0123456789abcdefghij and more", false),
            ("x phc_0123456789abcdefghij", false),
            ("0123456789abcdef0123456789abcdef", false),
        ] {
            assert_eq!(is_public_key(value.as_bytes()), want, "{value}");
        }
        assert!(!is_public_key(format!("phc_{}", "a".repeat(197)).as_bytes()));
    }
}
