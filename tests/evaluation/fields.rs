//! Classes that have no shape, in the fields that public vocabularies name: what a field says must be gone, also from the text that
//! repeats it where it names a person.
//!
//! The names are those of standards and of vendors' own references, not of the packs: OpenID Connect (standard claims), HTML (autofill),
//! schema.org, SCIM (RFC 7643), FHIR, and the objects of Stripe, Shopify, GitHub, Segment and makers of models. `§` is where the
//! value stands; a second one is what repeats it.

use super::random::{BASE36, LOWER, Random};
use super::{ItemFormat, ItemScope, Scrubber};
use memchr::memmem;
use std::fmt::Write as _;

/// Values for each form.
const TRIES: usize = 25;

/// A class by the word in the table, and the documents in which it is looked for.
const CLASSES: &[(&str, Make, &[&str])] = &[
    ("person", full_name, PERSON),
    ("person, repeated", full_name, REPEATED),
    ("part of a name, repeated", part, PARTS),
    ("postal address", street, POSTAL),
    ("user id, with a key", id, USER_ID),
    ("media link", id, MEDIA_LINK),
    ("prompt", sentence, PROMPT),
];

type Make = fn(&mut Random) -> String;

const PERSON: &[&str] = &[
    // OpenID Connect
    r#"{"claims":{"sub":"1","name":"§","email_verified":true}}"#,
    r#"{"claims":{"given_name":"§"}}"#,
    r#"{"claims":{"family_name":"§"}}"#,
    r#"{"claims":{"middle_name":"§"}}"#,
    r#"{"claims":{"nickname":"§"}}"#,
    r#"{"claims":{"preferred_username":"§"}}"#,
    // HTML
    r#"{"form":{"cc-name":"§"}}"#,
    r#"{"form":{"given-name":"§"}}"#,
    r#"{"form":{"additional-name":"§"}}"#,
    r#"{"form":{"family-name":"§"}}"#,
    r#"{"form":{"username":"§"}}"#,
    // schema.org
    r#"{"@type":"Person","name":"§"}"#,
    r#"{"@type":"Person","givenName":"§"}"#,
    r#"{"@type":"Person","familyName":"§"}"#,
    r#"{"@type":"Person","additionalName":"§"}"#,
    r#"{"@type":"Person","alternateName":"§"}"#,
    // SCIM
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"§"}"#,
    r#"{"userName":"x","displayName":"§"}"#,
    r#"{"userName":"x","name":{"formatted":"§"}}"#,
    // FHIR
    r#"{"resourceType":"Patient","name":[{"text":"§"}]}"#,
    r#"{"resourceType":"Patient","name":[{"family":"§"}]}"#,
    // vendors
    r#"{"sender":{"login":"§","id":1}}"#,
    r#"{"commit":{"author":{"name":"§"}}}"#,
    r#"{"charge":{"billing_details":{"name":"§"}}}"#,
    r#"{"charge":{"shipping":{"name":"§"}}}"#,
    r#"{"customer":{"first_name":"§"}}"#,
    r#"{"customer":{"last_name":"§"}}"#,
    r#"{"order":{"shipping_address":{"name":"§"}}}"#,
    r#"{"traits":{"name":"§"}}"#,
    r#"{"traits":{"firstName":"§"}}"#,
    r#"{"user":{"fullName":"§"}}"#,
    r#"{"user":{"name":"§"}}"#,
];

const REPEATED: &[&str] = &[
    r#"{"user":{"username":"§"},"message":"no seat for §"}"#,
    r#"{"user":{"name":"§"},"exception":{"values":[{"value":"order of § failed"}]}}"#,
    r#"{"message":"welcome, §!","claims":{"preferred_username":"§"}}"#,
    r#"{"message":"welcome, §!","claims":{"nickname":"§"}}"#,
    r#"{"sender":{"login":"§"},"breadcrumbs":[{"message":"GET /users/§"}]}"#,
    r#"{"userName":"x","displayName":"§","note":"hello §"}"#,
    r#"{"customer":{"name":"§"},"note":"hello §"}"#,
];

const PARTS: &[&str] = &[
    r#"{"user":{"first_name":"§"},"message":"hello §"}"#,
    r#"{"user":{"last_name":"§"},"message":"Dear Ms §,"}"#,
    r#"{"claims":{"given_name":"§"},"note":"order of § failed"}"#,
    r#"{"claims":{"family_name":"§"},"note":"order of § failed"}"#,
];

const POSTAL: &[&str] = &[
    r#"{"claims":{"address":{"formatted":"§"}}}"#,
    r#"{"claims":{"address":{"street_address":"§"}}}"#,
    r#"{"claims":{"address":{"locality":"§"}}}"#,
    r#"{"claims":{"address":{"postal_code":"§"}}}"#,
    r#"{"form":{"street-address":"§"}}"#,
    r#"{"form":{"address-line1":"§"}}"#,
    r#"{"form":{"address-line2":"§"}}"#,
    r#"{"form":{"address-level2":"§"}}"#,
    r#"{"form":{"postal-code":"§"}}"#,
    r#"{"@type":"PostalAddress","streetAddress":"§"}"#,
    r#"{"@type":"PostalAddress","addressLocality":"§"}"#,
    r#"{"@type":"PostalAddress","postOfficeBoxNumber":"§"}"#,
    r#"{"resourceType":"Patient","address":[{"line":["§"]}]}"#,
    r#"{"resourceType":"Patient","address":[{"city":"§"}]}"#,
    r#"{"billing_details":{"address":{"line1":"§"}}}"#,
    r#"{"billing_details":{"address":{"city":"§"}}}"#,
    r#"{"shipping_address":{"address1":"§"}}"#,
    r#"{"shipping_address":{"zip":"§"}}"#,
    r#"{"traits":{"address":{"street":"§"}}}"#,
    r#"{"traits":{"address":{"postalCode":"§"}}}"#,
];

const USER_ID: &[&str] = &[
    r#"{"user":{"id":"§"}}"#,
    r#"{"contexts":{"app":{"device_app_hash":"§"}}}"#,
    r#"{"attributes":{"enduser.id":"§"}}"#,
    r#"{"attributes":{"user.id":"§"}}"#,
    r#"{"properties":{"distinct_id":"§"}}"#,
    r#"{"userId":"§","type":"track"}"#,
    r#"{"anonymousId":"§","type":"track"}"#,
    r#"{"user_id":"§"}"#,
    r#"{"model":"m","metadata":{"user_id":"§"}}"#,
    r#"{"model":"m","safety_identifier":"§"}"#,
    r#"{"customer":{"id":"§","object":"customer"}}"#,
];

const MEDIA_LINK: &[&str] = &[
    r#"{"content":[{"type":"image_url","image_url":{"url":"https://cdn.example.com/§.png"}}]}"#,
    r#"{"fileData":{"mimeType":"image/png","fileUri":"https://cdn.example.com/§.png"}}"#,
    r#"{"video_url":"https://cdn.example.com/§.mp4"}"#,
    r#"{"audio_url":"https://cdn.example.com/§.mp3"}"#,
    r#"{"image_url":"https://cdn.example.com/§.png"}"#,
    r#"{"thumbnail_url":"https://cdn.example.com/§.png"}"#,
    r#"{"user":{"avatar_url":"https://cdn.example.com/§.png"}}"#,
    r#"{"claims":{"picture":"https://cdn.example.com/§.png"}}"#,
    r#"{"prediction":{"model":"m","output":["https://replicate.delivery/a/§.png"]}}"#,
    r#"{"generatedVideos":[{"video":{"uri":"https://cdn.example.com/§"}}]}"#,
    r#"{"avatar":"https://x.supabase.co/storage/v1/object/public/avatars/§.png"}"#,
];

const PROMPT: &[&str] = &[
    r#"{"model":"m","messages":[{"role":"user","content":"§"}]}"#,
    r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"§"}]}]}"#,
    r#"{"model":"m","system":"§","max_tokens":9}"#,
    r#"{"model":"m","input":"§"}"#,
    r#"{"model":"m","instructions":"§"}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"§"}]}]}"#,
    r#"{"systemInstruction":{"parts":[{"text":"§"}]}}"#,
    r#"{"model":"m","prompt":"§","stream":false}"#,
    r#"{"prompt":"§","n":1,"size":"1024x1024"}"#,
    r#"{"input":{"prompt":"§","negative_prompt":"x"}}"#,
    r#"{"attributes":{"gen_ai.input.messages":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"§\"}]}]"}}"#,
    r#"{"attributes":{"gen_ai.prompt.0.content":"§"}}"#,
    r#"{"attributes":{"llm.input_messages.0.message.content":"§"}}"#,
    r#"{"attributes":{"ai.prompt":"{\"prompt\":\"§\"}"}}"#,
    r#"{"properties":{"$ai_input":[{"role":"user","content":"§"}]}}"#,
    r#"{"lc":1,"type":"constructor","id":["HumanMessage"],"kwargs":{"content":"§"}}"#,
    r#"{"6":{"class_type":"CLIPTextEncode","inputs":{"text":"§"}}}"#,
    r#"{"query":"§","response_mode":"blocking","user":"u"}"#,
    r#"{"question":"§","chat_history":[]}"#,
    r#"{"stacktrace":{"frames":[{"vars":{"user_prompt":"§"}}]}}"#,
];

/// What became of one class.
pub(crate) struct Row {
    pub(crate) class: &'static str,
    pub(crate) planted: usize,
    pub(crate) missed: usize,
    /// Forms of which any was missed.
    pub(crate) forms: Vec<&'static str>,
}

impl Row {
    pub(crate) fn recall(&self) -> f64 {
        let [planted, missed] =
            [self.planted, self.missed].map(|n| f64::from(u32::try_from(n).expect("few")));
        1.0 - missed / planted
    }
}

/// Plants each class in each of its forms.
pub(crate) fn evaluated(scrubber: &mut Scrubber, random: &mut Random) -> Vec<Row> {
    let rows = CLASSES.iter().map(|(class, make, forms)| {
        let mut row = Row { class, planted: 0, missed: 0, forms: Vec::new() };
        for form in *forms {
            let missed = (0..TRIES).filter(|_| survives(scrubber, form, &make(random))).count();
            row.planted += TRIES;
            row.missed += missed;
            row.forms.extend((missed > 0).then_some(*form));
        }
        row
    });
    rows.collect()
}

fn survives(scrubber: &mut Scrubber, form: &str, value: &str) -> bool {
    let document = form.replace('§', value);
    let mut out = Vec::new();
    let verdict = scrubber.item(ItemFormat::Json, scope(form), document.as_bytes(), &mut out);
    assert!(!verdict.broken, "{document} is JSON");
    memmem::find(&out, value.as_bytes()).is_some()
}

/// The protocol that a form belongs to.
fn scope(form: &str) -> ItemScope {
    match form {
        form if form.contains(r#""type":"track""#) => ItemScope::Segment,
        form if form.starts_with(r#"{"user":{"id""#) || form.contains("device_app_hash") => ItemScope::Sentry,
        _ => ItemScope::Any,
    }
}

/// Markdown, as it stands in `patterns/README.md`.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out =
        String::from("| class, in fields | forms | planted | missed | recall |\n|---|--:|--:|--:|--:|\n");
    for row in rows {
        let (forms, recall) = (row.planted / TRIES, 100.0 * row.recall());
        writeln!(out, "| {} | {forms} | {} | {} | {recall:.1} % |", row.class, row.planted, row.missed)
            .expect("a string takes all");
    }
    out
}

/// A name that nobody has, and no word.
fn part(random: &mut Random) -> String {
    let tail = random.between(5, 9);
    let head = random.text("BCDFGHJKLMNPRSTVWXZ", 1);
    format!("{head}{}q", random.text(LOWER, tail))
}

fn full_name(random: &mut Random) -> String {
    format!("{} {}", part(random), part(random))
}

fn street(random: &mut Random) -> String {
    format!("{} {} Lane", random.between(1, 99), part(random))
}

fn id(random: &mut Random) -> String {
    format!("x{}", random.text(BASE36, 11))
}

fn sentence(random: &mut Random) -> String {
    (0..7).map(|_| part(random).to_lowercase()).collect::<Vec<_>>().join(" ")
}
