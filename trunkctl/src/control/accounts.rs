//! `trunkctl accounts`.

use clap::{Args, Subcommand};
use didww_client::Method;
use serde_json::{Map, Value, json};

use super::service::{Service, account, print_list, print_single};
use crate::context::Target;
use crate::exit::Failure;
use crate::file;
use crate::output::Format;
use crate::terminal::{consent, note};

const COLUMNS: [&str; 7] = ["id", "name", "version", "features", "rate_limit", "record_quota", "created_at"];

const RATE_COLUMNS: [&str; 4] = ["prefix", "per_minute", "initial_interval", "next_interval"];

/// The subcommands of `trunkctl accounts`.
#[derive(Debug, Clone, Subcommand)]
pub enum AccountsCommand {
    /// List the accounts, oldest first
    List {
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Read an account
    Get {
        /// The id or the name of the account
        account: String,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Create an account, and print its first key, which no other command prints
    Create(Settings),
    /// Change an account, with effect from the next request on
    Update {
        /// The id or the current name of the account
        account: String,
        /// The members to change
        #[command(flatten)]
        settings: Settings,
    },
    /// Add numbers to an account, because they cannot be ordered from a trunk-server
    AddDids {
        /// The numbers
        #[arg(required = true)]
        numbers: Vec<String>,
        /// The id or the name of the account; the only one by default
        #[arg(long)]
        account: Option<String>,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Print the rates of an account's outbound calls that it has in place of those of the server
    Rates {
        /// The id or the name of the account
        account: String,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Set the rates of an account's outbound calls: the whole table, in place of that of the server
    SetRates {
        /// The id or the name of the account
        account: String,
        /// Read `rates`, a list with `prefix`, `per_minute`, `initial_interval` and `next_interval`, from this JSON,
        /// YAML or TOML file; `-` is standard input
        #[arg(short, long, value_name = "FILE")]
        file: String,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Return an account to the rates of the server
    RemoveRates {
        /// The id or the name of the account
        account: String,
    },
    /// Delete an account with its keys and records
    Delete {
        /// The id or the name of the account
        account: String,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
}

/// The members of an account.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The name for display
    #[arg(long)]
    name: Option<String>,
    /// The version of requests that name no newer one
    #[arg(long, value_name = "VERSION")]
    default_version: Option<String>,
    /// The features that are enabled, such as `outbound,replace_cli`
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    features: Option<Vec<String>>,
    /// Maximum number of requests a second of each key; 0 is no limit, `null` the server's own
    #[arg(long, value_name = "NUMBER")]
    rate_limit: Option<String>,
    /// Maximum number of records of each type; 0 is no limit, `null` the server's own
    #[arg(long, value_name = "NUMBER")]
    record_quota: Option<String>,
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Settings {
    fn body(&self) -> Value {
        let number = |text: &String| match text.parse::<u64>() {
            Ok(number) => Value::from(number),
            Err(_) if text == "null" => Value::Null,
            Err(_) => Value::from(text.as_str()),
        };
        let members = [
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("version", self.default_version.as_ref().map(|version| json!(version))),
            ("features", self.features.as_ref().map(|features| json!(features))),
            ("rate_limit", self.rate_limit.as_ref().map(number)),
            ("record_quota", self.record_quota.as_ref().map(number)),
        ];
        let named = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(named.collect::<Map<_, _>>())
    }
}

impl AccountsCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        match self {
            Self::List { output } => {
                print_list(&service.get("/accounts").await?, "accounts", &COLUMNS, *output)
            }
            Self::Get { account: named, output } => {
                let id = account(&service, Some(named)).await?;
                print_single(&service.get(&format!("/accounts/{id}")).await?, &COLUMNS, *output)
            }
            Self::Create(settings) => {
                let made = service.send(Method::POST, "/accounts", Some(&settings.body())).await?;
                print_single(&made, &COLUMNS, settings.output)
            }
            Self::Update { account: named, settings } => {
                let path = format!("/accounts/{}", account(&service, Some(named)).await?);
                let changed = service.send(Method::PATCH, &path, Some(&settings.body())).await?;
                print_single(&changed, &COLUMNS, settings.output)
            }
            Self::AddDids { numbers, account: named, output } => {
                let path = format!("/accounts/{}/dids", account(&service, named.as_deref()).await?);
                let dids: Vec<Value> = numbers.iter().map(|number| json!({"number": number})).collect();
                let added = service.send(Method::POST, &path, Some(&json!({"dids": dids}))).await?;
                print_list(&added, "dids", &["id", "number"], *output)
            }
            Self::Rates { account: named, output } => {
                let path = format!("/accounts/{}/rates", account(&service, Some(named)).await?);
                print_list(&service.get(&path).await?, "rates", &RATE_COLUMNS, *output)
            }
            Self::SetRates { account: named, file, output } => {
                let rates = Value::Object(file::object(file)?);
                let path = format!("/accounts/{}/rates", account(&service, Some(named)).await?);
                let set = service.send(Method::PUT, &path, Some(&rates)).await?;
                print_list(&set, "rates", &RATE_COLUMNS, *output)
            }
            Self::RemoveRates { account: named } => {
                let path = format!("/accounts/{}/rates", account(&service, Some(named)).await?);
                service.send(Method::DELETE, &path, None).await?;
                note(&format!("{named} has the rates of the server"));
                Ok(())
            }
            Self::Delete { account: named, yes } => {
                let id = account(&service, Some(named)).await?;
                if !yes {
                    consent(&format!("Delete the account {named} with its keys and records?"), "--yes")?;
                }
                service.send(Method::DELETE, &format!("/accounts/{id}"), None).await?;
                note(&format!("deleted {named}"));
                Ok(())
            }
        }
    }
}
