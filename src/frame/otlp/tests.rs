//! Both forms of OTLP, read.

use super::build::{bytes, fixed32, fixed64, message, pair, tag, text, traces, varint};
use super::*;
use proptest::prelude::*;

const LIMITS: ReadLimits = ReadLimits { depth_max: 128, bytes_max: 1 << 20 };

fn protobuf(body: &[u8]) -> Result<Document, Reason> {
    read(Signal::Traces, Encoding::Protobuf, body, LIMITS)
}

/// What lies around the items, and each item on a line of its own.
#[track_caller]
fn tree(document: &Document) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a tree is text");
    let mut lines = vec![text(&document.around().text)];
    lines.extend(document.items.iter().map(|item| text(&document.of_items().text[item.text.clone()])));
    for line in &lines {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    lines.join("\n")
}

fn leaves(document: &Document) -> impl Iterator<Item = &Leaf> {
    document.around().leaves.iter().chain(&document.of_items().leaves)
}

/// The tree of one item on such a path, and nothing around it.
fn alone(path: [&str; 3], item: &str) -> String {
    let [a, b, c] = path;
    format!(
        r#"{{"{a}":[{{"{b}":[{{"{c}":[]}}]}}]}}{nl}{{"{a}":[{{"{b}":[{{"{c}":[{{{item}}}]}}]}}]}}"#,
        nl = "\n"
    )
}

const SPANS: [&str; 3] = ["resourceSpans", "scopeSpans", "spans"];

/// Both forms lead to one tree.
#[track_caller]
fn check(signal: Signal, body: &[u8], json: &str, want: &str) {
    let of_protobuf = read(signal, Encoding::Protobuf, body, LIMITS).expect("it is protobuf");
    assert_eq!(tree(&of_protobuf), want, "protobuf");
    let of_json = read(signal, Encoding::Json, json.as_bytes(), LIMITS).expect("it is JSON");
    assert_eq!(tree(&of_json), want, "JSON");
}

/// The fields of one span, in both forms.
#[track_caller]
fn check_span(fields: &[Vec<u8>], json: &str, want: &str) {
    check(
        Signal::Traces,
        &traces(&[message(2, fields)]),
        &format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{json}}}]}}]}}]}}"#),
        &alone(SPANS, want),
    );
}

#[test]
fn attributes_are_members_of_their_own_names() {
    check_span(
        &[pair(9, "user.email", &[text(1, "x")]), pair(9, "n", &[varint(3, 7)])],
        r#""attributes":[{"key":"user.email","value":{"stringValue":"x"}},{"key":"n","value":{"intValue":"7"}}]"#,
        r#""attributes":{"user.email":"x","n":7}"#,
    );
    // Whatever stands first.
    check_span(
        &[message(9, &[message(2, &[text(1, "x")]), text(1, "k")])],
        r#""attributes":[{"value":{"stringValue":"x"},"key":"k"}]"#,
        r#""attributes":{"k":"x"}"#,
    );
    check_span(
        &[message(9, &[message(2, &[text(1, "x")])]), message(9, &[text(1, "k")])],
        r#""attributes":[{"value":{"stringValue":"x"}},{"key":"k"}]"#,
        r#""attributes":{"":"x","k":null}"#,
    );
    check_span(
        &[pair(9, "a\"b", &[text(1, "line\n\u{1}")])],
        r#""attributes":[{"key":"a\"b","value":{"stringValue":"line\n\u0001"}}]"#,
        r#""attributes":{"a\"b":"line\n\u0001"}"#,
    );
}

#[test]
fn values_of_every_type() {
    let nested = message(5, &[message(1, &[text(1, "x")]), message(1, &[varint(3, 7)])]);
    let map = message(6, &[pair(1, "k", &[text(1, "x")]), pair(1, "l", std::slice::from_ref(&nested))]);
    check_span(
        &[
            pair(9, "b", &[varint(2, 1)]),
            pair(9, "i", &[varint(3, (-5_i64).cast_unsigned())]),
            pair(9, "d", &[fixed64(4, 0.5_f64.to_bits())]),
            pair(9, "w", &[fixed64(4, 4_111_111.0_f64.to_bits())]),
            pair(9, "a", &[nested]),
            pair(9, "m", &[map]),
            pair(9, "t", &[bytes(7, b"text")]),
            pair(9, "e", &[]),
        ],
        r#""attributes":[{"key":"b","value":{"boolValue":true}},{"key":"i","value":{"intValue":-5}},
           {"key":"d","value":{"doubleValue":0.5}},{"key":"w","value":{"doubleValue":4.111111e6}},
           {"key":"a","value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":"7"}]}}},
           {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"x"}},
             {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":7}]}}}]}}},
           {"key":"t","value":{"bytesValue":"dGV4dA=="}},{"key":"e","value":{}}]"#,
        r#""attributes":{"b":null,"i":-5,"d":0.5,"w":4111111,"a":["x",7],"m":{"k":"x","l":["x",7]},"t":"text","e":null}"#,
    );
}

#[test]
fn every_place_of_text_in_a_span() {
    check_span(
        &[
            bytes(1, &[0xab; 16]),
            bytes(2, &[0xcd; 8]),
            text(3, "vendor=1"),
            text(5, "GET /"),
            varint(6, 2),
            fixed64(7, 1),
            fixed64(8, 2),
            message(
                11,
                &[fixed64(1, 3), text(2, "exception"), pair(3, "exception.message", &[text(1, "x")])],
            ),
            message(11, &[text(2, "second")]),
            message(13, &[bytes(1, &[0xab; 16]), text(3, "v=2"), pair(4, "k", &[text(1, "y")])]),
            message(15, &[text(2, "failed"), varint(3, 2)]),
            fixed32(16, 1),
        ],
        r#""traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd","traceState":"vendor=1",
           "name":"GET /","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":2,
           "events":[{"timeUnixNano":"3","name":"exception","attributes":[{"key":"exception.message","value":{"stringValue":"x"}}]},
                     {"name":"second"}],
           "links":[{"traceId":"abababababababababababababababab","traceState":"v=2","attributes":[{"key":"k","value":{"stringValue":"y"}}]}],
           "status":{"message":"failed","code":2},"flags":1"#,
        r#""traceState":"vendor=1","name":"GET /","events":[{"name":"exception","attributes":{"exception.message":"x"}},{"name":"second"}],"links":[{"traceState":"v=2","attributes":{"k":"y"}}],"status":{"message":"failed"}"#,
    );
}

#[test]
fn logs_and_their_bodies() {
    const LOGS: [&str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];
    let log = |fields: &[Vec<u8>]| message(1, &[message(2, &[message(2, fields)])]);
    let in_logs =
        |json: &str| format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{json}}}]}}]}}]}}"#);
    check(
        Signal::Logs,
        &log(&[fixed64(1, 1), varint(2, 9), text(3, "INFO"), message(5, &[text(1, "hello")]), text(12, "e")]),
        &in_logs(
            r#""timeUnixNano":"1","severityNumber":9,"severityText":"INFO","body":{"stringValue":"hello"},"eventName":"e""#,
        ),
        &alone(LOGS, r#""severityText":"INFO","body":"hello","eventName":"e""#),
    );
    check(
        Signal::Logs,
        &log(&[message(5, &[message(6, &[pair(1, "prompt", &[text(1, "a fox")])])])]),
        &in_logs(r#""body":{"kvlistValue":{"values":[{"key":"prompt","value":{"stringValue":"a fox"}}]}}"#),
        &alone(LOGS, r#""body":{"prompt":"a fox"}"#),
    );
}

#[test]
fn points_of_every_kind_of_metric() {
    let attributes = |number| pair(number, "k", &[text(1, "v")]);
    let exemplar =
        |number| message(number, &[pair(7, "f", &[text(1, "w")]), fixed64(3, 1), bytes(4, &[0xcd; 8])]);
    let packed = bytes(6, &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    let metrics = [
        message(
            2,
            &[
                text(1, "a"),
                text(2, "b"),
                text(3, "By"),
                message(5, &[message(1, &[attributes(7), fixed64(4, 1)])]),
            ],
        ),
        message(
            2,
            &[message(
                7,
                &[
                    message(1, &[attributes(7), fixed64(6, 4_111_111_111_111_111), exemplar(5)]),
                    varint(2, 2),
                    varint(3, 1),
                ],
            )],
        ),
        message(2, &[message(9, &[message(1, &[attributes(9), packed, fixed64(7, 1), exemplar(8)])])]),
        message(
            2,
            &[message(
                10,
                &[message(1, &[attributes(1), message(8, &[varint(1, 1), bytes(2, &[1, 2])]), exemplar(11)])],
            )],
        ),
        message(
            2,
            &[
                message(11, &[message(1, &[attributes(7), message(6, &[fixed64(1, 1)])])]),
                pair(12, "m", &[text(1, "n")]),
            ],
        ),
    ];
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"a","description":"b","unit":"By","gauge":{"dataPoints":[{"attributes":[{"key":"k","value":{"stringValue":"v"}}],"asDouble":1.5}]}},
        {"sum":{"dataPoints":[{"attributes":[{"key":"k","value":{"stringValue":"v"}}],"asInt":"4111111111111111","exemplars":[{"filteredAttributes":[{"key":"f","value":{"stringValue":"w"}}],"asDouble":1,"spanId":"cdcdcdcdcdcdcdcd"}]}],"aggregationTemporality":2,"isMonotonic":true}},
        {"histogram":{"dataPoints":[{"attributes":[{"key":"k","value":{"stringValue":"v"}}],"bucketCounts":["1",2],"explicitBounds":[0.5],"exemplars":[{"filteredAttributes":[{"key":"f","value":{"stringValue":"w"}}]}]}]}},
        {"exponentialHistogram":{"dataPoints":[{"attributes":[{"key":"k","value":{"stringValue":"v"}}],"positive":{"offset":1,"bucketCounts":["1"]},"exemplars":[{"filteredAttributes":[{"key":"f","value":{"stringValue":"w"}}]}]}]}},
        {"summary":{"dataPoints":[{"attributes":[{"key":"k","value":{"stringValue":"v"}}],"quantileValues":[{"quantile":1}]}]},"metadata":[{"key":"m","value":{"stringValue":"n"}}]}
    ]}]}]}"#;
    let around = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","description":"b","unit":"By","gauge":{"dataPoints":[]}},{"sum":{"dataPoints":[]}},{"histogram":{"dataPoints":[]}},{"exponentialHistogram":{"dataPoints":[]}},{"summary":{"dataPoints":[]},"metadata":{"m":"n"}}]}]}]}"#;
    let exemplars = r#""exemplars":[{"filteredAttributes":{"f":"w"}}]"#;
    let mut want = vec![around.to_owned()];
    for (kind, rest) in [
        ("gauge", String::new()),
        ("sum", format!(",{exemplars}")),
        ("histogram", format!(",{exemplars}")),
        ("exponentialHistogram", format!(r#","positive":{{}},{exemplars}"#)),
        ("summary", r#","quantileValues":[{}]"#.to_owned()),
    ] {
        want.push(format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"{kind}":{{"dataPoints":[{{"attributes":{{"k":"v"}}{rest}}}]}}}}]}}]}}]}}"#
        ));
    }
    let want = want.join("\n");
    check(Signal::Metrics, &message(1, &[message(2, &metrics)]), json, &want);
    let of = read(Signal::Metrics, Encoding::Protobuf, &message(1, &[message(2, &metrics)]), LIMITS)
        .expect("read");
    assert_eq!(
        of.nodes.iter().filter(|node| node.role == table::Role::Item).count(),
        5,
        "points are the items"
    );
}

#[test]
fn profiles_and_their_dictionary() {
    let strings = ["", "/home/jane/a.rs", "user.email", "jane", "ms", "main", "service.version", "1.2.3"];
    let dictionary = [
        strings.map(|string| text(5, string)).concat(),
        // A key and its value, both by their places; a key alone; a value under a name of its own; a unit.
        message(6, &[varint(1, 2), message(2, &[varint(8, 3)])]),
        message(6, &[varint(1, 2), message(2, &[text(1, "v")]), varint(3, 4)]),
        message(6, &[message(2, &[message(6, &[message(1, &[varint(3, 6), message(2, &[varint(8, 7)])])])])]),
        message(6, &[varint(1, 99), message(2, &[varint(8, 99)])]),
        message(3, &[varint(1, 5), varint(3, 3)]),
    ];
    let resource = message(1, &[message(1, &[text(1, "by"), message(2, &[varint(8, 5)])])]);
    let body = [
        message(
            1,
            &[
                resource,
                message(2, &[message(2, &[bytes(7, &[0xef; 16]), text(9, "pprof"), bytes(10, b"\x00\xff")])]),
            ],
        ),
        message(2, &dictionary),
    ]
    .concat();
    let json = r#"{"resourceProfiles":[{"resource":{"attributes":[{"key":"by","value":{"stringValueStrindex":5}}]},"scopeProfiles":[{"profiles":[{"profileId":"efefefefefefefefefefefefefefefef","originalPayloadFormat":"pprof","originalPayload":"AP8="}]}]}],
        "dictionary":{"stringTable":["","/home/jane/a.rs","user.email","jane","ms","main","service.version","1.2.3"],"attributeTable":[
            {"keyStrindex":2,"value":{"stringValueStrindex":3}},{"value":{"stringValue":"v"},"unitStrindex":4,"key_strindex":"2"},
            {"value":{"kvlistValue":{"values":[{"keyStrindex":6,"value":{"stringValueStrindex":"7"}}]}}},
            {"keyStrindex":99,"value":{"stringValueStrindex":null}}],"functionTable":[{"nameStrindex":5,"filenameStrindex":3}]}}"#;
    let attributes = r#"{"user.email":"jane","user.email":"v","":{"service.version":"1.2.3"},"":null}"#;
    let want = [
        // What no attribute refers to, and what functions refer to as well, stands behind all.
        &format!(
            r#"{{"resourceProfiles":[{{"resource":{{"attributes":{{"by":"main"}}}},"scopeProfiles":[{{"profiles":[]}}]}}],"dictionary":{{STRINGS"attributes":{attributes},"functionTable":[{{}}]}},"dictionary":{{"stringTable":["/home/jane/a.rs","jane","ms","main"]}}}}"#
        ),
        r#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{"originalPayloadFormat":"pprof","originalPayload":null}]}]}]}"#,
    ];
    let want = want.join("\n");
    let of_protobuf = read(Signal::Profiles, Encoding::Protobuf, &body, LIMITS).expect("it is protobuf");
    assert_eq!(tree(&of_protobuf), want.replace("STRINGS", ""));
    let of_json = read(Signal::Profiles, Encoding::Json, json.as_bytes(), LIMITS).expect("it is JSON");
    assert_eq!(tree(&of_json), want.replace("STRINGS", r#""stringTable":[],"#));
}

/// Two keys for one value, or two tables: receivers differ in which one counts.
#[test]
fn what_refers_to_strings_in_two_ways_is_malformed() {
    let dictionary = |fields: &[Vec<u8>]| message(2, &[text(5, ""), text(5, "a"), fields.concat()]);
    let resource = message(1, &[message(1, &[message(1, &[text(1, "k"), varint(3, 1)])])]);
    for body in [
        dictionary(&[message(6, &[varint(1, 1), varint(1, 1)])]),
        dictionary(&[message(6, &[text(1, "k")])]),
        dictionary(&[bytes(5, b"\xff")]),
    ] {
        assert_eq!(
            read(Signal::Profiles, Encoding::Protobuf, &body, LIMITS).err(),
            Some(Reason::NotProtobuf)
        );
    }
    let body = [resource, dictionary(&[])].concat();
    let document = read(Signal::Profiles, Encoding::Protobuf, &body, LIMITS).expect("the rest is read");
    assert_eq!(document.broken.len(), 1, "the resource that says it");
    for json in [
        r#"{"dictionary":{"stringTable":["","a"],"stringTable":["","b"]}}"#,
        r#"{"dictionary":{"stringTable":["","a"]},"dictionary":{"string_table":["","b"]}}"#,
        r#"{"dictionary":{"stringTable":["","a"],"attributeTable":[{"keyStrindex":1,"keyStrindex":1}]}}"#,
    ] {
        let read = read(Signal::Profiles, Encoding::Json, json.as_bytes(), LIMITS);
        assert_eq!(read.err(), Some(Reason::NotJson), "{json}");
    }
}

/// The list of strings counts as the text of the tree does, so that empty ones cannot fill the memory.
#[test]
fn a_table_of_strings_has_a_bound() {
    let limits = ReadLimits { bytes_max: 10_000, ..LIMITS };
    for (strings, fits) in [(100, true), (1_000, false)] {
        let body = message(2, &[text(5, "").repeat(strings)]);
        assert_eq!(read(Signal::Profiles, Encoding::Protobuf, &body, limits).is_ok(), fits, "{strings}");
    }
    // Each reference writes its string once more.
    let long = "x".repeat(1_000);
    for (references, fits) in [(5, true), (50, false)] {
        let table = [text(5, ""), text(5, &long)].concat();
        let attribute = message(6, &[message(2, &[varint(8, 1)])]).repeat(references);
        let body = message(2, &[table, attribute]);
        assert_eq!(read(Signal::Profiles, Encoding::Protobuf, &body, limits).is_ok(), fits, "{references}");
    }
}

#[test]
fn ids_that_spell_something_are_looked_at() {
    check_span(
        &[bytes(1, b"jane@example.com")],
        r#""traceId":"6a616e65406578616d706c652e636f6d""#,
        r#""traceId":"jane@example.com""#,
    );
    // In JSON an id of another length is the text that it is, and in protobuf its bytes.
    let odd = protobuf(&traces(&[message(2, &[bytes(2, b"jane")])])).expect("read");
    assert!(tree(&odd).contains(r#""spanId":"jane""#));
    let binary = protobuf(&traces(&[message(2, &[bytes(2, &[0xff; 7])])])).expect("read");
    assert_eq!(binary.opaque.len(), 1);
}

/// Unknown fields of messages are read as what they may be, none is passed over.
#[test]
fn unknown_fields_are_in_the_tree() {
    for (field, want) in [
        (text(99, "jane"), r#""":"jane""#),
        (
            message(99, &[text(1, "jane"), message(2, &[text(3, "\u{1}x")])]),
            r#""":{"":"jane","":{"":"\u0001x"}}"#,
        ),
        (varint(99, 4_111_111), r#""":4111111"#),
        (varint(99, 4), ""),
        (fixed32(99, 4_111_111), r#""":4111111"#),
        (fixed64(99, 4_111_111), r#""":4111111"#),
        (fixed64(99, 4_111_111.0_f64.to_bits()), r#""":4706082954995040256,"":4111111"#),
        (text(99, ""), ""),
    ] {
        let document = protobuf(&traces(&[message(2, &[field])])).expect("read");
        let want = alone(SPANS, want);
        assert_eq!(tree(&document), want);
        assert!(document.opaque.is_empty());
    }
    let binary = protobuf(&traces(&[message(2, &[bytes(99, &[0xff, 0xfe])])])).expect("read");
    assert_eq!(binary.opaque.len(), 1);
    // Whoever reads it as text reads more than the pieces that a message has: `"` is field 4 and `!` 33 bytes.
    let both = format!("\"!{}", "jane@example.com and two words too");
    let both = protobuf(&traces(&[message(2, &[text(99, &both[..35])])])).expect("read");
    assert_eq!(leaves(&both).count(), 2);
    // In values, pairs, arrays and maps.
    for (value, want) in [
        (vec![text(1, "x"), text(99, "y")], r#"{"k":"x","":"y"}"#),
        (vec![text(99, "y")], r#"{"k":null,"":"y"}"#),
        (
            vec![message(5, &[message(1, &[text(1, "x"), text(99, "y")]), text(9, "z")])],
            r#"{"k":["x","y","z"]}"#,
        ),
        (vec![message(6, &[pair(1, "l", &[text(1, "x")]), text(9, "z")])], r#"{"k":{"l":"x","":"z"}}"#),
    ] {
        let document = protobuf(&traces(&[message(2, &[pair(9, "k", &value)])])).expect("read");
        assert!(tree(&document).contains(&format!(r#""attributes":{want}"#)), "{}", tree(&document));
    }
    let document =
        protobuf(&traces(&[message(2, &[message(9, &[text(1, "k"), text(8, "y")])])])).expect("read");
    assert!(tree(&document).contains(r#""attributes":{"k":null,"":"y"}"#), "{}", tree(&document));
}

/// Unknown members, and known ones of another type, are copied as they are.
#[test]
fn unknown_members_are_in_the_tree() {
    for (json, want) in [
        (r#""spam" : { "b" : [1, "x"] }"#, r#""spam" : { "b" : [1, "x"] }"#),
        (r#""name":{"a":"x"}"#, r#""name":{"a":"x"}"#),
        (r#""name":7"#, r#""name":7"#),
        (r#""name":null,"kind":null"#, ""),
        (r#""kind":"jane@example.com""#, r#""kind":"jane@example.com""#),
        (r#""startTimeUnixNano":{"a":1}"#, r#""startTimeUnixNano":{"a":1}"#),
        (r#""trace_id":"jane","span-id":"ABABABABABABABAB""#, r#""traceId":"jane""#),
        (r#""attributes":{"a":"x"}"#, r#""attributes":{"a":"x"}"#),
        (
            r#""attributes":[{"key":{"a":"x"},"key":"k","value":{"stringValue":"y"}}]"#,
            r#""attributes":{"k":"y","key":{"a":"x"}}"#,
        ),
        (
            r#""attributes":["x",{"key":"k","value":"y","more":1}]"#,
            r#""attributes":{"":"x","k":"y","more":1}"#,
        ),
        (r#""attributes":[{"key":7,"value":{"stringValue":"x"}}]"#, r#""attributes":{"":"x","key":7}"#),
        (
            r#""attributes":[{"key":"k","value":{"more":1,"intValue":"x"}}]"#,
            r#""attributes":{"k":"x","":{"more":1}}"#,
        ),
        (r#""attributes":[{"key":"k","value":{"intValue":1.5}}]"#, r#""attributes":{"k":1.5}"#),
        (
            r#""attributes":[{"key":"k","value":{"arrayValue":{"values":["x"],"more":"y"}}}]"#,
            r#""attributes":{"k":["x",{"more":"y"}]}"#,
        ),
        (
            r#""attributes":[{"key":"k","value":{"bytesValue":"no base64!"}}]"#,
            r#""attributes":{"k":"no base64!"}"#,
        ),
        (r#""events":["x",{"name":"y"}]"#, r#""events":["x",{"name":"y"}]"#),
    ] {
        let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{json}}}]}}]}}]}}"#);
        let document = read(Signal::Traces, Encoding::Json, body.as_bytes(), LIMITS).expect("read");
        let want = alone(SPANS, want);
        assert_eq!(tree(&document), want);
    }
}

#[test]
fn what_is_no_request() {
    for body in [
        r#"[]"#,
        r#"{"resourceSpans":[}"#,
        r#"{"a":1"#,
        r#"{"a":1}x"#,
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a" 1}"#,
        "",
        r#"{"resourceSpans":nul}"#,
        r#"{"resourceSpans":[{}{}]}"#,
    ] {
        let got = read(Signal::Traces, Encoding::Json, body.as_bytes(), LIMITS);
        assert_eq!(got.err(), Some(Reason::NotJson), "{body}");
    }
    // Two keys, two values: receivers differ in what they take.
    for pair in [
        r#"{"key":"a","key":"user.email","value":{"stringValue":"x"}}"#,
        r#"{"key":"a","value":{"stringValue":"x"},"value":{"stringValue":"y"}}"#,
        r#"{"key":"a","value":{"stringValue":"x","intValue":"1"}}"#,
    ] {
        let body = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{pair}]}}}},{{"schemaUrl":"good"}}]}}"#
        );
        let document =
            read(Signal::Traces, Encoding::Json, body.as_bytes(), LIMITS).expect("the rest is read");
        assert_eq!(tree(&document), r#"{"resourceSpans":[{"schemaUrl":"good"}]}"#, "{pair}");
        let [(broken, Reason::NotJson)] = document.broken[..] else { panic!("one is not: {pair}") };
        assert_eq!(document.nodes[broken].role, table::Role::Container);
    }
}

/// A span that is malformed is noted, and the spans around it are read.
#[test]
fn malformed_items_are_told_from_the_rest() {
    let good = message(2, &[text(5, "good")]);
    let deep_group = [tag(99, 3), tag(99, 4)].concat();
    for bad in [
        bytes(2, &[0x2a, 0x05, b'x']),                            // cut
        message(2, &[bytes(5, b"\xff")]),                         // no UTF-8
        message(2, &[varint(5, 1)]),                              // a name that is a number
        message(2, &[fixed32(7, 1)]),                             // a time of another width
        message(2, &[bytes(7, &[1; 8])]),                         // a single number, packed
        message(2, &[deep_group]),                                // a group
        message(2, &[message(9, &[text(1, "a"), text(1, "b")])]), // two keys
        message(2, &[message(9, &[text(1, "a"), message(2, &[]), message(2, &[])])]), // two values
        message(2, &[pair(9, "a", &[text(1, "x"), varint(3, 1)])]), // two types at once
        message(2, &[pair(9, "a", &[varint(1, 1)])]),             // another type than it says
        message(2, &[pair(9, "a", &[bytes(1, b"\xc3")])]),
        message(2, &[vec![0x0f]]),
    ] {
        let document = protobuf(&traces(&[good.clone(), bad.clone(), good.clone()])).expect("read");
        assert_eq!(document.broken.len(), 1, "{bad:02x?}");
        let want = alone(SPANS, r#""name":"good""#);
        let (_, item) = want.split_once('\n').expect("two lines");
        assert_eq!(tree(&document), format!("{want}\n{item}"), "{bad:02x?}");
        let node = &document.nodes[document.broken[0].0];
        assert_eq!(node.role, table::Role::Item);
    }
    // A scope that is, goes whole; the request itself is refused.
    let document =
        protobuf(&message(1, &[message(2, &[message(1, &[bytes(1, b"\xff")]), good])])).expect("read");
    assert_eq!(document.nodes[document.broken[0].0].role, table::Role::Container);
    assert_eq!(protobuf(&[0x0a, 0x05, 0x00]).err(), Some(Reason::NotProtobuf));
}

#[test]
fn nesting_and_size_are_bounded() {
    let nested =
        |levels: usize| (0..levels).fold(text(1, "x"), |inner, _| message(5, &[message(1, &[inner])]));
    let limits = ReadLimits { depth_max: 12, bytes_max: 1 << 20 };
    // Seven containers of the protocol and the attributes lie around a value.
    for (levels, unread) in [(4, 0), (5, 1), (200, 1)] {
        let body = traces(&[message(2, &[pair(9, "k", &[nested(levels)])])]);
        let document = read(Signal::Traces, Encoding::Protobuf, &body, limits).expect("read");
        assert_eq!(document.opaque.len(), unread, "{levels}");
    }
    let deep = |levels: usize| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"k","value":{}{{"stringValue":"x"}}{}}}]}}]}}]}}]}}"#,
            r#"{"arrayValue":{"values":["#.repeat(levels),
            "]}}".repeat(levels)
        )
    };
    for (levels, copied) in [(4, false), (5, true), (200, true)] {
        let document = read(Signal::Traces, Encoding::Json, deep(levels).as_bytes(), limits).expect("read");
        assert_eq!(leaves(&document).any(|leaf| leaf.form == Form::Verbatim), copied, "{levels}");
    }
    // Levels of unknown messages come to an end as well.
    let unknown = (0..200).fold(vec![0x08, 0x01, 0x12, 0x01, 0x01], |inner, _| bytes(99, &inner));
    let document = read(Signal::Traces, Encoding::Protobuf, &unknown, limits).expect("read");
    assert!(document.around().text.len() < 2_000);
    let small = ReadLimits { depth_max: 128, bytes_max: 64 };
    let body = traces(&vec![message(2, &[]); 64]);
    assert_eq!(read(Signal::Traces, Encoding::Protobuf, &body, small).err(), Some(Reason::ItemTooLarge));
}

/// What a body makes of two bytes takes many times as much: its places count, not only what is read of it.
#[test]
fn places_are_part_of_the_bound() {
    let spans = |count| traces(&[message(2, &vec![vec![0x4a, 0x00]; count])]);
    let limits = ReadLimits { bytes_max: 100_000, ..LIMITS };
    let fits = |count| {
        read(Signal::Traces, Encoding::Protobuf, &spans(count), limits).map(|document| document.nodes.len())
    };
    assert_eq!(fits(2_000), Ok(2_004));
    assert_eq!(fits(5_000), Err(Reason::ItemTooLarge));
    assert_eq!(
        (size_of::<document::Node>(), size_of::<Leaf>()),
        (20, 28),
        "each value of a body has one of both"
    );
}

proptest! {
    /// Whatever bytes come, reading ends, and what it makes of them is JSON.
    #[test]
    fn bytes_never_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for body in [bytes.clone(), traces(&[message(2, std::slice::from_ref(&bytes))])] {
            if let Ok(document) = protobuf(&body) {
                tree(&document);
            }
        }
    }

    /// A body that is cut, or has one byte changed, is read or refused.
    #[test]
    fn changed_bodies_never_break_the_reader(at in 0_usize..400, byte in any::<u8>()) {
        let mut body = traces(&[
            message(2, &[pair(9, "k", &[message(6, &[pair(1, "a", &[text(1, "b")])])]), text(5, "n")]),
            message(2, &[message(11, &[text(2, "e")]), bytes(1, &[7; 16])]),
        ]);
        let cut = at % body.len();
        for document in [protobuf(&body[..cut]), { body[cut] = byte; protobuf(&body) }].into_iter().flatten() {
            tree(&document);
        }
    }

    /// Text that begins as JSON of OTLP does.
    #[test]
    fn text_never_breaks_the_reader(text in r#"[\{\}\[\]:,"a1 ]{0,40}"#) {
        for body in [text.clone(), format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{text}"#)] {
            drop(read(Signal::Traces, Encoding::Json, body.as_bytes(), LIMITS));
        }
    }
}
