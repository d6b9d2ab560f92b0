use super::*;
use crate::pattern::{Class, PatternSet, embedded};
use crate::redact::{Action, ItemScope, Plan, Policy, PseudonymKey, ScanLimits, Scrubber, Verdict};
use std::sync::{Arc, LazyLock};

static SET: LazyLock<Arc<PatternSet>> = LazyLock::new(|| {
    Arc::new(PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set"))
});

/// One that looks at each string once beside one that looks at all of them: both must say the same.
struct Pair {
    once: Scrubber,
    each: Scrubber,
}

impl Pair {
    fn under(policy: Policy) -> Self {
        let plan = Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("a plan"));
        let limits = ScanLimits::default();
        let mut each = Scrubber::new(Arc::clone(&plan), limits);
        each.pool.repeated = None;
        Self { once: Scrubber::new(plan, limits), each }
    }

    /// What both made of a document, which is made long enough to be asked for repetitions.
    #[track_caller]
    fn check(&mut self, document: &str) -> String {
        let document = &format!("{document}{}", " ".repeat(REPEATING_BYTES_MIN));
        let scrub = |scrubber: &mut Scrubber| -> (String, Verdict) {
            let mut out = Vec::new();
            let verdict = scrubber.event(ItemScope::Sentry, document.as_bytes(), &mut out);
            (String::from_utf8(out).expect("text"), verdict)
        };
        // Whoever has nothing left of earlier documents feels each look.
        (self.once.pool.credit, self.each.pool.credit) = (0, 0);
        let (once, each) = (scrub(&mut self.once), scrub(&mut self.each));
        assert_eq!(once, each, "{document}");
        assert_eq!(self.once.counts(), self.each.counts(), "{document}");
        assert_eq!(self.once.pool.credit, self.each.pool.credit, "{document}");
        once.0
    }
}

/// Policies that replace, keep, tell apart and leave out.
fn policies() -> Vec<Policy> {
    let with =
        |key, actions: &[(Class, Action)]| Policy { key, actions: actions.to_vec(), ..Policy::default() };
    let told = [(Class::Email, Action::Pseudonym), (Class::UserId, Action::Pseudonym)];
    vec![
        Policy::default(),
        with(None, &[(Class::Email, Action::Keep)]),
        with(Some(PseudonymKey(vec![7; 32])), &told),
        with(None, &[(Class::IpAddress, Action::DropItem)]),
    ]
}

#[test]
fn what_is_said_again_is_found_again_without_a_look() {
    let mut pair = Pair::under(Policy::default());
    let values = vec![r#""from jane.roe@example.com at 192.0.2.7""#; 50].join(",");
    let out = pair.check(&format!(r#"{{"notes":[{values}]}}"#));
    assert_eq!(out.matches("from [email] at [ip]").count(), 50, "{out}");
    let repeated = pair.once.pool.repeated.as_ref().expect("given back");
    assert_eq!(repeated.edits.len(), 2, "looked at once");
}

#[test]
fn a_string_is_another_where_other_keys_or_rules_lead_to_it() {
    for (document, want) in [
        // Under a rule, under none, and the other way round.
        (
            r#"{"a":"teal fox 17","password":"teal fox 17"}"#,
            r#"{"a":"teal fox 17","password":"[credential]"}"#,
        ),
        (
            r#"{"password":"teal fox 17","a":"teal fox 17"}"#,
            r#"{"password":"[credential]","a":"teal fox 17"}"#,
        ),
        // A word of a key is context, whether the key is near or far.
        (
            r#"{"order":{"n":"536-22-6726"},"ssn":{"n":"536-22-6726"}}"#,
            r#"{"order":{"n":"536-22-6726"},"ssn":{"n":"[national_id]"}}"#,
        ),
        (
            r#"{"ssn":[["536-22-6726"]],"order":[["536-22-6726"]]}"#,
            r#"{"ssn":[["[national_id]"]],"order":[["536-22-6726"]]}"#,
        ),
        // Containers that end and begin anew at the same depth.
        (
            r#"[{"ssn":{"n":"536-22-6726"}},{"order":{"n":"536-22-6726"}},{"ssn":{"n":"536-22-6726"}}]"#,
            r#"[{"ssn":{"n":"[national_id]"}},{"order":{"n":"536-22-6726"}},{"ssn":{"n":"[national_id]"}}]"#,
        ),
        // A key and a value, and keys that are numbered.
        (
            r#"{"jane@example.com":"jane@example.com","a":{"jane@example.com":1},"b":{"jane@example.com":2}}"#,
            r#"{"[email]#1":"[email]","a":{"[email]#2":1},"b":{"[email]#3":2}}"#,
        ),
    ] {
        let mut out = Vec::new();
        Pair::under(Policy::default()).once.item(
            crate::redact::ItemFormat::Json,
            ItemScope::Sentry,
            format!("{document}{}", " ".repeat(REPEATING_BYTES_MIN)).as_bytes(),
            &mut out,
        );
        assert_eq!(String::from_utf8(out).expect("text").trim_end(), want);
        policies().into_iter().for_each(|policy| drop(Pair::under(policy).check(document)));
    }
}

#[test]
fn what_was_taught_or_decoded_or_let_by_is_so_again() {
    let many = |list: &[&str], times: usize| vec![list.join(","); times].join(",");
    let users: Vec<String> =
        (0..20).map(|n| format!(r#"{{"user":{{"username":"orinoco-{n}","id":"{n}1234567"}}}}"#)).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let documents = [
        // Taught, and said elsewhere before and behind; more than there is room for.
        format!(r#"{{"m":"by orinoco-3 now","l":[{}],"n":"by orinoco-19"}}"#, many(&users, 4)),
        // Spelled in escapes, and taught behind.
        format!(
            r#"{{"l":[{}],"user":{{"username":"orinoco-42"}}}}"#,
            many(&[r#""by \u006frinoco-42""#, r#""aGVsbG8gZnJvbSBvcmlub2NvLTQyIGFuZCBhbGw=""#], 5)
        ),
        // Documents in strings.
        format!(
            r#"{{"l":[{}]}}"#,
            many(
                &[r#""{\"user\":{\"username\":\"orinoco-42\"},\"m\":\"by orinoco-42, jane@example.com\"}""#],
                6
            )
        ),
        // Walked twice, for what stands beside.
        format!(
            r#"{{"l":[{}],"jane@example.com":1}}"#,
            many(&[r#"{"content":"by orinoco-42","user":{"username":"orinoco-42"},"role":"user"}"#], 6)
        ),
        // Nothing left to pay with.
        format!(
            r#"{{"l":[{}]}}"#,
            many(&[&format!(r#""{}""#, "a@b.c,192.0.2.7;password=x ".repeat(12))], 40)
        ),
        // Whole strings that become null, and numbers.
        format!(r#"{{"l":[{}]}}"#, many(&[r#"{"ip_address":"192.0.2.7","card":4111111111111111}"#], 6)),
    ];
    for policy in policies() {
        let mut pair = Pair::under(policy);
        for document in &documents {
            pair.check(document);
        }
    }
}

#[test]
fn windows_of_a_long_document_know_nothing_of_each_other() {
    let mut pair = Pair::under(Policy::default());
    let blanks = " ".repeat(REPEATING_BYTES_MIN);
    let windows = [
        &format!(r#"{{"ssn":{{"n":"536-22-6726",{blanks}"#),
        r#""m":"536-22-6726"},"order":{"#,
        &format!(r#""n":"536-22-6726"}}}}{blanks}"#),
    ];
    let scrub = |scrubber: &mut Scrubber| {
        let (mut out, mut rest) = (Vec::new(), Vec::new());
        scrubber.begin_long(ItemScope::Sentry);
        for (nth, window) in windows.iter().enumerate() {
            rest.extend_from_slice(window.as_bytes());
            let (used, _) =
                scrubber.long_window(ItemScope::Sentry, &rest, nth == 2, &mut out).expect("a document");
            rest.drain(..used);
        }
        String::from_utf8(out).expect("text").replace(&blanks, "")
    };
    let once = scrub(&mut pair.once);
    assert_eq!(once, scrub(&mut pair.each));
    assert_eq!(once, r#"{"ssn":{"n":"[national_id]","m":"[national_id]"},"order":{"n":"536-22-6726"}}"#);
}

#[test]
fn what_is_held_has_a_bound() {
    let mut pair = Pair::under(Policy::default());
    let values: Vec<String> = (0..3 * LEFT_MAX).map(|n| format!(r#""{n}@example.com""#)).collect();
    pair.check(&format!(r#"{{"l":[{},{}]}}"#, values.join(","), values[..9].join(",")));
    let repeated = pair.once.pool.repeated.as_ref().expect("given back");
    assert!(repeated.edits.len() <= LEFT_MAX && repeated.slots.len() <= SLOTS);
}

/// Documents of few keys and few values in any order: what was said before never changes what comes out.
#[test]
fn random_documents_come_out_as_if_each_string_was_looked_at() {
    const DOCUMENTS: usize = 1_200;
    const KEYS: &[&str] = &[
        "a",
        "b",
        "note",
        "name",
        "value",
        "key",
        "user",
        "username",
        "email",
        "id",
        "ip_address",
        "password",
        "ssn",
        "order",
        "content",
        "role",
        "messages",
        "data",
        "frames",
        "vars",
        "headers",
        "0",
        "text",
        "jane.roe@example.com",
        "api_key",
        "tags",
        "attributes",
        "type",
    ];
    const VALUES: &[&str] = &[
        r#""jane.roe@example.com""#,
        r#""from 192.0.2.7 again""#,
        r#""192.0.2.7""#,
        r#""by orinoco-42 today""#,
        r#""orinoco-42""#,
        r#""'orinoco-42'""#,
        r#""someone-else""#,
        r#""the number is 536 22 6726 here""#,
        r#""536-22-6726""#,
        r#""4111 1111 1111 1111""#,
        r#""user""#,
        r#""assistant""#,
        r#""password""#,
        r#""--password""#,
        r#""password=teal-fox-17&a=b""#,
        r#""teal fox 17, and some words of no matter""#,
        r#""    return pay(cart[0], {\"id\": cart})""#,
        r#""{\"note\":\"teal fox\",\"user\":{\"username\":\"orinoco-42\"}}""#,
        r#""[{\"password\":\"teal fox 17\"},\"jane.roe@example.com\"]""#,
        r#""aGVsbG8gamFuZS5yb2VAZXhhbXBsZS5jb20gaG93IGFyZSB5b3U=""#,
        r#""\u006frinoco-42 is spelled""#,
        r#""https://example.com/a?email=jane.roe%40example.com""#,
        r#""Bearer abcdefghijklmnopqrstuvwxyz0123456789""#,
        "17",
        "4111111111111111",
        "null",
    ];
    struct Dice(u64);
    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % end
        }

        fn container(&mut self, depth: usize, keys: &[&str], values: &[&str]) -> String {
            let is_array = self.below(3) == 0;
            let members: Vec<String> = (0..1 + self.below(6))
                .map(|_| {
                    let value = match self.below(3) {
                        0 if depth > 0 => self.container(depth - 1, keys, values),
                        _ => values[self.below(values.len())].to_owned(),
                    };
                    let key = keys[self.below(keys.len())];
                    if is_array { value } else { format!(r#""{key}":{value}"#) }
                })
                .collect();
            let inside = members.join(",");
            if is_array { format!("[{inside}]") } else { format!("{{{inside}}}") }
        }
    }
    let mut dice = Dice(11);
    let mut pairs: Vec<Pair> = policies().into_iter().map(Pair::under).collect();
    for nth in 0..DOCUMENTS {
        // Few of each, so that most are said more than once.
        let few = |dice: &mut Dice, list: &[&'static str]| -> Vec<&'static str> {
            (0..4).map(|_| list[dice.below(list.len())]).collect()
        };
        let (keys, values) = (few(&mut dice, KEYS), few(&mut dice, VALUES));
        let count = pairs.len();
        pairs[nth % count].check(&dice.container(4, &keys, &values));
    }
}
