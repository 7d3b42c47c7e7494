//! `trunkctl keys`.

use clap::Subcommand;
use didww_client::Method;
use serde_json::json;

use super::service::{Service, account, print_list, print_single};
use crate::context::Target;
use crate::exit::Failure;
use crate::output::Format;
use crate::terminal::note;

const COLUMNS: [&str; 4] = ["id", "created_at", "environment", "allowed_addresses"];

/// The subcommands of `trunkctl keys`.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// List the keys without their text, oldest first
    List {
        /// The id or the name of the account; the only one by default
        #[arg(long)]
        account: Option<String>,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Add a random key, and print it; it cannot be printed later
    Add {
        /// The id or the name of the account; the only one by default
        #[arg(long)]
        account: Option<String>,
        /// The addresses and networks from which the key may be used; any by default
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        from: Option<Vec<String>>,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Remove a key, with effect from the next request on
    Remove {
        /// The id of the key
        key: String,
        /// The id or the name of the account; the only one by default
        #[arg(long)]
        account: Option<String>,
    },
}

impl KeysCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        match self {
            Self::List { account: named, output } => {
                let path = format!("/accounts/{}/keys", account(&service, named.as_deref()).await?);
                print_list(&service.get(&path).await?, "keys", &COLUMNS, *output)
            }
            Self::Add { account: named, from, output } => {
                let path = format!("/accounts/{}/keys", account(&service, named.as_deref()).await?);
                let body = from.as_ref().map_or_else(|| json!({}), |from| json!({"allowed_addresses": from}));
                let added = service.send(Method::POST, &path, Some(&body)).await?;
                print_single(&added, &["id", "api_key"], *output)
            }
            Self::Remove { key, account: named } => {
                let id = account(&service, named.as_deref()).await?;
                let key = didww_client::encode_component(key);
                service.send(Method::DELETE, &format!("/accounts/{id}/keys/{key}"), None).await?;
                note(&format!("removed {key}"));
                Ok(())
            }
        }
    }
}
