use super::*;
use crate::command::demo::samples;

#[test]
fn shows_what_changed_and_nothing_else() {
    let before = br#"{"event_id":"ba5e","level":"error","message":"login by ada@example.com from 192.0.2.7","user":{"ip_address":"192.0.2.7","email":"ada@example.com"},"n":1}"#;
    let after = br#"{"event_id":"ba5e","level":"error","message":"login by [email] from [ip]","user":{"ip_address":null,"email":"[email]"},"n":1}"#;
    let want = "\
field           │ before                                  │ after
message         │ login by ada@example.com from 192.0.2.7 │ login by [email] from [ip]
user.email      │ ada@example.com                         │ [email]
user.ip_address │ 192.0.2.7                               │ null
3 fields changed: 1 [ip], 2 [email], 1 null (153 -> 125 bytes)
";
    assert_eq!(render_side_by_side(before, after, 98, false), want);
}

#[test]
fn a_narrow_terminal_gets_one_under_the_other() {
    let want = "\
user.email
- ada@example.com
+ [email]
1 field changed: 1 [email] (36 -> 28…
";
    let before = br#"{"user":{"email":"ada@example.com"}}"#;
    assert_eq!(render_side_by_side(before, br#"{"user":{"email":"[email]"}}"#, 37, false), want);
}

#[test]
fn long_values_are_shown_around_the_first_difference() {
    let lead = "nothing to see here, ".repeat(10);
    let body = |mail: &str| format!("{{\"text\":\"{lead}{mail} and more\"}}").into_bytes();
    let text = render_side_by_side(&body("ada@example.com"), &body("[email]"), 80, false);
    let row = text.lines().nth(1).expect("one row");
    assert_eq!(row, "text  │ …o see here, ada@example.com and m… │ …o see here, [email] and more");
}

#[test]
fn json_inside_a_string_is_compared_field_by_field() {
    let body = |content: &str| {
        let inner = format!("[{{\"role\":\"user\",\"content\":\"{content}\"}}]");
        serde_json::json!({ "gen_ai.input.messages": inner }).to_string().into_bytes()
    };
    let text = render_side_by_side(&body("A red fox"), &body("[prompt chars=9 words=3]"), 90, false);
    assert!(text.contains("input.messages[0].content │ A red fox "), "{text}");
    assert!(text.contains("1 field changed: 1 [prompt] "), "{text}");
}

#[test]
fn envelope_bookkeeping_is_left_out() {
    let before =
        b"{\"event_id\":\"a\"}\n{\"type\":\"event\",\"length\":29}\n{\"message\":\"ada@example.com\"}\n";
    let after = b"{\"event_id\":\"a\"}\n{\"type\":\"event\",\"length\":21}\n{\"message\":\"[email]\"}\n";
    let text = render_side_by_side(before, after, 80, false);
    assert!(!text.contains("length"), "{text}");
    assert!(text.contains("message │ ada@example.com"), "{text}");
}

#[test]
fn lines_and_forms_are_compared_one_by_one() {
    let text = render_side_by_side(
        b"{\"a\":1}\n{\"a\":\"192.0.2.7\"}\n",
        b"{\"a\":1}\n{\"a\":\"[ip]\"}\n",
        80,
        false,
    );
    assert!(text.contains("line 2.a │ 192.0.2.7 "), "{text}");
    let text = render_side_by_side(b"a=1&mail=ada%40example.com", b"a=1&mail=%5Bemail%5D", 80, false);
    assert!(text.contains("mail  │ ada%40example.com"), "{text}");
    assert!(text.contains("1 field changed: 1 [email] "), "{text}");
    let text = render_side_by_side(b"from 192.0.2.7 port 80", b"from [ip] port 80", 80, false);
    assert!(text.contains("│ from 192.0.2.7 port 80"), "{text}");
    let text = render_side_by_side(b"1\n2\n", b"1\n", 80, false);
    assert!(text.contains("(left out)"), "{text}");
}

#[test]
fn nothing_found_is_one_line() {
    assert_eq!(
        render_side_by_side(b"{}", b"{}", 80, true),
        "\x1b[1mnothing found: 2 bytes leave as they came\x1b[0m\n"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [20, 40, 63, 64, 65, 80, 120, 200] {
        for sample in samples().take(12) {
            // Any change will do: every e-mail sign and every digit pair.
            let after = String::from_utf8(sample.body.clone()).expect("UTF-8").replace("example", "[email]");
            let text = render_side_by_side(&sample.body, after.as_bytes(), width, false);
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width} columns: {line}");
            }
        }
    }
}

#[test]
fn a_payload_cannot_drive_the_terminal() {
    let text = render_side_by_side(b"{\"a\":\"\\u001b[2Jx\"}", b"{\"a\":\"y\\u0007\"}", 80, false);
    assert!(!text.contains(['\x1b', '\x07']), "{text:?}");
    assert!(text.contains("\\u{1b}[2Jx"), "{text}");
}

#[test]
fn many_changes_are_cut_and_counted() {
    let body = |value: &str| {
        let fields: Vec<String> = (0..ROWS_MAX + 3).map(|at| format!("\"f{at:02}\":\"{value}\"")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    };
    let text = render_side_by_side(&body("192.0.2.7"), &body("[ip]"), 80, false);
    assert!(text.contains("… and 3 more\n27 fields changed: 27 [ip] "), "{text}");
}
