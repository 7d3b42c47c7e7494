//! `trunkctl explain`.

use std::fmt::Write as _;

use std::path::PathBuf;

use clap::Args;
use didww_client::Method;
use serde_json::{Map, Value};

use super::service::Service;
use crate::context::Target;
use crate::exit::{Exit, Failure};
use crate::output::{self, cell};
use crate::terminal::print_and_go_on;

/// Asks a server which check would admit or refuse a call, without placing it. The exit code is 3 if the call is
/// refused or challenged.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The source address of the call
    #[arg(long, value_name = "IP")]
    source: String,

    /// The dialled number with its tech prefix, or a sip: or tel: URI
    #[arg(long, value_name = "NUMBER")]
    to: String,

    /// The caller number, or a URI
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,

    /// The username of a valid digest; without it the call has no digest
    #[arg(long)]
    username: Option<String>,

    /// The Twilio account that the call names
    #[arg(long, value_name = "SID")]
    twilio_account_sid: Option<String>,

    /// The number in the header P-Asserted-Identity
    #[arg(long, value_name = "NUMBER")]
    asserted_identity: Option<String>,

    /// A file with the SDP offer
    #[arg(long, value_name = "FILE")]
    sdp: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The members of an explanation that are printed, in this order.
const MEMBERS: [(&str, &str); 9] = [
    ("explanation", "why"),
    ("configured", "configured"),
    ("received", "received"),
    ("nearest_allowed", "nearest allowed"),
    ("passed", "passed"),
    ("trunk_name", "trunk"),
    ("destination", "destination"),
    ("cli", "caller shown"),
    ("no_audio", "media"),
];

impl Explain {
    /// Requests the explanation, and prints it.
    ///
    /// # Errors
    /// When the call would not be admitted, and the failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        let explanation = service.send(Method::POST, "/explain", Some(&self.question()?)).await?;
        print_and_go_on(&if self.json { output::json(&explanation)? } else { words(&explanation) })?;
        let is_admitted = explanation.get("verdict").and_then(Value::as_str) == Some("admitted");
        if is_admitted { Ok(()) } else { Err(Failure::silent(Exit::Differs)) }
    }

    fn question(&self) -> Result<Value, Failure> {
        let sdp = match &self.sdp {
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("the offer in {} cannot be read: {error}", file.display()))
            })?),
            None => None,
        };
        let members = [
            ("source", Some(&self.source)),
            ("to", Some(&self.to)),
            ("from", self.from.as_ref()),
            ("username", self.username.as_ref()),
            ("twilio_account_sid", self.twilio_account_sid.as_ref()),
            ("asserted_identity", self.asserted_identity.as_ref()),
            ("sdp", sdp.as_ref()),
        ];
        let named = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?.as_str()))));
        Ok(Value::Object(named.collect::<Map<_, _>>()))
    }
}

fn words(explanation: &Value) -> String {
    let member = |name: &str| {
        let value = explanation.get(name).unwrap_or(&Value::Null);
        let is_empty = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
        (!is_empty).then(|| cell(value))
    };
    let first = ["code", "phrase"].iter().filter_map(|name| member(name)).collect::<Vec<_>>().join(" ");
    let mut text = format!("{first}: {}", member("verdict").unwrap_or_default());
    if let Some(check) = member("check") {
        // Writing to a string cannot fail.
        let _infallible = write!(text, " by the check `{check}`");
    }
    if let Some(cause) = member("cause") {
        // Writing to a string cannot fail.
        let _infallible = write!(text, ", cause {cause}");
    }
    text.push('\n');
    for (name, heading) in MEMBERS {
        if let Some(value) = member(name) {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "  {:<18}{value}", format!("{heading}:"));
        }
    }
    text
}
