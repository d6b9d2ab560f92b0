//! Invented Sentry events of any size, the same for the same seed on every machine.
//!
//! Out: one JSON event as a Python web backend sends it (exception with frames and their variables,
//! breadcrumbs, request, user, spans), or an envelope around it. What is personal in it comes from
//! [`PLANTED`] alone, so that "did anything get through" is one search per value.
//! Never holds a real person's data: reserved domains and documentation addresses only.

use std::fmt::Write as _;

/// How much personal data an event holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Density {
    /// None: what is forwarded as the very bytes that came.
    None,
    /// About ten values in the whole event, whatever its size: user, request, a few breadcrumbs, one prompt.
    Few,
    /// One value or more in every frame, breadcrumb and span.
    Dense,
}

/// Every e-mail address that an event may hold.
pub(crate) const EMAILS: [&str; 4] = [
    "ada.moreau@example.com",
    "bo+orders@shop.example.org",
    "chidi.okafor@mail.example.net",
    "dora_42@example.org",
];
/// Every IP address that an event may hold.
pub(crate) const ADDRESSES: [&str; 4] =
    ["192.0.2.44", "198.51.100.7", "203.0.113.209", "2001:db8:7::c0de:19"];
/// Every prompt that an event may hold. No quotes and no backslash: the text looks the same in every layer.
pub(crate) const PROMPTS: [&str; 2] = [
    "My landlord wants to end my lease because I am pregnant. Which letter should I write first?",
    "Summarise the results of my blood test and tell me whether I should worry about the liver values.",
];

/// Every planted value that occurs in `body`.
pub(crate) fn planted_in(body: &[u8]) -> Vec<&'static str> {
    let all = EMAILS.iter().chain(&ADDRESSES).chain(&PROMPTS);
    all.copied().filter(|value| memchr::memmem::find(body, value.as_bytes()).is_some()).collect()
}

/// Counts and choices that depend on the seed alone (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(crate) struct Random(u64);

impl Random {
    /// A sequence that is the same for the same `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of `choices`, which is not empty.
    pub(crate) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices[index]
    }
}

/// One event as JSON of about `target_bytes`: within 6 % from 4,000 bytes upwards, 12 % at 2,000, and never
/// less than about 1,800 (2,250 with personal data): every section has one element at least.
pub(crate) fn event_json(target_bytes: usize, seed: u64, density: Density) -> Vec<u8> {
    let with_source = target_bytes >= SOURCE_FROM_BYTES;
    let mut maker =
        Maker { random: Random::new(seed), density, out: String::with_capacity(target_bytes + 2048) };
    maker.head(with_source);
    // Shares as in the events that Python backends send: frames with their source and variables first.
    let rest = target_bytes.saturating_sub(maker.out.len() + TAIL_BYTES + SPAN_BYTES);
    maker.exception(rest * 50 / 100, with_source);
    maker.breadcrumbs(rest * 30 / 100);
    maker.spans(target_bytes.saturating_sub(maker.out.len() + TAIL_BYTES));
    maker.tail();
    maker.out.into_bytes()
}

/// About one span with a prompt, which is kept free for the last section.
const SPAN_BYTES: usize = 500;
/// What [`Maker::tail`] and the brackets between the sections add.
const TAIL_BYTES: usize = 120;
/// Below this, frames carry no source and the request no user agent: a 2 KB event is one of an SDK that sends little.
const SOURCE_FROM_BYTES: usize = 8 << 10;

/// An envelope with one event item whose header states its `length`.
pub(crate) fn envelope(event: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "{{\"event_id\":\"{EVENT_ID}\",\"sent_at\":\"2026-03-02T09:41:07.218531Z\"}}\n\
         {{\"type\":\"event\",\"content_type\":\"application/json\",\"length\":{}}}\n",
        event.len()
    )
    .into_bytes();
    out.extend_from_slice(event);
    out.push(b'\n');
    out
}

const EVENT_ID: &str = "5c1f0e8a7b3d4c92a6e01f47d9b8c355";

/// JSON of about `target_bytes` in which every trigger fires and nothing is personal.
///
/// Each string looks, to a search for what a pattern cannot do without, like the start of a hit: half an
/// address, an `@` without a domain, a token prefix without its tail, an escape that hides nothing.
pub(crate) fn hostile_json(target_bytes: usize) -> Vec<u8> {
    // Valid JSON string contents. No complete IPv4 or IPv6 address, no domain after an `@`.
    const BAIT: [&str; 24] = [
        "1.2.3.",
        "a@b",
        "::",
        "%4",
        "\\\\u00",
        "eyJ",
        "password",
        "@",
        "300.400.500.600",
        "123456789012",
        "sk_live_",
        "AIza",
        "Bearer.",
        "%zz%4",
        "&#",
        "\\u00e9",
        "std::fmt",
        "\\\"{\\\"",
        "api_key",
        "prompt",
        "user@",
        "http://",
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo",
        "9.9..9.9",
    ];
    let mut random = Random::new(7);
    let mut out = String::with_capacity(target_bytes + 256);
    out.push_str("{\"values\":[\"");
    let mut words = 0;
    while out.len() + 3 < target_bytes {
        out.push_str(random.pick(&BAIT));
        words += 1;
        // Strings of eight words, so that both "many short strings" and "long string" costs show.
        out.push_str(if words % 8 == 0 { "\",\"" } else { " " });
    }
    out.push_str("\"]}");
    out.into_bytes()
}

struct Maker {
    random: Random,
    density: Density,
    out: String,
}

impl Maker {
    fn head(&mut self, with_agent: bool) {
        let trace = self.hex32();
        self.put(&format!(
            "{{\"event_id\":\"{EVENT_ID}\",\"timestamp\":1772444467.218531,\"platform\":\"python\",\"level\":\"error\",\
             \"logger\":\"shop.orders\",\"transaction\":\"/api/orders/{{pk}}/\",\"server_name\":\"web-7d9f6c5b4-x2lqp\",\
             \"release\":\"shop@4.18.2+build.1187\",\"environment\":\"production\",\
             \"sdk\":{{\"name\":\"sentry.python.django\",\"version\":\"2.30.0\"}},\
             \"contexts\":{{\"trace\":{{\"trace_id\":\"{trace}\",\"span_id\":\"a1b2c3d4e5f60718\",\"op\":\"http.server\"}},\
             \"runtime\":{{\"name\":\"CPython\",\"version\":\"3.12.3\"}}}},"
        ));
        self.user();
        self.request(with_agent);
    }

    fn user(&mut self) {
        self.put("\"user\":{\"id\":\"48213\"");
        if self.density != Density::None {
            self.put(&format!(",\"email\":\"{}\",\"ip_address\":\"{}\"", EMAILS[0], ADDRESSES[0]));
        }
        self.put("},");
    }

    fn request(&mut self, with_agent: bool) {
        self.put(
            "\"request\":{\"method\":\"POST\",\"url\":\"https://shop.example.com/api/orders/88213/\",\
             \"headers\":{\"Accept\":\"application/json\",\"Content-Type\":\"application/json\"",
        );
        if with_agent {
            self.put(",\"User-Agent\":\"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\"");
        }
        if self.density != Density::None {
            self.put(&format!(",\"X-Forwarded-For\":\"{}\"", ADDRESSES[1]));
        }
        self.put("},\"data\":{\"quantity\":3,\"note\":\"ring twice\"}},");
    }

    fn exception(&mut self, budget: usize, with_source: bool) {
        self.put(
            "\"exception\":{\"values\":[{\"type\":\"IntegrityError\",\"module\":\"django.db.utils\",\"value\":\
             \"duplicate key value violates unique constraint \\\"orders_pkey\\\"\",\"mechanism\":{\"type\":\"django\",\
             \"handled\":false},\"stacktrace\":{\"frames\":[",
        );
        let end = self.out.len() + budget;
        self.list(end, |maker, index| maker.frame(index, with_source));
        self.put("]}}]},");
    }

    fn frame(&mut self, index: usize, with_source: bool) {
        const MODULES: [&str; 6] = [
            "orders/views",
            "orders/models",
            "cart/pricing",
            "accounts/session",
            "payments/gateway",
            "mail/queue",
        ];
        const FUNCTIONS: [&str; 5] = ["dispatch", "checkout", "save_base", "apply_discount", "send_receipt"];
        const SOURCE: [&str; 6] = [
            "        order = Order.objects.select_for_update().get(pk=pk)",
            "        if order.total > limit and not request.user.is_staff:",
            "            raise ValidationError(_(\\\"limit reached\\\"), code=\\\"limit\\\")",
            "    def apply_discount(self, cart, *, code=None, today=None):",
            "        with transaction.atomic(savepoint=False):",
            "        return self.get_response(request, *args, **kwargs)",
        ];
        let module = self.random.pick(&MODULES);
        let function = self.random.pick(&FUNCTIONS);
        let line = 20 + self.random.below(900);
        self.put(&format!(
            "{{\"filename\":\"shop/{module}.py\",\"abs_path\":\"/srv/app/shop/{module}.py\",\"function\":\"{function}\",\
             \"lineno\":{line},\"in_app\":true,"
        ));
        if with_source {
            for name in ["pre_context", "post_context"] {
                let [a, b, c] = [(); 3].map(|()| self.random.pick(&SOURCE));
                self.put(&format!("\"{name}\":[\"{a}\",\"{b}\",\"{c}\",\"\",\"{a}\"],"));
            }
            let here = self.random.pick(&SOURCE);
            self.put(&format!("\"context_line\":\"{here}\","));
        }
        self.variables(index);
        self.put("}");
    }

    fn variables(&mut self, index: usize) {
        let object = self.random.next() & 0xffff_ffff;
        let order = 10_000 + self.random.below(80_000);
        let cents = self.random.below(100);
        self.put(&format!(
            "\"vars\":{{\"self\":\"<shop.orders.views.Checkout object at 0x7f3c{object:08x}>\",\"pk\":{order},\
             \"total\":\"Decimal('41.{cents:02}')\",\"kwargs\":{{\"retry\":\"False\",\"sku\":\"'LAMP-{order}'\"}}"
        ));
        if self.plants(index, 3) {
            let email = self.random.pick(&EMAILS);
            self.put(&format!(",\"customer\":\"<Customer: {email}>\""));
        }
        self.put("}");
    }

    fn breadcrumbs(&mut self, budget: usize) {
        self.put("\"breadcrumbs\":{\"values\":[");
        let end = self.out.len() + budget;
        self.list(end, Self::breadcrumb);
        self.put("]},");
    }

    fn breadcrumb(&mut self, index: usize) {
        let millis = self.random.below(1000);
        let row = self.random.below(90_000);
        match self.random.below(3) {
            0 => self.put(&format!(
                "{{\"type\":\"http\",\"category\":\"httplib\",\"timestamp\":\"2026-03-02T09:41:06.{millis:03}Z\",\"data\":\
                 {{\"url\":\"https://pay.example.net/v2/charges/{row}\",\"method\":\"GET\",\"status_code\":200}}"
            )),
            1 => self.put(&format!(
                "{{\"type\":\"default\",\"category\":\"query\",\"timestamp\":\"2026-03-02T09:41:06.{millis:03}Z\",\"message\":\
                 \"SELECT \\\"orders\\\".\\\"id\\\" FROM \\\"orders\\\" WHERE \\\"orders\\\".\\\"id\\\" = %s LIMIT 21\""
            )),
            _ => self.put(&format!(
                "{{\"type\":\"log\",\"category\":\"shop.cart\",\"level\":\"info\",\"timestamp\":\"2026-03-02T09:41:06.{millis:03}Z\",\
                 \"message\":\"cart {row} repriced in {millis} ms\""
            )),
        }
        if self.plants(index, 3) {
            let (email, address) = (self.random.pick(&EMAILS), self.random.pick(&ADDRESSES));
            self.put(&format!(",\"note\":\"login of {email} from {address} refused\""));
        }
        self.put("}");
    }

    fn spans(&mut self, budget: usize) {
        self.put("\"spans\":[");
        let end = self.out.len() + budget;
        self.list(end, Self::span);
        self.put("],");
    }

    fn span(&mut self, index: usize) {
        let (id, trace) = (self.random.next(), self.hex32());
        let millis = self.random.below(1000);
        self.put(&format!(
            "{{\"span_id\":\"{id:016x}\",\"trace_id\":\"{trace}\",\"parent_span_id\":\"a1b2c3d4e5f60718\",\"op\":\"db\",\
             \"description\":\"UPDATE orders SET state = %s WHERE id = %s\",\"start_timestamp\":1772444466.{millis:03},\
             \"timestamp\":1772444466.999,\"status\":\"ok\",\"data\":{{\"db.system\":\"postgresql\",\"server.port\":5432"
        ));
        if self.plants(index, 1) {
            let prompt = self.random.pick(&PROMPTS);
            // As the SDKs send it: a list of messages, as JSON inside a string.
            self.put(&format!(
                ",\"gen_ai.system\":\"openai\",\"gen_ai.request.messages\":\
                 \"[{{\\\"role\\\":\\\"user\\\",\\\"content\\\":\\\"{prompt}\\\"}}]\""
            ));
        }
        self.put("}}");
    }

    fn tail(&mut self) {
        self.put("\"tags\":{\"region\":\"eu-central\",\"plan\":\"team\"},\"modules\":{\"django\":\"5.2.4\",\"psycopg\":\"3.2.9\"}}");
    }

    /// Writes comma-separated elements, one at least, until `self.out` reaches `end`.
    ///
    /// Stops early when another element of the size of the last one would pass `end` by more than half.
    fn list(&mut self, end: usize, mut element: impl FnMut(&mut Self, usize)) {
        let mut index = 0;
        loop {
            let start = self.out.len();
            element(self, index);
            index += 1;
            let size = self.out.len() - start;
            if self.out.len() + size / 2 >= end {
                return;
            }
            self.put(",");
        }
    }

    /// Whether element `index` of a section carries a planted value; `few` is how many do at `Few`.
    fn plants(&self, index: usize, few: usize) -> bool {
        match self.density {
            Density::None => false,
            Density::Few => index < few,
            Density::Dense => true,
        }
    }

    fn hex32(&mut self) -> String {
        let mut out = String::with_capacity(32);
        for _ in 0..2 {
            let bits = self.random.next();
            write!(out, "{bits:016x}").expect("writing to a String cannot fail");
        }
        out
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }
}
