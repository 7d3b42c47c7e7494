//! `trunkctl audit`.

use clap::Args;
use serde_json::{Value, json};

use super::service::{Service, account_if_named, items, print_list, with_query};
use crate::context::Target;
use crate::exit::Failure;
use crate::output::Format;

const COLUMNS: [&str; 6] = ["at", "by", "action", "type", "id", "members"];
/// Maximum number of writes in one response: the limit of the server.
const PAGE: usize = 1_000;

/// Prints the audit of a trunk-server, newest first: who changed which records, and when.
#[derive(Debug, Clone, Args)]
pub struct Audit {
    /// The id or the name of the account that owns the records; all by default
    #[arg(long)]
    pub account: Option<String>,
    /// The type of the records, such as `voice_out_trunks`
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// The id of the record
    #[arg(long)]
    pub id: Option<String>,
    /// The earliest time, such as 2026-04-08T06:57:33.304Z
    #[arg(long)]
    pub since: Option<String>,
    /// Maximum number of writes
    #[arg(long, default_value_t = 100)]
    pub limit: u32,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

impl Audit {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        let account = account_if_named(&service, self.account.as_deref()).await?;
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let (mut entries, mut before) = (Vec::<Value>::new(), None::<i64>);
        // A page can have fewer entries than requested, or none, although there are older ones.
        loop {
            let left = most.saturating_sub(entries.len()).clamp(1, PAGE);
            let parameters = [
                ("account", account.clone()),
                ("type", self.kind.clone()),
                ("id", self.id.clone()),
                ("since", self.since.clone()),
                ("limit", Some(left.to_string())),
                ("before", before.map(|before| before.to_string())),
            ];
            let answer = service.get(&with_query("/audit", &parameters)).await?;
            entries.extend_from_slice(items(&answer, "entries"));
            before = answer.get("next").and_then(Value::as_i64);
            if before.is_none() || entries.len() >= most {
                break;
            }
        }
        print_list(&flat(&entries), "changes", &COLUMNS, self.output)
    }
}

/// Each changed record with the time of its write and who made it.
fn flat(entries: &[Value]) -> Value {
    let mut changes = Vec::new();
    for entry in entries {
        let words = ["/by/kind", "/by/id"].iter().filter_map(|pointer| entry.pointer(pointer)?.as_str());
        let by = words.collect::<Vec<&str>>().join(" ");
        for change in items(entry, "changes") {
            let mut change = change.clone();
            if let Some(members) = change.as_object_mut() {
                members.insert("at".to_owned(), entry.get("at").cloned().unwrap_or_default());
                members.insert("by".to_owned(), Value::from(by.clone()));
            }
            changes.push(change);
        }
    }
    json!({ "changes": changes })
}
