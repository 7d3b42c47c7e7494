//! `trunkctl lab faults`.

use clap::{Args, Subcommand};
use didww_client::{Method, encode_component};
use serde_json::{Map, Value, json};

use crate::context::Target;
use crate::control::service::{Service, items, print_list, print_single};
use crate::exit::Failure;
use crate::file;
use crate::output::Format;
use crate::terminal::note;

const COLUMNS: [&str; 9] =
    ["id", "effect", "method", "path", "resource", "status", "delay_ms", "matched", "hits"];

/// The subcommands of `trunkctl lab faults`.
#[derive(Debug, Clone, Subcommand)]
pub enum FaultsCommand {
    /// List the faults with the number of requests that each was applied to, oldest first
    List {
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Read a fault
    Get {
        /// The id of the fault
        fault: String,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Add a fault
    Add(Box<Add>),
    /// Remove a fault
    Remove {
        /// The id of the fault
        fault: String,
    },
    /// Remove all faults
    Clear,
}

/// A new fault, which the server validates.
#[derive(Debug, Clone, Args)]
pub struct Add {
    #[allow(clippy::doc_markdown, reason = "help shows names as they are typed")]
    /// The effect on a request: status, delay, slow_body, cut_body, close, reset or content_type; on a callback:
    /// status, delay or lose; on a call: status, delay, no_answer, lost_ack, one_way_audio or packet_loss
    #[arg(long, required_unless_present = "file")]
    effect: Option<String>,
    /// Apply to callbacks and webhooks instead of requests
    #[arg(long)]
    callbacks: bool,
    /// Apply to calls that a trunk admits instead of requests
    #[arg(long, conflicts_with = "callbacks")]
    calls: bool,
    /// Only calls through this trunk, by its id
    #[arg(long, value_name = "ID")]
    trunk: Option<String>,
    /// Only requests of this account, by its id
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only requests with this method
    #[arg(long)]
    method: Option<String>,
    /// Only requests to this path, or calls to this number, in which * is any text
    #[arg(long)]
    path: Option<String>,
    /// Only requests for records of this type
    #[arg(long, value_name = "TYPE")]
    resource: Option<String>,
    /// Only this matching request, counted from 1
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["first", "times"])]
    nth: Option<u64>,
    /// From this matching request on, counted from 1
    #[arg(long, value_name = "NUMBER")]
    first: Option<u64>,
    /// Maximum number of requests
    #[arg(long, value_name = "NUMBER")]
    times: Option<u64>,
    /// The probability for each request, from 0 to 1
    #[arg(long)]
    probability: Option<f64>,
    /// The seed of random decisions
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// The status of the response
    #[arg(long)]
    status: Option<u16>,
    /// The body of the response instead of the API's own error
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// The media type of the response
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The delay of the response in milliseconds
    #[arg(long, value_name = "NUMBER")]
    delay_ms: Option<u64>,
    /// The upper bound of a random delay in milliseconds; --delay-ms is the lower one
    #[arg(long, value_name = "NUMBER")]
    delay_up_to_ms: Option<u64>,
    /// Bytes of each piece of a slow body, or before the cut of a body
    #[arg(long, value_name = "NUMBER")]
    bytes: Option<u64>,
    /// Milliseconds before each piece of a slow body
    #[arg(long, value_name = "NUMBER")]
    pause_ms: Option<u64>,
    /// The share of packets to lose, such as 0.1
    #[arg(long, value_name = "SHARE")]
    loss: Option<f64>,
    /// Let the API execute the request, and lose only its response
    #[arg(long)]
    serve: bool,
    /// Read the members from a file, `-` is standard input; flags go before it
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Add {
    fn body(&self) -> Result<Value, Failure> {
        let mut members = match &self.file {
            Some(path) => file::object(path)?,
            None => Map::new(),
        };
        let (first, times) = match self.nth {
            Some(nth) => (Some(nth), Some(1)),
            None => (self.first, self.times),
        };
        let given = [
            ("effect", self.effect.as_ref().map(|text| json!(text))),
            ("target", self.callbacks.then(|| json!("callbacks")).or(self.calls.then(|| json!("calls")))),
            ("trunk", self.trunk.as_ref().map(|text| json!(text))),
            ("loss", self.loss.map(|number| json!(number))),
            ("account", self.account.as_ref().map(|text| json!(text))),
            ("method", self.method.as_ref().map(|text| json!(text))),
            ("path", self.path.as_ref().map(|text| json!(text))),
            ("resource", self.resource.as_ref().map(|text| json!(text))),
            ("first", first.map(|number| json!(number))),
            ("times", times.map(|number| json!(number))),
            ("probability", self.probability.map(|number| json!(number))),
            ("seed", self.seed.map(|number| json!(number))),
            ("status", self.status.map(|number| json!(number))),
            ("body", self.body.as_ref().map(|text| json!(text))),
            ("content_type", self.content_type.as_ref().map(|text| json!(text))),
            ("delay_ms", self.delay_ms.map(|number| json!(number))),
            ("delay_up_to_ms", self.delay_up_to_ms.map(|number| json!(number))),
            ("bytes", self.bytes.map(|number| json!(number))),
            ("pause_ms", self.pause_ms.map(|number| json!(number))),
            ("serve", self.serve.then_some(json!(true))),
        ];
        members.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok(Value::Object(members))
    }
}

impl FaultsCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        match self {
            Self::List { output } => {
                let answer = service.get("/faults").await?;
                let faults: Vec<Value> = items(&answer, "faults").iter().map(flat).collect();
                print_list(&json!({ "faults": faults }), "faults", &COLUMNS, *output)
            }
            Self::Get { fault, output } => {
                let answer = service.get(&path(fault)).await?;
                print_single(&flat(&answer), &COLUMNS, *output)
            }
            Self::Add(add) => {
                let answer = service.send(Method::POST, "/faults", Some(&add.body()?)).await?;
                print_single(&flat(&answer), &COLUMNS, add.output)
            }
            Self::Remove { fault } => {
                service.send(Method::DELETE, &path(fault), None).await?;
                note(&format!("removed {fault}"));
                Ok(())
            }
            Self::Clear => {
                let answer = service.send(Method::DELETE, "/faults", None).await?;
                note(&format!("removed {}", answer.get("removed").unwrap_or(&Value::Null)));
                Ok(())
            }
        }
    }
}

fn path(fault: &str) -> String {
    format!("/faults/{}", encode_component(fault))
}

/// A fault as one object. Its id is a text, like other ids.
fn flat(state: &Value) -> Value {
    let mut members = state.get("fault").and_then(Value::as_object).cloned().unwrap_or_default();
    for name in ["matched", "hits"] {
        members.insert(name.to_owned(), state.get(name).cloned().unwrap_or_default());
    }
    members.insert("id".to_owned(), Value::String(state.get("id").map(Value::to_string).unwrap_or_default()));
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_object_with_its_number_as_text() {
        let state = json!({"id": 7, "fault": {"effect": "close", "first": 1}, "matched": 2, "hits": 1});
        assert_eq!(flat(&state), json!({"id": "7", "effect": "close", "first": 1, "matched": 2, "hits": 1}));
    }
}
