//! `tamis canary`: planted personal data through a running instance, and whether any of it comes out.
//!
//! Posts a few bodies with values that nobody else has to a route whose upstream is the inbox, reads back what would
//! have left, and looks for each value there, also behind the codings in which it was planted. All of it is invented
//! and new at each run, so that nothing old is found. The live path is the same as for any sender: the route's policy,
//! the pattern set in force, the configured limits.

mod planted;

use super::client::Client;
use super::health::{admin_base, base, reachable};
use super::serve::in_runtime;
use super::{Exit, say, setup, tell};
use crate::metrics::CanaryResult;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Uri};
use planted::{Body, Planted};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// Path that is posted to where none is given.
const PATH: &str = "/canary";

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Configuration file of the running instance: its addresses and its token.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to post: the address of the ingest port with the path of the canary's route.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Address of the admin port, where the inbox is read.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// File with the token of the admin port; with it the result is counted in `tamis_canary_runs_total`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file with the certificates to trust, where the ingest port speaks TLS.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Run again after this many seconds, until stopped; the exit code is that of the first run that is not clean.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: Option<u64>,
}

/// What one run needs.
struct Canary {
    client: Client,
    to: Uri,
    admin: String,
    token: Option<HeaderValue>,
}

pub(super) fn run(options: &Options) -> Exit {
    let canary = match Canary::new(options) {
        Ok(canary) => canary,
        Err(exit) => return exit,
    };
    let every = options.every.map(Duration::from_secs);
    in_runtime(Some(1), async move {
        loop {
            let exit = canary.run_once().await;
            match every {
                Some(pause) if exit == Exit::Ok => tokio::time::sleep(pause).await,
                _ => return exit,
            }
        }
    })
}

impl Canary {
    fn new(options: &Options) -> Result<Self, Exit> {
        let config = setup::read(options.config.as_deref())?;
        let wrong = |what: &str| {
            tell(what);
            Exit::Config
        };
        let scheme = if config.listen.tls.is_some() { "https" } else { "http" };
        let to = match &options.to {
            Some(to) => base(to),
            None => format!("{scheme}://{}{PATH}", reachable(config.listen.ingest)),
        };
        let token = match &options.token_file {
            Some(file) => Some(std::fs::read(file).map_err(|error| {
                tell(&format!("cannot read {}: {error}", file.display()));
                Exit::Io
            })?),
            None => config.admin.token.map(|token| token.bytes().to_vec()),
        };
        let bearer = |token: Vec<u8>| {
            let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.trim_ascii()].concat())
                .map_err(|_| wrong("the token is not one that a header can show"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Self {
            client: Client::new(options.ca_file.clone()),
            to: to.parse().map_err(|_| wrong("`--to` is not an address"))?,
            admin: admin_base(options.config.as_deref(), options.admin.as_deref())?,
            token: token.map(bearer).transpose()?,
        })
    }

    /// Posts, reads back, tells and reports.
    async fn run_once(&self) -> Exit {
        let planted = Planted::new();
        let (result, exit) = match self.arrived(&planted).await {
            Err(why) => {
                tell(&format!("the canary cannot tell: {why}"));
                (CanaryResult::Failed, Exit::Io)
            }
            Ok(texts) => {
                let leaks = planted.found_in(&texts);
                for (body, kind) in &leaks {
                    tell(&format!("{kind} came through in {body}"));
                }
                let (values, bodies) = (planted.values().len(), planted.bodies().len());
                let leaked = leaks.len();
                match say(&format!(
                    "{values} values in {bodies} bodies planted, {leaked} found in what left\n"
                )) {
                    Exit::Ok if leaked == 0 => (CanaryResult::Clean, Exit::Ok),
                    Exit::Ok => (CanaryResult::Leaked, Exit::No),
                    exit => (CanaryResult::Failed, exit),
                }
            }
        };
        match self.report(result).await {
            Ok(()) => exit,
            Err(why) => {
                tell(&format!("the result was not counted: {why}"));
                if exit == Exit::Ok { Exit::Io } else { exit }
            }
        }
    }

    /// Posts every body and gives what the inbox has of each.
    async fn arrived(&self, planted: &Planted) -> Result<Vec<String>, String> {
        let before = self.last_seq().await?;
        for body in planted.bodies() {
            let answer = self.client.send(Method::POST, &self.to, headers(body), body.bytes.clone()).await?;
            if !answer.status.is_success() {
                return Err(format!("{} was answered {}", body.name, answer.status.as_u16()));
            }
        }
        let lines = self.get(&format!("/inbox?after={before}")).await?;
        let texts: Vec<String> = lines.lines().filter_map(text_of).collect();
        let missing =
            planted.bodies().iter().find(|body| !texts.iter().any(|text| text.contains(&body.marker)));
        match missing {
            Some(body) => Err(format!(
                "{} did not arrive in the inbox; is the upstream of its route the inbox?",
                body.name
            )),
            None => Ok(texts),
        }
    }

    async fn last_seq(&self) -> Result<u64, String> {
        let status = self.get("/api/v1/status").await?;
        let status: Value = serde_json::from_str(&status).map_err(|_| "the status is no JSON".to_owned())?;
        status["inbox"]["seq_last"]
            .as_u64()
            .ok_or_else(|| "no route has the inbox as its upstream".to_owned())
    }

    async fn get(&self, path: &str) -> Result<String, String> {
        let uri = self.admin_uri(path)?;
        let answer = self.client.send(Method::GET, &uri, HeaderMap::new(), Vec::new()).await?;
        if !answer.status.is_success() {
            return Err(format!("{path} was answered {}", answer.status.as_u16()));
        }
        String::from_utf8(answer.body).map_err(|_| format!("{path} is no text"))
    }

    /// Has the result counted, if there is a token.
    async fn report(&self, result: CanaryResult) -> Result<(), String> {
        let Some(token) = &self.token else { return Ok(()) };
        let uri = self.admin_uri("/api/v1/canary")?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, token.clone())]);
        let answer = self.client.send(Method::POST, &uri, headers, result.as_str().into()).await?;
        if answer.status.is_success() { Ok(()) } else { Err(format!("answered {}", answer.status.as_u16())) }
    }

    fn admin_uri(&self, path: &str) -> Result<Uri, String> {
        format!("{}{path}", self.admin).parse().map_err(|_| "`--admin` is not an address".to_owned())
    }
}

fn headers(body: &Body) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type));
    if body.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers
}

/// All that left of one item: its payload, and the lines around it.
fn text_of(line: &str) -> Option<String> {
    let item: Value = serde_json::from_str(line).ok()?;
    let parts = ["payload", "header", "envelope", "path"].iter().filter_map(|key| item[*key].as_str());
    Some(parts.collect::<Vec<_>>().join("\n"))
}
