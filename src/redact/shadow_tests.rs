//! Patterns in shadow: scanned and counted, and what they find stays.

use super::{Action, ItemFormat, ItemScope, Mode, Plan, Policy, ScanLimits, Scrubber};
use crate::pattern::{PatternSet, pack};
use std::sync::Arc;

fn plan(mode: Mode) -> Arc<Plan> {
    let text = "[[pattern]]\nname='new'\nclass='email'\nregex='foo[0-9]+'\nstability='shadow'\nwhy='w'\nhits=[]\nmisses=[]\n\
                [[pattern]]\nname='old'\nclass='phone'\nregex='bar[0-9]+'\nstability='beta'\nwhy='w'\nhits=[]\nmisses=[]\n";
    let pack = pack::parse(text, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let policy = Policy { mode, actions: vec![], ..Policy::default() };
    Arc::new(Plan::compile(Arc::new(set), policy).expect("a plan"))
}

#[test]
fn shadow_is_counted_and_not_touched() {
    for (mode, item, want, counts) in [
        (Mode::Enforce, r#"["foo1 bar1 foo2"]"#, r#"["foo1 [phone] foo2"]"#, (2, 1)),
        (Mode::Enforce, r#"{"foo1":"x"}"#, r#"{"foo1":"x"}"#, (1, 0)),
        (Mode::Shadow, r#"["foo1 bar1"]"#, r#"["foo1 bar1"]"#, (1, 1)),
    ] {
        let mut scrubber = Scrubber::new(plan(mode), ScanLimits::default());
        let mut out = Vec::new();
        let verdict = scrubber.item(ItemFormat::Json, ItemScope::Any, item.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), want);
        assert_eq!(verdict.changed, want != item, "{item}");
        let sum = |shadow| -> u64 {
            scrubber.counts().iter().filter(|count| count.shadow == shadow).map(|count| count.hits).sum()
        };
        assert_eq!((sum(true), sum(false)), counts, "{item}");
        assert!(scrubber.counts().iter().filter(|c| c.shadow).all(|c| c.action == Action::Keep));
    }
}

#[test]
fn an_unknown_stability_is_refused() {
    let text =
        "[[pattern]]\nname='a'\nclass='email'\nregex='foo'\nstability='alpha'\nwhy='w'\nhits=[]\nmisses=[]\n";
    let problems = PatternSet::compile(&[pack::parse(text, "p.toml").expect("a pack")], &[]);
    let told: Vec<String> = problems.expect_err("unknown").iter().map(ToString::to_string).collect();
    assert_eq!(told, ["p.toml:5:11: unknown stability `alpha`; stable, beta or shadow"]);
}
