//! `trunkctl lab world` and `trunkctl lab scenarios`: files that fill a server.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use clap::{Args, Subcommand};
use didww_client::Method;

use crate::context::Target;
use crate::control::service::{Service, account_if_named, print_list, with_query};
use crate::exit::{Exit, Failure};
use crate::file;
use crate::output::Format;
use crate::terminal::{note, print};

/// The path of the world.
const PATH: &str = "/world";

/// The subcommands of `trunkctl lab world`.
#[derive(Debug, Clone, Subcommand)]
pub enum WorldCommand {
    /// Write accounts and records to a file that `load` and `trunk-server --world` read
    Save {
        /// The file, which must not exist, or - for standard output
        #[arg(default_value = "-")]
        file: String,
        /// Save this account only: its id or its name
        #[arg(long)]
        account: Option<String>,
        /// Save all records that accounts share, and not only those that the accounts' records refer to
        #[arg(long)]
        all_shared: bool,
        /// Save passwords and secrets in clear, and the digests of keys
        #[arg(long)]
        show_secrets: bool,
    },
    /// Create the accounts of a file, and store its records: all of them or none
    Load {
        /// The file: TOML if its name ends with .toml, else JSON; - is standard input
        #[arg(required_unless_present = "scenario", conflicts_with = "scenario")]
        file: Option<String>,
        /// Load the server's built-in world of this name
        #[arg(long, value_name = "NAME")]
        scenario: Option<String>,
        /// Load the records of the file's only account into this one: its id or its name
        #[arg(long)]
        account: Option<String>,
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

impl WorldCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// The failures of requests, and of files.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        match self {
            Self::Save { file, account: named, all_shared, show_secrets } => {
                let parameters = [
                    ("account", account_if_named(&service, named.as_deref()).await?),
                    ("all_shared", all_shared.then(|| "true".to_owned())),
                    ("secrets", show_secrets.then(|| "true".to_owned())),
                ];
                let world = service.text(&with_query(PATH, &parameters)).await?;
                if file == "-" { print(&world) } else { write(file, &world) }
            }
            Self::Load { file, scenario, account: named, output } => {
                let account = account_if_named(&service, named.as_deref()).await?;
                let path = with_query(PATH, &[("account", account), ("scenario", scenario.clone())]);
                let loaded = match file {
                    None => service.send(Method::POST, &path, None).await?,
                    Some(file) => {
                        let unreadable = |error| Failure::usage(format!("{file} cannot be read: {error}"));
                        let text = file::read(file).map_err(unreadable)?;
                        service.post_text(&path, media_type(file), text).await?
                    }
                };
                let records = loaded.get("records").and_then(serde_json::Value::as_u64).unwrap_or_default();
                note(&format!("{records} records were stored"));
                print_list(&loaded, "accounts", &["id", "name", "created", "api_key"], *output)
            }
        }
    }
}

/// The media type of a file.
fn media_type(file: &str) -> &'static str {
    let end = Path::new(file).extension().and_then(|end| end.to_str()).unwrap_or_default();
    if end.eq_ignore_ascii_case("toml") { "application/toml" } else { "application/json" }
}

/// Writes a new file, which only its owner can read: it can contain secrets.
fn write(file: &str, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut created| created.write_all(text.as_bytes()));
    written.map_err(|error| Failure::new(Exit::Failed, format!("{file} cannot be written: {error}")))?;
    note(&format!("wrote {file}"));
    Ok(())
}

/// List the built-in worlds of a server
#[derive(Debug, Clone, Args)]
pub struct Scenarios {
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

impl Scenarios {
    /// Prints the names and the descriptions of the worlds.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        print_list(&service.get("/scenarios").await?, "scenarios", &["name", "description"], self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_is_the_format_of_a_file() {
        assert_eq!(media_type("a.toml"), "application/toml");
        assert_eq!(media_type("a.TOML"), "application/toml");
        for json in ["a.json", "-", "toml", "a"] {
            assert_eq!(media_type(json), "application/json", "{json}");
        }
    }
}
