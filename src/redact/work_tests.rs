//! What ordinary items cost: each within the budget of its own, so that a body of them never ends as `[unscanned]`.

use super::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
use crate::pattern::{PatternSet, embedded};
use crate::scan::Work;
use std::sync::Arc;

/// Short lines, as logs have by the thousand; nothing personal is in them, and of each a few numbers look as if.
const LINES: &[&str] = &[
    r#"{"msg":"1732766400 request done"}"#,
    r#"{"msg":"173276640 request done"}"#,
    r#"{"msg":"17327664001 request done"}"#,
    r#"{"msg":"1732766400123 request done"}"#,
    r#"{"ts":1732766400,"m":"ok"}"#,
    r#"{"ts":1732766400.123,"id":2005060315,"m":"ok"}"#,
    r#"{"m":"1732766400.123     45 10 TCP_MISS/200 1732 GET http://a.example.com/x - DIRECT/- text/html"}"#,
    r#"{"m":"- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 R02-M1-N0-C:J12-U11 RAS KERNEL INFO"}"#,
    r#"{"m":"t=1732766400 d=1732766401 n=1732766402"}"#,
    r#"{"m":"0x7ffd1234 0x00401020 4294967295 2147483647"}"#,
    r#"{"a":"1732766400","b":"1732766401","c":"1732766402","d":"1732766403"}"#,
    r#"{"m":"job 123456789 took 987654321 ns"}"#,
    r#"{"m":"phone number lookup 1732766400 failed"}"#,
    r#"{"m":"GET /v1/orders/1732766400?page=2&key=abc 200 12ms"}"#,
    r#"{"m":"token expired: retry in 30s","level":"warn"}"#,
    r#"{"m":"a=b c=d e=f password= token= secret="}"#,
    r#"{"m":"10:15:32.123 [main] INFO o.e.Shop - 1.2.3.4.5 up"}"#,
    r#"{"m":"x@y, a.b.c, d.e.f: 50%20done"}"#,
    r#"{"m":"&lt;b&gt; \u0026 \\n {\"k\":\"v\"}"}"#,
    r#"{"sha":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
    r#"{"m":"bm90aGluZyBpcyBpbiBoZXJl"}"#,
    r#"{"m":"        e3:b1:ef:df:91:8f:54:2a:4b:55:34:46:2a:8b:86:3b:11:22"}"#,
];

#[test]
fn ordinary_lines_use_nothing_of_the_credit_of_a_body() {
    let set = PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set");
    let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
    let mut scrubber = Scrubber::new(Arc::new(plan), ScanLimits::default());
    let mut out = Vec::new();
    let mut over = Vec::new();
    for line in LINES {
        for (format, text) in [(ItemFormat::Json, *line), (ItemFormat::Text, line)] {
            scrubber.pool.credit = Work::CREDIT;
            out.clear();
            scrubber.item(format, ItemScope::Any, text.as_bytes(), &mut out);
            let used = Work::CREDIT - scrubber.pool.credit;
            if used > 0 {
                over.push(format!("{used} looks past its budget, {format:?}: {text}"));
            }
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}
