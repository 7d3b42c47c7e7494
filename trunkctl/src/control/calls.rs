//! `trunkctl calls`.

use clap::{Args, Subcommand, ValueEnum};
use didww_client::{Method, encode_component};
use serde_json::Value;

use super::service::{Service, print_lines, print_list, with_query};
use crate::context::Target;
use crate::exit::Failure;
use crate::output::{Format, cell};
use crate::terminal::{note, print};

/// The columns of call records. The reason of a refusal comes last, because it is the longest.
const RECORD: [&str; 8] = [
    "time_start",
    "trunk_name",
    "src_number",
    "dst_number",
    "disconnect_code",
    "duration",
    "check",
    "explanation",
];

/// The subcommands of `trunkctl calls`.
#[derive(Debug, Clone, Subcommand)]
pub enum CallsCommand {
    /// List records of ended calls and refused attempts, newest first
    List {
        /// The filters of records
        #[command(flatten)]
        filter: Filter,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Print each attempt when it happens: admitted or refused, and why
    Tail {
        /// Only attempts with this outcome, such as refused
        #[arg(long)]
        outcome: Option<String>,
        /// Only attempts at this trunk
        #[arg(long, value_name = "ID")]
        trunk: Option<String>,
        /// Print the records of ended calls instead
        #[arg(long, conflicts_with_all = ["outcome", "trunk"])]
        records: bool,
        /// Print the JSON lines unchanged
        #[arg(long)]
        json: bool,
        /// Stop after this number of lines
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// List active calls, oldest first
    Active {
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// End an active call with BYE
    End {
        /// The id of the call
        call: String,
    },
    /// Print the SIP messages of a recent call
    Messages {
        /// The Call-ID of the call
        call_id: String,
        /// A ladder diagram, or the whole messages
        #[arg(short, long, value_enum, default_value_t)]
        output: MessageFormat,
    },
}

/// The output format of SIP messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MessageFormat {
    /// A ladder diagram.
    #[default]
    Ladder,
    /// The whole messages.
    Text,
}

/// The filters of records.
#[derive(Debug, Clone, Args)]
pub struct Filter {
    /// Only calls through this trunk
    #[arg(long, value_name = "ID")]
    trunk: Option<String>,
    /// Only calls that ended with this cause
    #[arg(long)]
    cause: Option<String>,
    /// Only calls that this check refused
    #[arg(long)]
    check: Option<String>,
    /// Only calls from or to this number
    #[arg(long)]
    number: Option<String>,
    /// Only calls whose INVITE came from this address
    #[arg(long, value_name = "IP")]
    source: Option<String>,
    /// At most this number of records
    #[arg(long, value_name = "NUMBER")]
    limit: Option<String>,
}

impl CallsCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        match self {
            Self::List { filter, output } => {
                let Filter { trunk, cause, check, number, source, limit } = filter;
                let parameters = [
                    ("trunk", trunk.clone()),
                    ("cause", cause.clone()),
                    ("check", check.clone()),
                    ("number", number.clone()),
                    ("source", source.clone()),
                    ("limit", limit.clone()),
                ];
                let path = with_query("/calls", &parameters);
                print_list(&service.get(&path).await?, "calls", &RECORD, *output)
            }
            Self::Tail { outcome, trunk, records, json, limit } => {
                // Clap refuses the filters of attempts together with `--records`.
                let path = if *records { "/calls/follow" } else { "/attempts/stream" };
                let path = with_query(path, &[("outcome", outcome.clone()), ("trunk", trunk.clone())]);
                print_lines(&service, &path, *json, *limit, sentence).await
            }
            Self::Active { output } => {
                let columns =
                    ["id", "time_start", "trunk_name", "src_number", "dst_number", "source", "no_audio"];
                print_list(&service.get("/calls/active").await?, "calls", &columns, *output)
            }
            Self::End { call } => {
                service
                    .send(Method::DELETE, &format!("/calls/active/{}", encode_component(call)), None)
                    .await?;
                note(&format!("ended {call}"));
                Ok(())
            }
            Self::Messages { call_id, output } => {
                let form = match output {
                    MessageFormat::Ladder => "ladder",
                    MessageFormat::Text => "text",
                };
                let path = format!("/calls/{}/messages?format={form}", encode_component(call_id));
                print(&service.text(&path).await?)
            }
        }
    }
}

/// An attempt or a record as one line.
fn sentence(event: &Value) -> String {
    let first = |names: &[&str]| {
        let found = names.iter().filter_map(|name| event.get(*name)).find(|value| !value.is_null());
        found.map(cell).unwrap_or_default()
    };
    let parts = [
        first(&["time", "time_start"]),
        first(&["outcome", "disconnect_code"]),
        first(&["code"]),
        first(&["check"]),
        first(&["trunk_name"]),
        first(&["number", "dst_number"]),
        first(&["source", "source_ip"]),
        first(&["explanation", "disconnect_reason"]),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}
