//! Credentials as their vendors document them, and those that a header, a URL or a name tells.
//!
//! A shape is written as text with holes: `{h32}` is 32 hex digits, see `shape`. What lies between `«` and
//! `»` must be gone; all else of the shape may go too. No token here was ever given out.

use super::layers::base64;
use super::plant::Plant;
use super::random::{ALNUM, Random, UPPER};
use super::shape::filled;

/// Tokens that their own first characters tell, as vendors' pages and registries of secret scanning give them.
const TOKENS: &[(&str, &str)] = &[
    ("GitHub personal", "ghp_«{n36}»"),
    ("GitHub OAuth", "gho_«{n36}»"),
    ("GitHub app", "ghs_«{n36}»"),
    ("GitHub fine-grained", "github_pat_«{n22}_{n59}»"),
    ("GitLab personal", "glpat-«{u20}»"),
    ("GitLab runner", "glrt-«{u20}»"),
    ("Bitbucket app", "ATBB«{n32}»"),
    ("AWS access key", "AKIA«{B16}»"),
    ("AWS session key", "ASIA«{B16}»"),
    ("Google API key", "AIza«{u35}»"),
    ("Google OAuth", "ya29.«a0{u120}»"),
    ("Google client secret", "GOCSPX-«{u28}»"),
    ("Gemini auth key", "AQ.«Ab8RN6{u44}»"),
    ("Slack bot", "xoxb-«{d12}-{d13}-{n24}»"),
    ("Slack user", "xoxp-«{d12}-{d12}-{d13}-{h32}»"),
    ("Slack app", "xapp-1-«A{U10}-{d13}-{h64}»"),
    ("Slack webhook", "https://hooks.slack.com/services/T{U10}/B{U10}/«{n24}»"),
    ("Discord webhook", "https://discord.com/api/webhooks/{d18}/«{u68}»"),
    ("Telegram bot", "{d10}:«AA{u33}»"),
    ("Stripe secret", "sk_live_«{n24}»"),
    ("Stripe test", "sk_test_«51{n97}»"),
    ("Stripe restricted", "rk_live_«51{n97}»"),
    ("Stripe webhook", "whsec_«{n32}»"),
    ("Square", "sq0csp-«{u43}»"),
    ("Shopify admin", "shpat_«{h32}»"),
    ("Shopify shared", "shpss_«{h32}»"),
    ("npm", "npm_«{n36}»"),
    ("PyPI", "pypi-AgEIcHlwaS5vcmc«{u140}»"),
    ("RubyGems", "rubygems_«{h48}»"),
    ("crates.io", "cio«{n32}»"),
    ("NuGet", "oy2«{b43}»"),
    ("Docker Hub", "dckr_pat_«{u27}»"),
    ("SendGrid", "SG.«{u22}.{u43}»"),
    ("Mailgun", "key-«{h32}»"),
    ("Mailchimp", "«{h32}»-us14"),
    ("Brevo", "xkeysib-«{h64}-{n16}»"),
    ("Resend", "re_«{n8}_{n24}»"),
    ("Postmark by name", "X-Postmark-Server-Token: «{uuid}»"),
    ("DigitalOcean", "dop_v1_«{h64}»"),
    ("Heroku", "HRKU-«AA{u58}»"),
    ("Fly.io", "fo1_«{u43}»"),
    ("Render", "rnd_«{n32}»"),
    ("Netlify", "nfp_«{n36}»"),
    ("Vercel", "vcp_«{n56}»"),
    ("Cloudflare user", "cfut_«{n40}{h8}»"),
    ("Doppler personal", "dp.pt.«{n43}»"),
    ("Vault", "hvs.«CAES{u92}»"),
    ("Terraform Cloud", "{n14}.atlasv1.«{u66}»"),
    ("Pulumi", "pul-«{h40}»"),
    ("Databricks", "dapi«{h32}»"),
    ("PlanetScale", "pscale_tkn_«{u43}»"),
    ("Neon", "napi_«{b64}»"),
    ("Supabase access", "sbp_«{h40}»"),
    ("Supabase secret", "sb_secret_«{u22}_{n8}»"),
    ("Grafana service", "glsa_«{n32}_{h8}»"),
    ("New Relic user", "NRAK-«{U27}»"),
    ("Dynatrace", "dt0c01.{U24}.«{U64}»"),
    ("Sentry user", "sntryu_«{h64}»"),
    ("PostHog personal", "phx_«{n43}»"),
    ("Datadog by name", "DD_API_KEY=«{h32}»"),
    ("CircleCI", "CCIPAT_«{n22}_{h40}»"),
    ("Buildkite", "bkua_«{h40}»"),
    ("SonarQube", "squ_«{h40}»"),
    ("Postman", "PMAK-«{h24}-{h34}»"),
    ("Linear", "lin_api_«{n40}»"),
    ("Notion", "ntn_«{d11}{n35}»"),
    ("Figma", "figd_«{u40}»"),
    ("Airtable", "pat{n14}.«{h64}»"),
    ("Atlassian", "ATATT3xFfGF0«{u176}»={H8}"),
    ("Contentful", "CFPAT-«{u43}»"),
    ("Typeform", "tfp_«{u59}»"),
    ("Mapbox secret", "sk.eyJ1Ijoi«{n60}».{n22}"),
    ("Tailscale", "tskey-auth-«{n17}-{n32}»"),
    ("age", "AGE-SECRET-KEY-1«{A58}»"),
    ("Alibaba", "LTAI«{n20}»"),
    ("Azure client secret", "{n3}8Q~«{u34}»"),
    ("Azure storage", "AccountKey=«{n86}»=="),
    ("Duffel", "duffel_live_«{u43}»"),
    ("EasyPost", "EZAK«{n54}»"),
    ("Shippo", "shippo_live_«{h40}»"),
    ("Flutterwave", "FLWSECK-«{h32}»-X"),
    ("Prefect", "pnu_«{n36}»"),
    ("OpenAI project", "sk-proj-«{u74}T3BlbkFJ{u74}»"),
    ("OpenAI old", "sk-«{n20}T3BlbkFJ{n20}»"),
    ("Anthropic", "sk-ant-api03-«{u93}»AA"),
    ("Hugging Face", "hf_«{l34}»"),
    ("Groq", "gsk_«{n52}»"),
    ("xAI", "xai-«{n80}»"),
    ("Perplexity", "pplx-«{n48}»"),
    ("Replicate", "r8_«{n37}»"),
    ("OpenRouter", "sk-or-v1-«{h64}»"),
    ("NVIDIA", "nvapi-«{u64}»"),
    ("Langfuse", "sk-lf-«{uuid}»"),
    ("LangSmith", "lsv2_pt_«{h32}_{h10}»"),
    ("Pinecone", "pcsk_«{n6}_{n62}»"),
    ("Tavily", "tvly-«{n32}»"),
    ("PASETO", "v4.local.«{u96}»"),
    ("Fernet", "gAAAAAB«{u96}»"),
    ("Google refresh", "1//0«{u96}»"),
    ("Runpod", "rpa_«{U40}»"),
    ("Apify", "apify_api_«{n36}»"),
    ("Yandex OAuth", "y0_«{u55}»"),
    ("OpenShift", "sha256~«{u43}»"),
    ("Deno", "ddp_«{n36}»"),
    ("Inngest", "signkey-prod-«{h64}»"),
    ("Onfido", "api_live.«{n11}.{n32}»"),
    ("Facebook", "EAAC«{n120}»"),
    ("LangSmith old", "ls__«{h32}»"),
    ("MailerSend", "mlsn.«{h64}»"),
    ("Infisical", "st.«{uuid}.{h32}.{h32}»"),
    ("Azure AI", "«{n32}JQQJ99{n46}»"),
    ("Firebase messaging", "AAAA{u7}:APA91b«{u134}»"),
    (
        "Teams webhook",
        "https://example.webhook.office.com/webhookb2/{uuid}@{uuid}/IncomingWebhook/«{h32}»/{uuid}",
    ),
];

/// Credentials that something around them tells.
const NAMED: &[(&str, &str, &str)] = &[
    ("bearer", "Authorization: ", "Bearer «{u40}»"),
    ("bearer", "authorization=", "Bearer «{u64}»"),
    ("bearer alone", "sent Bearer ", "«{u40}»"),
    ("token header", "Authorization: ", "Token «{h40}»"),
    ("header by name", "X-Api-Key: ", "«{n32}»"),
    ("header by name", "x-auth-token: ", "«{h48}»"),
    ("header by name", "X-Goog-Api-Key: ", "«{u39}»"),
    ("password", "password=", "«{n12}»"),
    ("password", "password: ", "«{n14}»"),
    ("password", "passwd=", "«{n10}»"),
    ("password", "DB_PASSWORD=", "«{n16}»"),
    ("password", "\"password\":", "\"«{n12}»\""),
    ("secret by name", "client_secret=", "«{u32}»"),
    ("secret by name", "AWS_SECRET_ACCESS_KEY=", "«{u40}»"),
    ("secret by name", "api_key=", "«{h32}»"),
    ("secret by name", "TWILIO_AUTH_TOKEN=", "«{h32}»"),
    ("secret by name", "apikey: ", "«{n24}»"),
    ("secret by name", "access_token=", "«{u48}»"),
    ("secret by name", "refresh_token=", "«{u48}»"),
    ("secret by name", "SECRET_KEY_BASE=", "«{h128}»"),
    ("secret by name", "private_token=", "«{u20}»"),
    ("secret by name", "SMTP_PASS=", "«{n12}Q7»"),
    ("secret by name", "RAILS_MASTER_KEY=", "«{h32}»"),
    ("secret by name", "csrfmiddlewaretoken=", "«{n64}»"),
    ("secret by name", "GITLAB_DEPLOY_TOKEN=", "«{n20}»"),
    ("header by name", "Ocp-Apim-Subscription-Key: ", "«{h32}»"),
    ("password in markup", "", "<password>«{n12}»</password>"),
    ("password in markup", "", "<add key='DbPassword' value='«{n12}»' />"),
    ("password in markup", "", "<input name='password' type='hidden' value='«{n12}»'>"),
    ("option", "run --db-password ", "«{n12}»"),
    ("digest", "", "Digest username=«u{n8}», realm=r, nonce={h16}, uri=/, response=«{h32}»"),
    ("MySQL of Go", "", "app:«{n14}»@tcp(db.example.com:3306)/main"),
    ("user info", "", "https://deploy:«{n16}»@git.example.com/x.git"),
    ("user info", "", "postgres://app:«{n14}»@db.example.com:5432/main"),
    ("user info", "", "postgresql://app:«p%40{n12}»@db.example.com/x"),
    ("user info", "", "redis://:«{n20}»@cache.example.com:6379/0"),
    ("user info", "", "mongodb+srv://svc:«{n18}»@cluster0.example.net/app"),
    ("user info", "", "amqp://guest1:«{n12}»@mq.example.org:5672/v"),
    ("cookies", "Cookie: ", "sessionid=«{n32}»; theme=dark"),
    ("cookies", "Cookie: ", "connect.sid=s%3A«{u32}»; lang=de"),
    ("cookies", "Set-Cookie: ", "PHPSESSID=«{b26}»; Path=/; HttpOnly"),
    ("cookies", "cookie: ", "__Secure-next-auth.session-token=«{u64}»"),
    (
        "presigned S3",
        "https://b.s3.example.com/k.pdf?X-Amz-Date=20261125T101500Z&X-Amz-Signature=",
        "«{h64}»",
    ),
    ("presigned GCS", "https://storage.example.com/b/k?X-Goog-Expires=900&X-Goog-Signature=", "«{h128}»"),
    ("Azure SAS", "https://x.blob.core.windows.net/c/b?sv=2024-11-04&se=2026-11-25&sp=r&sig=", "«{u43}»%3D"),
    (
        "presigned S3, v2",
        "https://b.s3.example.com/k.pdf?AWSAccessKeyId=",
        "«AKIA{B16}»&Expires=1790000000&Signature=«{n26}»%3D",
    ),
    (
        "presigned S3, v2",
        "https://b.s3.example.com/k.pdf?Signature=",
        "«{n26}»%3D&Expires=1790000000&AWSAccessKeyId=«AKIA{B16}»",
    ),
    (
        "CloudFront",
        "https://cdn.example.com/v.mp4?Expires=1790000000&Signature=",
        "«{n80}»~«{n40}»__&Key-Pair-Id=«K{B13}»",
    ),
    (
        "CloudFront",
        "https://cdn.example.com/v.mp4?Policy=",
        "«eyJTdGF0ZW1lbnQiOlt7{n80}»_&Signature=«{n120}»&Key-Pair-Id=«K{B13}»",
    ),
    ("URL parameter", "https://app.example.com/reset?token=", "«{u40}»"),
    ("URL parameter", "https://app.example.com/cb?code=", "«{u40}»"),
    ("URL parameter", "https://api.example.com/v1/x?api_key=", "«{n32}»"),
];

pub(crate) fn secret(random: &mut Random) -> Plant {
    match random.below(100) {
        0..=54 => token(random),
        55..=64 => jwt(random),
        65..=67 => pem(random),
        68 => discord(random),
        69..=72 => basic(random),
        _ => {
            let (form, lead, shape) = *random.pick(NAMED);
            shaped(random, form, shape).led_by(lead)
        }
    }
}

/// A token that its own first characters tell; of Airtable's there are three, which events leave out.
pub(crate) fn prefixed(random: &mut Random) -> Plant {
    loop {
        let plant = token(random);
        if plant.form != "Airtable" {
            return plant;
        }
    }
}

/// A token of any vendor's shape.
pub(crate) fn token(random: &mut Random) -> Plant {
    let (form, shape) = *random.pick(TOKENS);
    shaped(random, form, shape)
}

fn shaped(random: &mut Random, form: &'static str, shape: &str) -> Plant {
    let marked = filled(random, shape);
    let cores = marked.split('\u{ab}').skip(1).filter_map(|part| part.split_once('\u{bb}'));
    let cores: Vec<String> = cores.map(|(core, _)| core.to_owned()).collect();
    Plant { cores, in_pieces: true, ..Plant::whole(form, marked.replace(['\u{ab}', '\u{bb}'], "")) }
}

fn jwt(random: &mut Random) -> Plant {
    let header = random.pick(&[
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"RS256","kid":"2026-11"}"#,
        r#"{"typ":"JWT","alg":"ES256"}"#,
        r#"{ "alg": "EdDSA" }"#,
    ]);
    let claims = format!(
        r#"{{"sub":"{}","exp":{}}}"#,
        random.text(ALNUM, 12),
        1_790_000_000 + random.below(9_000_000)
    );
    let signature_bytes = *random.pick(&[32, 64]);
    let signature = random.bytes(signature_bytes);
    let [head, body] = [header.as_bytes(), claims.as_bytes()].map(|part| base64(part, true, false));
    let tail = base64(&signature, true, false);
    let text = format!("{head}.{body}.{tail}");
    Plant { cores: vec![body, tail], in_pieces: true, ..Plant::whole("JWT", text) }
}

fn pem(random: &mut Random) -> Plant {
    let label = *random.pick(&["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"]);
    let body = base64(&random.bytes(192), false, true);
    let lines: Vec<&str> = (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
    let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines.join("\n"));
    let cores = lines.iter().map(|line| (*line).to_owned()).collect();
    Plant { cores, in_pieces: true, ..Plant::whole("PEM key", text) }
}

/// The first part of a bot's token is its id, which is a number.
fn discord(random: &mut Random) -> Plant {
    let id = base64(format!("1{}", random.digits(18)).as_bytes(), true, false);
    let (time, code) = (filled(random, "G{n5}"), filled(random, "{u38}"));
    let lead = *random.pick(&["Authorization: Bot ", "DISCORD_TOKEN=", "login with "]);
    Plant::part("Discord bot", format!("{id}.{time}.{code}"), code).led_by(lead)
}

fn basic(random: &mut Random) -> Plant {
    let pair =
        base64(format!("svc-{}:{}", random.text(UPPER, 4), random.text(ALNUM, 14)).as_bytes(), false, true);
    Plant::part("basic", format!("Basic {pair}"), pair).led_by("Authorization: ")
}

/// How many vendors' shapes there are.
pub(crate) fn token_shapes() -> usize {
    TOKENS.len()
}
