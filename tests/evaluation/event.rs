//! Whole events, as an SDK of Sentry sends them, in which every text hides something.

use super::carrier::buried;
use super::plant::{Kind, Plant};
use super::random::{ALNUM, Random};
use super::{contact, secret};
use serde_json::{Value, json};

/// An event and what was planted in it.
pub(crate) struct Event {
    pub(crate) bytes: Vec<u8>,
    pub(crate) plants: Vec<Plant>,
}

/// Kinds that stand anywhere, by turns.
const ANYWHERE: &[Kind] = &[Kind::Email, Kind::Ip, Kind::Card, Kind::Iban];

const PLATFORMS: &[&str] = &["javascript", "python", "node", "other"];

struct Planter<'a> {
    random: &'a mut Random,
    plants: Vec<Plant>,
}

impl Planter<'_> {
    fn keep(&mut self, plant: Plant) -> String {
        let text = plant.full();
        self.plants.push(plant);
        text
    }

    /// A value of a hard kind behind up to `depth_max` layers.
    fn text(&mut self, depth_max: usize) -> String {
        let plant = match self.random.below(5) {
            4 => Plant { kind: Kind::Secret, ..secret::prefixed(self.random) },
            at => ANYWHERE[at].plant(self.random),
        };
        let depth = self.random.below(depth_max + 1);
        let text = self.keep(plant);
        buried(self.random, &text, depth)
    }

    /// What only its field tells: a sentence, a password, a name.
    fn told_by_field(&mut self, form: &'static str, words: usize) -> String {
        let words: Vec<String> = (0..words).map(|_| self.random.text(ALNUM, 9).to_lowercase()).collect();
        self.keep(Plant { cores: words.clone(), ..Plant::whole(form, words.join(" ")) })
    }
}

pub(crate) fn event(random: &mut Random, number: usize) -> Event {
    let id = random.hex(32);
    let mut planter = Planter { random, plants: Vec::new() };
    let value = body(&mut planter, &id, number);
    let bytes = serde_json::to_vec(&value).expect("a value is JSON");
    Event { bytes, plants: planter.plants }
}

fn body(p: &mut Planter, id: &str, number: usize) -> Value {
    let mail = contact::email(p.random);
    let user = p.keep(mail);
    json!({
        "event_id": id,
        "timestamp": "2026-11-25T10:15:00.123456Z",
        "platform": PLATFORMS[number % PLATFORMS.len()],
        "level": "error",
        "release": "shop@4.12.0",
        "logentry": { "message": p.text(2), "params": [p.text(3)] },
        "user": { "email": user, "ip_address": "203.0.113.200" },
        "exception": { "values": [{
            "type": "IllegalStateException",
            "value": p.text(4),
            "stacktrace": { "frames": [{
                "function": "check", "module": "shop.cart", "lineno": 42,
                "vars": { "ref": p.text(4), "n": 3, "password": p.told_by_field("password", 1) }
            }] }
        }] },
        "breadcrumbs": { "values": [
            { "category": "console", "message": p.text(4), "data": { "line": p.text(3) } },
            { "category": "fetch", "data": { "url": format!("https://app.example.com/x?next={}", escaped(&p.text(2))), "status_code": 500 } },
        ] },
        "request": {
            "url": "https://app.example.com/cart",
            "method": "POST",
            "headers": { "X-Trace-Note": p.text(1), "Authorization": format!("Bearer {}", p.told_by_field("bearer", 1)) },
            "data": { "prompt": p.told_by_field("prompt", 6), "blob": p.text(4) }
        },
        "extra": { "detail": p.text(4), "list": [1, p.text(4)], "api_key": p.told_by_field("key", 1) },
        "contexts": { "state": { "reason": p.text(3) }, "trace": { "trace_id": id, "span_id": &id[..16] } },
        "tags": { "step": "pay", "note": p.text(0) },
        "spans": [{
            "op": "gen_ai.chat", "span_id": &id[16..],
            "data": {
                "gen_ai.prompt": p.told_by_field("prompt", 8),
                "gen_ai.request.messages": format!("[{{\"role\":\"user\",\"content\":\"{}\"}}]", p.told_by_field("messages", 7)),
                "db.statement": p.text(3)
            }
        }]
    })
}

fn escaped(text: &str) -> String {
    super::layers::Layer::Percent.write(text)
}
