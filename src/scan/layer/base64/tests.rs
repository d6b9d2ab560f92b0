use super::*;
use proptest::prelude::*;

/// Runs as `start..end` of the text with what they say; `?` for what is past a bound.
fn found(text: &str) -> Vec<(&str, String)> {
    runs(text.as_bytes())
        .map(|run| {
            let plain =
                run.plain.map_or("?".to_owned(), |plain| String::from_utf8_lossy(&plain).into_owned());
            (&text[run.range], plain)
        })
        .collect()
}

#[test]
fn finds_what_says_text() {
    for (text, want) in [
        ("amFuZUBleGFtcGxlLmNvbQ==", vec![("amFuZUBleGFtcGxlLmNvbQ==", "jane@example.com")]),
        ("amFuZUBleGFtcGxlLmNvbQ", vec![("amFuZUBleGFtcGxlLmNvbQ", "jane@example.com")]),
        ("MTkyLjAuMi43", vec![("MTkyLjAuMi43", "192.0.2.7")]),
        ("id=MTkyLjAuMi43, x", vec![("MTkyLjAuMi43", "192.0.2.7")]),
        // Of paths and names, the part that says something.
        ("/track/amFuZUBleGFtcGxlLmNvbQ/open", vec![("amFuZUBleGFtcGxlLmNvbQ", "jane@example.com")]),
        ("user_id-amFuZUBleGFtcGxlLmNvbQ==", vec![("amFuZUBleGFtcGxlLmNvbQ==", "jane@example.com")]),
        // Both alphabets, where they differ.
        ("PDw/Pz8+Pj4gPz4/", vec![("PDw/Pz8+Pj4gPz4/", "<<???>>> ?>?")]),
        ("PDw_Pz8-Pj4gPz4_", vec![("PDw_Pz8-Pj4gPz4_", "<<???>>> ?>?")]),
        // Beyond ASCII.
        (
            "asO2cmdAYsO8Y2hlci5leGFtcGxl",
            vec![("asO2cmdAYsO8Y2hlci5leGFtcGxl", "j\u{f6}rg@b\u{fc}cher.example")],
        ),
        // Cut: the last letter, the last bits, a character.
        ("amFuZUBleGFtcGxlLmNvb", vec![("amFuZUBleGFtcGxlLmNvb", "jane@example.co")]),
        ("dG9sZCBqYW5lIHPDtQ", vec![("dG9sZCBqYW5lIHPDtQ", "told jane s\u{f5}")]),
        ("dG9sZCBqYW5lIHPD", vec![]),
        ("dG9sZCBqYW5lIHNzw", vec![("dG9sZCBqYW5lIHNzw", "told jane ss")]),
        // Zeros around the name of a private member.
        (
            "czo4OiIAKgBlbWFpbCI7czozOiJqYW4iOw==",
            vec![("czo4OiIAKgBlbWFpbCI7czozOiJqYW4iOw==", "s:8:\"\0*\0email\";s:3:\"jan\";")],
        ),
        // UTF-16: PowerShell's; in the other order; behind a byte order mark.
        ("agBhAG4AZQBAAGUAeAAuAG8AcgBnAA==", vec![("agBhAG4AZQBAAGUAeAAuAG8AcgBnAA==", "jane@ex.org")]),
        ("AGoAYQBuAGUAQABlAHgALgBvAHIAZw==", vec![("AGoAYQBuAGUAQABlAHgALgBvAHIAZw==", "jane@ex.org")]),
        ("//5qAGEAbgBlAEAAZQB4AC4AbwByAGcA", vec![("//5qAGEAbgBlAEAAZQB4AC4AbwByAGcA", "jane@ex.org")]),
        ("agBhAG4AAQBhAA==", vec![]),
        // Parts of a token.
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
            vec![
                ("eyJhbGciOiJIUzI1NiJ9", "{\"alg\":\"HS256\"}"),
                ("eyJzdWIiOiIxMjM0In0", "{\"sub\":\"1234\"}"),
                ("c2lnbmF0dXJl", "signature"),
            ],
        ),
        // Not text, or too short.
        ("amFuZUBleGF", vec![]),
        ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB", vec![]),
        ("", vec![]),
    ] {
        let want: Vec<_> = want.into_iter().map(|(run, plain)| (run, plain.to_owned())).collect();
        assert_eq!(found(text), want, "{text}");
    }
}

/// What code and logs are full of. None of it is decoded.
#[test]
fn leaves_names_hashes_and_tokens_alone() {
    for text in [
        "addEventListener removeEventListener getElementsByClassName dangerouslySetInnerHTML",
        "processTicksAndRejections asyncGeneratorStep performWorkUntilDeadline",
        "src/components/Checkout/PaymentForm/index.tsx node_modules/react-dom/cjs/react-dom.production.min.js",
        "django.core.handlers.base.convert_exception_to_response sentry_sdk.integrations.wsgi",
        "0123456789abcdef0123456789abcdef da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "01234567-89ab-4cde-8f01-23456789abcd 1760520026781239000",
        "application/x-www-form-urlencoded text/javascript content-security-policy",
        "AbstractSingletonProxyFactoryBean IllegalArgumentException NullPointerException",
    ] {
        assert_eq!(found(text), vec![], "{text}");
    }
}

#[test]
fn lines_are_joined_and_broken_again() {
    let plain = "told jane@example.com and joe@example.org that the fox is teal, and that it jumps over it";
    let letters = STANDARD.encode(plain);
    for (columns, end) in [(76, "\n"), (76, "\r\n"), (64, "\n"), (40, "\r\n")] {
        let broken = letters.as_bytes().chunks(columns).collect::<Vec<_>>().join(end.as_bytes());
        let broken = String::from_utf8(broken).expect("ASCII");
        for text in [broken.clone(), format!("a: {broken}{end}and so on"), format!("{broken}{end}")] {
            let all: Vec<_> = runs(text.as_bytes()).collect();
            assert_eq!(all.len(), 1, "{text}");
            assert_eq!(all[0].plain.as_deref(), Some(plain.as_bytes()));
            assert_eq!(&text[all[0].range.clone()], broken);
            assert_eq!(encode(plain.as_bytes(), all[0].style), broken.as_bytes());
        }
    }
    // What follows in the next line is a word, not a part of it.
    let text = format!("{letters}\nfoo");
    assert_eq!(found(&text), vec![(letters.as_str(), plain.to_owned())]);
}

#[test]
fn packed_text_is_unpacked_and_packed_again() {
    for packing in [Packing::Gzip, Packing::Zlib] {
        let letters = STANDARD.encode(packed::pack(b"{\"email\":\"jane@example.com\"}", packing));
        let text = format!("state={letters};");
        let all: Vec<_> = runs(text.as_bytes()).collect();
        assert_eq!(all.len(), 1, "{text}");
        assert_eq!(all[0].plain.as_deref(), Some(&b"{\"email\":\"jane@example.com\"}"[..]));
        let other = encode(b"{\"email\":\"[email]\"}", all[0].style);
        let again: Vec<_> = runs(&other).collect();
        assert_eq!((again.len(), again[0].plain.as_deref()), (1, Some(&b"{\"email\":\"[email]\"}"[..])));
        // A bomb is told, and not kept.
        let bomb = STANDARD.encode(packed::pack(&vec![b' '; 2 << 20], packing));
        assert_eq!(found(&bomb), vec![(bomb.as_str(), "?".to_owned())]);
    }
}

#[test]
fn a_known_payload_is_decoded_without_a_test() {
    for (letters, want) in [
        ("YQ==", Some("a")),
        ("YQ", Some("a")),
        ("YWI", Some("ab")),
        ("YWIx?", None),
        ("_-__", Some("\u{fffd}\u{fffd}\u{fffd}")),
    ] {
        let got = decode(letters.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(got.as_deref(), want, "{letters}");
    }
    for letters in ["YQ==", "YQ", "YWJj", "PDw_Pz8-", "PDw/Pz8+"] {
        let plain = decode(letters.as_bytes()).expect("base64");
        assert_eq!(encode(&plain, style_of(letters.as_bytes())), letters.as_bytes());
    }
}

/// Inputs on which a search that begins anew at each mark would not end in time.
#[test]
fn hostile_texts_take_linear_time() {
    let size = 1 << 20;
    let good_for_a_while = "amFuZUBleGFtcGxlLmNvbS9q/AAA";
    let inputs = [
        "/".repeat(size),
        "amFu/mFu".repeat(size / 8),
        good_for_a_while.repeat(size / good_for_a_while.len()),
        "eJwAAAAA/eJw".repeat(size / 12),
        "H4sIAAAA/H4s".repeat(size / 12),
        format!("{}/", "bm90L2VuZA".repeat(2)).repeat(size / 21),
        format!("{}\n", "YW1hbmFt".repeat(8)).repeat(size / 65) + "\u{1}",
        format!("{}/\n", "amFuZUBl".repeat(8)).repeat(size / 66) + "AAAA",
        "-_+/".repeat(size / 4),
        "amFuZUBleGFtcGxlLmNvbQ=".repeat(size / 23),
        format!("{}AQ", "YQA/AGEA".repeat(size / 8)),
    ];
    let start = std::time::Instant::now();
    for input in inputs {
        runs(input.as_bytes()).for_each(drop);
    }
    // Seconds even without optimisation; hours if it were quadratic.
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}

fn styles() -> impl Strategy<Value = Style> {
    let lines = prop_oneof![Just(None), Just(Some((76, false))), Just(Some((64, true)))];
    let packing = prop_oneof![Just(Packing::None), Just(Packing::Gzip), Just(Packing::Zlib)];
    (any::<bool>(), any::<bool>(), lines, packing).prop_map(|(url, padded, lines, packing)| Style {
        url,
        padded,
        lines,
        packing,
    })
}

proptest! {
    /// In any style, what is written is found whole and says the same.
    #[test]
    fn what_is_written_is_read(plain in "[ -~]{9,200}", style in styles()) {
        let written = encode(plain.as_bytes(), style);
        let all: Vec<_> = runs(&written).collect();
        prop_assert_eq!(all.len(), 1, "{:?}", String::from_utf8_lossy(&written));
        prop_assert_eq!(all[0].plain.as_deref(), Some(plain.as_bytes()));
        prop_assert_eq!(&all[0].range, &(0..written.len()));
        if style.packing == Packing::None {
            // What the letters do not tell (padding that is not needed) does not matter to them.
            prop_assert_eq!(encode(plain.as_bytes(), all[0].style), written);
        }
    }

    #[test]
    fn runs_are_in_order_and_apart(text in "[a-zA-Z0-9+/_=. \n-]{0,200}") {
        let mut end = 0;
        for run in runs(text.as_bytes()) {
            prop_assert!(run.range.start >= end && run.range.end <= text.len());
            prop_assert!(run.range.len() >= RUN_CHARS_MIN);
            end = run.range.end;
        }
    }
}
