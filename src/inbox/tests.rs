use super::*;
use serde_json::Value;

fn arrival(format: BodyFormat) -> Arrival {
    Arrival { route: "app".into(), protocol: "generic", format, path: "/ingest".to_owned() }
}

fn send(inbox: &Inbox, format: BodyFormat, body: &[u8]) -> InboxAnswer {
    let mut writer = inbox.receive(arrival(format));
    writer.write(body);
    writer.finish(None)
}

fn lines(inbox: &Inbox, after: u64) -> Vec<Value> {
    let mut out = Vec::new();
    inbox.after(after, usize::MAX).iter().for_each(|item| item.write_line(&mut out));
    let text = String::from_utf8(out).expect("NDJSON is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn an_item_is_held_before_its_sender_is_answered() {
    let inbox = Inbox::new(1 << 20);
    let mut writer = inbox.receive(arrival(BodyFormat::Json));
    writer.write(br#"{"email":"#);
    writer.write(br#""[email]"}"#);
    assert_eq!(inbox.totals().items, 0, "the request has not ended");
    let answer = writer.finish(None);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
    let lines = lines(&inbox, 0);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["payload"], r#"{"email":"[email]"}"#);
    assert_eq!((&line["seq"], &line["route"], &line["kind"]), (&1.into(), &"app".into(), &"json".into()));
    assert_eq!(line["bytes"], 19);
    assert!(line.get("note").is_none());
}

#[test]
fn fields_keep_their_order() {
    let inbox = Inbox::new(1 << 20);
    send(&inbox, BodyFormat::Text, b"a \"quoted\"\nline\t\x1b");
    let mut out = Vec::new();
    inbox.after(0, 1)[0].write_line(&mut out);
    let line = String::from_utf8(out).expect("UTF-8");
    let (head, tail) = line.split_once("\"time\":\"").expect("a time");
    assert_eq!(head, "{\"seq\":1,");
    let rest = "Z\",\"route\":\"app\",\"protocol\":\"generic\",\"path\":\"/ingest\",\"kind\":\"text\",\"bytes\":17,\
                \"payload\":\"a \\\"quoted\\\"\\nline\\t\\u001b\"}\n";
    assert_eq!(&tail[tail.find('Z').expect("UTC")..], rest);
}

#[test]
fn a_request_that_is_cut_leaves_nothing() {
    let inbox = Inbox::new(1 << 20);
    let mut writer = inbox.receive(arrival(BodyFormat::Ndjson));
    writer.write(b"{}\n{}\n");
    assert!(inbox.totals().bytes > 0);
    drop(writer);
    assert_eq!(inbox.totals(), InboxTotals::default());
}

#[test]
fn sentry_is_answered_with_the_event_id() {
    let inbox = Inbox::new(1 << 20);
    let answer = |protocol, id| {
        let arrival = Arrival { protocol, ..arrival(BodyFormat::SentryEvent) };
        inbox.receive(arrival).finish(id).body
    };
    let id = *b"0123456789abcdef0123456789abcdef";
    assert_eq!(answer("sentry", Some(id)), format!("{{\"id\":\"{}\"}}", "0123456789abcdef".repeat(2)));
    assert_eq!(answer("sentry", None), "{}");
    assert_eq!(answer("sentry", Some([b'"'; 32])), "{}");
    assert_eq!(answer("generic", Some(id)), "{}");
    assert_eq!(inbox.totals().items, 0, "an empty body has no item");
}

#[test]
fn the_number_of_items_is_bounded() {
    for (sent, kept, evicted) in [(4, 4, 0), (5, 5, 0), (6, 5, 1)] {
        let inbox = Inbox::bounded(1 << 20, 5);
        (0..sent).for_each(|at| drop(send(&inbox, BodyFormat::Text, format!("item {at}").as_bytes())));
        let totals = inbox.totals();
        assert_eq!((totals.items, totals.evicted, totals.seq_last), (kept, evicted, sent));
        let first = &lines(&inbox, 0)[0];
        assert_eq!(
            (&first["seq"], &first["payload"]),
            (&(evicted + 1).into(), &format!("item {evicted}").into())
        );
    }
}

#[test]
fn the_bytes_are_bounded() {
    let size = |inbox: &Inbox| inbox.totals().bytes;
    let one = Inbox::new(1 << 20);
    send(&one, BodyFormat::Text, b"0123456789");
    let item = usize::try_from(size(&one)).expect("small");
    for (bytes_max, kept, evicted) in
        [(3 * item - 1, 2, 2), (3 * item, 3, 1), (3 * item + 1, 3, 1), (item - 1, 0, 4), (item, 1, 3)]
    {
        let inbox = Inbox::new(bytes_max);
        (0..4).for_each(|_| drop(send(&inbox, BodyFormat::Text, b"0123456789")));
        let totals = inbox.totals();
        assert_eq!((totals.items, totals.evicted), (kept, evicted), "{bytes_max}");
        assert!(totals.bytes <= bytes_max as u64);
    }
}

#[test]
fn large_payloads_are_cut_with_a_note() {
    for (bytes, cut) in
        [(PAYLOAD_BYTES_MAX - 1, false), (PAYLOAD_BYTES_MAX, false), (PAYLOAD_BYTES_MAX + 1, true)]
    {
        let inbox = Inbox::new(1 << 20);
        send(&inbox, BodyFormat::Text, "x".repeat(bytes).as_bytes());
        let line = &lines(&inbox, 0)[0];
        assert_eq!(line["bytes"], bytes as u64);
        assert_eq!(line["payload"].as_str().map(str::len), Some(bytes.min(PAYLOAD_BYTES_MAX)));
        assert_eq!(line.get("note").is_some(), cut);
        if cut {
            assert_eq!(line["note"], "cut: the first 262144 of 262145 bytes");
        }
    }
}

#[test]
fn payloads_that_are_not_text_show_their_size() {
    let inbox = Inbox::new(1 << 20);
    send(&inbox, BodyFormat::Text, b"\xff\xfe\x00");
    let line = &lines(&inbox, 0)[0];
    assert_eq!(line["note"], "not UTF-8: 3 bytes");
    assert!(line.get("payload").is_none());
}

#[test]
fn a_short_item_costs_no_more_than_its_own_bytes() {
    let spans = "{},".repeat(200_000);
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}{{}}]}}]}}]}}"#);
    let inbox = Inbox::bounded(64 << 20, 200_001);
    let begun = std::time::Instant::now();
    let format = BodyFormat::Otlp(crate::frame::otlp::Signal::Traces, crate::frame::otlp::Encoding::Json);
    send(&inbox, format, body.as_bytes());
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert_eq!(inbox.totals().items + inbox.totals().evicted, 200_001);
}

#[test]
fn long_bodies_stream_in_constant_memory() {
    const BYTES_MAX: usize = 256 << 10;
    let line = format!("{{\"message\":\"{}\"}}\n", "x".repeat(1_000));
    let chunk = line.repeat(64);
    for format in [BodyFormat::Ndjson, BodyFormat::Text] {
        let inbox = Inbox::new(BYTES_MAX);
        let mut writer = inbox.receive(arrival(format));
        for _ in 0..2_048 {
            writer.write(chunk.as_bytes());
            assert!(inbox.totals().bytes <= BYTES_MAX as u64);
        }
        assert_eq!(writer.finish(None).status, 200);
        let totals = inbox.totals();
        let sent = if matches!(format, BodyFormat::Ndjson) { 2_048 * 64 } else { 1 };
        assert_eq!(totals.items + totals.evicted, sent);
        assert!(totals.bytes <= BYTES_MAX as u64);
    }
}

#[test]
fn requests_at_the_same_time_share_the_bound() {
    let inbox = Inbox::bounded(1 << 20, 4);
    let mut writers: Vec<_> = (0..3).map(|_| inbox.receive(arrival(BodyFormat::Ndjson))).collect();
    for writer in &mut writers {
        writer.write(b"1\n2\n3\n");
    }
    writers.into_iter().for_each(|writer| drop(writer.finish(None)));
    let totals = inbox.totals();
    assert_eq!((totals.items, totals.evicted), (4, 5));
}

#[test]
fn reads_go_on_where_they_stopped() {
    let inbox = Inbox::bounded(1 << 20, 3);
    send(&inbox, BodyFormat::Ndjson, b"1\n2\n3\n4\n5\n");
    let seqs = |after, limit| inbox.after(after, limit).iter().map(|item| item.seq()).collect::<Vec<_>>();
    assert_eq!(seqs(0, 10), [1, 2, 3], "the first two made room before they were numbered");
    assert_eq!(seqs(0, 2), [1, 2]);
    assert_eq!(seqs(2, 10), [3]);
    assert_eq!(seqs(3, 10), [0; 0]);
    assert_eq!(seqs(u64::MAX, 10), [0; 0]);
    send(&inbox, BodyFormat::Ndjson, b"6\n");
    assert_eq!(seqs(0, 10), [2, 3, 4]);
    assert_eq!(inbox.after(3, 1)[0].text(), Some("6"));
}

#[test]
fn paths_are_bounded() {
    let inbox = Inbox::new(1 << 20);
    let mut writer =
        inbox.receive(Arrival { path: "é".repeat(PATH_BYTES_MAX), ..arrival(BodyFormat::Text) });
    writer.write(b"x");
    assert_eq!(writer.finish(None).status, 200);
    assert_eq!(lines(&inbox, 0)[0]["path"].as_str().map(str::len), Some(PATH_BYTES_MAX));
}
