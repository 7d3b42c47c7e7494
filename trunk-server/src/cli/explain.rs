//! `trunk-server explain`: asks a running server what would become of a call.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};

/// Longest wait for the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const ANSWER_BYTES: usize = 1 << 20;

/// Asks a running server what would become of a call, without placing it.
///
/// Says which check decides, what is configured there, what came instead, and what would be right. It ends with 0
/// when the call is admitted, with 3 when it is challenged or refused, and with 1 when the server could not be asked.
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Explain {
    /// The address that the call comes from
    #[arg(long, value_name = "IP")]
    pub source: IpAddr,

    /// What is dialled, tech prefix and all: a number, or a sip: or tel: URI
    #[arg(long, value_name = "NUMBER")]
    pub to: String,

    /// The caller number, or a URI
    #[arg(long, value_name = "NUMBER", default_value = "")]
    pub from: String,

    /// The username of a right digest; without it no digest is sent
    #[arg(long, value_name = "USERNAME")]
    pub username: Option<String>,

    /// The Twilio account that the call says it comes from
    #[arg(long, value_name = "SID")]
    pub twilio_account_sid: Option<String>,

    /// The number in P-Asserted-Identity
    #[arg(long, value_name = "NUMBER")]
    pub asserted_identity: Option<String>,

    /// A file with the offer; without it plain G.711 is offered
    #[arg(long, value_name = "FILE")]
    pub sdp: Option<PathBuf>,

    /// Print the answer of the control API as it is
    #[arg(long)]
    pub json: bool,

    /// Where the control API of the running server is
    #[arg(
        long,
        env = "TRUNK_SERVER_CONTROL_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8081"
    )]
    pub control_listen: String,

    /// The token that the control API asks for
    #[arg(long, env = "TRUNK_SERVER_CONTROL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub control_token: Option<String>,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The offer cannot be read.
    #[error("the offer in {} cannot be read: {error}", file.display())]
    Offer {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Nobody can be asked there.
    #[error("no control API answers at {at}: {why}; --control-listen names the one of the running server")]
    Unreachable {
        /// Where it was looked for.
        at: String,
        /// Why it cannot be asked.
        why: String,
    },
    /// It refused to say.
    #[error("the control API at {at} answered {status}: {why}")]
    Refused {
        /// Where it is.
        at: String,
        /// Its status.
        status: u16,
        /// Its words.
        why: String,
    },
}

/// What a server said of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// Whether it would be admitted.
    pub admitted: bool,
    /// The words to print.
    pub text: String,
}

impl Explain {
    /// Asks the server.
    ///
    /// # Errors
    /// When it cannot be asked, or refuses to say.
    pub async fn ask(self) -> Result<Explained, ExplainError> {
        let at = self.control_listen.clone();
        let unreachable = |why: String| ExplainError::Unreachable { at: at.clone(), why };
        let request = self.request()?.map_err(|error| unreachable(error.to_string()))?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let exchange = async {
            let response = client.request(request).await.map_err(|error| with_cause(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        let slow = || format!("it took more than {} seconds", PATIENCE.as_secs());
        let (status, body) = answer.unwrap_or_else(|_| Err(slow())).map_err(unreachable)?;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !status.is_success() {
            let why = text(&said, "error").unwrap_or("nothing that could be read").to_owned();
            return Err(ExplainError::Refused { at, status: status.as_u16(), why });
        }
        let admitted = text(&said, "verdict") == Some("admitted");
        let text = if self.json { format!("{said}\n") } else { words(&said) };
        Ok(Explained { admitted, text })
    }

    fn request(&self) -> Result<http::Result<Request<Full<Bytes>>>, ExplainError> {
        let mut question = Map::new();
        question.insert("source".to_owned(), json!(self.source));
        question.insert("to".to_owned(), json!(self.to));
        question.insert("from".to_owned(), json!(self.from));
        let further = [
            ("username", &self.username),
            ("twilio_account_sid", &self.twilio_account_sid),
            ("asserted_identity", &self.asserted_identity),
        ];
        for (name, value) in further {
            question.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
        }
        if let Some(file) = &self.sdp {
            let offer = std::fs::read_to_string(file)
                .map_err(|error| ExplainError::Offer { file: file.clone(), error })?;
            question.insert("sdp".to_owned(), json!(offer));
        }
        let uri = Uri::builder().scheme("http").authority(self.control_listen.as_str());
        let request = uri.path_and_query("/control/v1/explain").build().and_then(|uri| {
            let request = Request::builder().method(Method::POST).uri(uri);
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let request = match &self.control_token {
                Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
                None => request,
            };
            request.body(Full::from(Value::Object(question).to_string()))
        });
        Ok(request)
    }
}

/// An error with what caused it, for the outer one alone says little.
fn with_cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn text<'a>(said: &'a Value, name: &str) -> Option<&'a str> {
    said.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The answer for people.
fn words(said: &Value) -> String {
    let mut words = format!(
        "{} {}: {}",
        said["code"],
        text(said, "phrase").unwrap_or(""),
        said["verdict"].as_str().unwrap_or("?")
    );
    if let Some(check) = text(said, "check") {
        let _infallible = write!(words, " by the check `{check}`");
    }
    if let Some(cause) = said["cause"].as_u64() {
        let _infallible = write!(words, ", cause {cause}");
    }
    words.push('\n');
    let passed: Vec<&str> =
        said["passed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let passed = passed.join(", ");
    let trunk = match (text(said, "trunk_name"), text(said, "trunk_id")) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (_, id) => id.unwrap_or("").to_owned(),
    };
    let rows = [
        ("why", text(said, "explanation").unwrap_or("")),
        ("configured", text(said, "configured").unwrap_or("")),
        ("received", text(said, "received").unwrap_or("")),
        ("nearest allowed", text(said, "nearest_allowed").unwrap_or("")),
        ("passed", &passed),
        ("trunk", &trunk),
        ("goes on to", text(said, "destination").unwrap_or("")),
        ("shown as", text(said, "cli").unwrap_or("")),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _infallible = writeln!(words, "  {:<17}{value}", format!("{name}:"));
    }
    words
}
