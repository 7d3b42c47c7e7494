//! `trunkctl inbound`.

use clap::Subcommand;
use didww_client::{Method, encode_component};
use serde_json::json;

use super::service::{Service, account_if_named, print_list, print_single, with_query};
use crate::context::Target;
use crate::exit::Failure;
use crate::output::Format;
use crate::terminal::note;

/// The path of calls to DIDs.
const PATH: &str = "/inbound_calls";
/// The columns of calls. The reason of a call's end comes last, because it is the longest.
const CALL: [&str; 8] = ["id", "time_start", "from", "to", "status", "duration", "disconnect_code", "reason"];

/// The subcommands of `trunkctl inbound`.
#[derive(Debug, Clone, Subcommand)]
pub enum InboundCommand {
    /// Call a DID, as a caller in the telephone network would
    Call {
        /// The DID in E.164 form
        #[arg(value_name = "NUMBER")]
        to: String,
        /// The caller's number
        #[arg(long, value_name = "NUMBER", default_value = "anonymous")]
        from: String,
        /// The id or the name of the account that the DID must belong to
        #[arg(long)]
        account: Option<String>,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// List calls to DIDs, newest first
    List {
        /// Only calls that have not ended
        #[arg(long)]
        live: bool,
        /// Only calls to DIDs of the account with this id or name
        #[arg(long)]
        account: Option<String>,
        /// Maximum number of calls
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: u64,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Print a call with its attempts
    Show {
        /// The id of the call
        call: String,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// End a live call, as its caller would
    End {
        /// The id of the call
        call: String,
    },
}

impl InboundCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        match self {
            Self::Call { to, from, account: named, output } => {
                let mut body = json!({ "from": from, "to": to });
                let account = account_if_named(&service, named.as_deref()).await?;
                if let (Some(account), Some(body)) = (account, body.as_object_mut()) {
                    body.insert("account".to_owned(), account.into());
                }
                print_single(&service.send(Method::POST, PATH, Some(&body)).await?, &CALL, *output)
            }
            Self::List { live, account: named, limit, output } => {
                let parameters = [
                    ("limit", Some(limit.to_string())),
                    ("live", live.then(|| "true".to_owned())),
                    ("account", account_if_named(&service, named.as_deref()).await?),
                ];
                let path = with_query(PATH, &parameters);
                print_list(&service.get(&path).await?, "inbound_calls", &CALL, *output)
            }
            Self::Show { call, output } => {
                let path = format!("{PATH}/{}", encode_component(call));
                print_single(&service.get(&path).await?, &CALL, *output)
            }
            Self::End { call } => {
                let path = format!("{PATH}/{}", encode_component(call));
                service.send(Method::DELETE, &path, None).await?;
                note(&format!("ended {call}"));
                Ok(())
            }
        }
    }
}
