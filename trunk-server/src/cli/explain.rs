//! `trunk-server explain`: finds out from a running server which check would admit or refuse a call.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::exchange::{bearer, exchange};

/// Asks a running server which check would admit or refuse a call, without placing it.
///
/// Prints the check that decides, the configured and the received value, and the nearest allowed value. The exit code
/// is 0 if the call is admitted, 3 if it is challenged or refused, and 1 if the server could not be reached.
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Explain {
    /// The source address of the call
    #[arg(long, value_name = "IP")]
    pub source: IpAddr,

    /// The dialled number with its tech prefix, or a sip: or tel: URI
    #[arg(long, value_name = "NUMBER")]
    pub to: String,

    /// The caller number, or a URI
    #[arg(long, value_name = "NUMBER", default_value = "")]
    pub from: String,

    /// The username of a valid digest; without it the call has no digest
    #[arg(long, value_name = "USERNAME")]
    pub username: Option<String>,

    /// The Twilio account that the call names
    #[arg(long, value_name = "SID")]
    pub twilio_account_sid: Option<String>,

    /// The number in the header P-Asserted-Identity
    #[arg(long, value_name = "NUMBER")]
    pub asserted_identity: Option<String>,

    /// A file with the SDP offer [default: an offer of G.711]
    #[arg(long, value_name = "FILE")]
    pub sdp: Option<PathBuf>,

    /// Print the JSON response of the control API unchanged
    #[arg(long)]
    pub json: bool,

    /// The control API of the running server
    #[arg(
        long,
        env = "TRUNK_SERVER_CONTROL_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8081"
    )]
    pub control_listen: String,

    /// The token that the control API requires
    #[arg(long, env = "TRUNK_SERVER_CONTROL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub control_token: Option<String>,
}

/// The error of a request to explain a call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The file with the SDP offer cannot be read.
    #[error("the offer in {} cannot be read: {error}", file.display())]
    Offer {
        /// The path of the file.
        file: PathBuf,
        /// The error of the file system.
        error: std::io::Error,
    },
    /// The file with the SDP offer contains something else.
    #[error("{} is not a session description, which begins with the line `v=0`", file.display())]
    NoOffer {
        /// The path of the file.
        file: PathBuf,
    },
    /// No server responded within the time limit.
    #[error(
        "the control API at {at} cannot be reached: {why}; set --control-listen to the address of the running server"
    )]
    Unreachable {
        /// The address of the request, `HOST:PORT`.
        at: String,
        /// Why the connection or the response failed.
        why: String,
    },
    /// The server refused the request.
    #[error("the control API at {at} responded {status}: {why}")]
    Refused {
        /// The address of the request, `HOST:PORT`.
        at: String,
        /// The status of the response.
        status: u16,
        /// The error message of the response.
        why: String,
    },
}

/// A server's explanation of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// Whether the call would be admitted.
    pub admitted: bool,
    /// The text to print, which ends with a newline.
    pub text: String,
}

impl Explain {
    /// Requests the explanation from the server.
    ///
    /// # Errors
    /// If the offer cannot be read, the server cannot be reached within 10 seconds, or it refuses the request.
    pub async fn request(self) -> Result<Explained, ExplainError> {
        let at = self.control_listen.clone();
        let question = self.question()?;
        let answer =
            exchange(&at, "/control/v1/explain", &bearer(self.control_token.as_ref()), Some(&question)).await;
        let (status, explanation) =
            answer.map_err(|why| ExplainError::Unreachable { at: at.clone(), why })?;
        if !status.is_success() {
            let why = text(&explanation, "error").unwrap_or("no readable error message").to_owned();
            return Err(ExplainError::Refused { at, status: status.as_u16(), why });
        }
        let admitted = text(&explanation, "verdict") == Some("admitted");
        let text = if self.json { format!("{explanation}\n") } else { format_explanation(&explanation) };
        Ok(Explained { admitted, text })
    }

    fn question(&self) -> Result<Value, ExplainError> {
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
            if !offer.trim_start().starts_with("v=0") {
                return Err(ExplainError::NoOffer { file: file.clone() });
            }
            question.insert("sdp".to_owned(), json!(offer));
        }
        Ok(Value::Object(question))
    }
}

fn text<'a>(explanation: &'a Value, name: &str) -> Option<&'a str> {
    explanation.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Formats an explanation as text for a terminal.
fn format_explanation(explanation: &Value) -> String {
    let mut lines = format!(
        "{} {}: {}",
        explanation["code"],
        text(explanation, "phrase").unwrap_or(""),
        explanation["verdict"].as_str().unwrap_or("?")
    );
    if let Some(check) = text(explanation, "check") {
        let _infallible = write!(lines, " by the check `{check}`");
    }
    if let Some(cause) = explanation["cause"].as_u64() {
        let _infallible = write!(lines, ", cause {cause}");
    }
    lines.push('\n');
    let passed: Vec<&str> =
        explanation["passed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let passed = passed.join(", ");
    let trunk = match (text(explanation, "trunk_name"), text(explanation, "trunk_id")) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (_, id) => id.unwrap_or("").to_owned(),
    };
    let rows = [
        ("why", text(explanation, "explanation").unwrap_or("")),
        ("configured", text(explanation, "configured").unwrap_or("")),
        ("received", text(explanation, "received").unwrap_or("")),
        ("nearest allowed", text(explanation, "nearest_allowed").unwrap_or("")),
        ("passed", &passed),
        ("trunk", &trunk),
        ("destination", text(explanation, "destination").unwrap_or("")),
        ("caller shown", text(explanation, "cli").unwrap_or("")),
        ("media", text(explanation, "no_audio").unwrap_or("")),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _infallible = writeln!(lines, "  {:<18}{value}", format!("{name}:"));
    }
    lines
}
