//! `trunkctl context`: the file of contexts.

use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use didww_client::Secret;

use crate::context::{Context, ContextFile, SecretSource};
use crate::exit::Failure;
use crate::output::{self, Format, Row};
use crate::system_keyring;
use crate::terminal::{note, print};

/// Maximum number of bytes of a secret that is stored.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The subcommands of `trunkctl context`.
#[derive(Debug, Clone, Subcommand)]
pub enum ContextCommand {
    /// List the contexts
    List {
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Use a context from now on
    Use {
        /// The name of the context
        name: String,
    },
    /// Create a context, or change one; the first one is used from now on
    Set(Box<Set>),
    /// Remove a context
    Remove {
        /// The name of the context
        name: String,
    },
    /// Store a secret in the system's keyring, read from the first line of standard input; only a build with the
    /// feature keyring can
    Store {
        /// The name of the entry in the keyring, as `--api-key-keyring` names it
        entry: String,
    },
    /// Print the path of the file
    Path,
}

/// The members of a context. Members without a flag are not changed.
#[derive(Debug, Clone, Args)]
pub struct Set {
    /// The name of the context
    pub name: String,

    /// Read the API key from this environment variable
    #[arg(long, value_name = "VARIABLE", conflicts_with = "api_key_command")]
    pub api_key_env: Option<String>,

    /// Read the API key from the first line that this command prints, such as `pass show didww`
    #[arg(long, value_name = "COMMAND")]
    pub api_key_command: Option<String>,

    /// Read the API key from the entry of this name in the system's keyring; only a build with the feature keyring can
    #[arg(long, value_name = "ENTRY", conflicts_with_all = ["api_key_env", "api_key_command"])]
    pub api_key_keyring: Option<String>,

    /// Read the token of the control API from the first line that this command prints
    #[arg(long, value_name = "COMMAND")]
    pub control_token_command: Option<String>,

    /// Read an access key of the communication platform from the first line that this command prints
    #[arg(long, value_name = "COMMAND")]
    pub voipbin_key_command: Option<String>,
}

impl ContextCommand {
    /// Reads or changes the file. The URLs and files of a new context are those of the global flags.
    ///
    /// # Errors
    /// When the file is not valid or cannot be written, or has no context of a name.
    pub fn run(&self, globals: &crate::cli::Globals) -> Result<(), Failure> {
        let mut file = ContextFile::read()?;
        match self {
            Self::List { output } => return list(&file, *output),
            Self::Store { entry } => return store(entry),
            Self::Path => return print(&format!("{}\n", ContextFile::path()?.display())),
            Self::Use { name } => {
                file.get(name)?;
                file.current = Some(name.clone());
            }
            Self::Set(set) => {
                set.apply(file.contexts.entry(set.name.clone()).or_default(), globals);
                file.current.get_or_insert_with(|| set.name.clone());
            }
            Self::Remove { name } => {
                file.get(name)?;
                file.contexts.remove(name);
                file.current = file.current.filter(|current| current != name);
            }
        }
        file.write()?;
        if let Some(current) = &file.current {
            note(&format!("current context: {current}"));
        }
        Ok(())
    }
}

impl Set {
    fn apply(&self, context: &mut Context, globals: &crate::cli::Globals) {
        fn set<T: Clone>(member: &mut Option<T>, value: Option<T>) {
            if value.is_some() {
                *member = value;
            }
        }
        let named = globals.overrides();
        set(&mut context.url, named.url);
        set(&mut context.token_url, named.token_url);
        set(&mut context.api_version, named.api_version);
        set(&mut context.control_url, named.control_url);
        set(&mut context.voipbin_url, named.voipbin_url);
        let file = |path: &Option<PathBuf>| path.clone().map(|path| SecretSource::File(absolute(path)));
        let command = |command: &Option<String>| command.clone().map(SecretSource::Command);
        set(&mut context.api_key, file(&globals.api_key_file));
        set(&mut context.api_key, self.api_key_env.clone().map(SecretSource::Env));
        set(&mut context.api_key, command(&self.api_key_command));
        set(&mut context.api_key, self.api_key_keyring.clone().map(SecretSource::Keyring));
        set(&mut context.control_token, file(&globals.control_token_file));
        set(&mut context.control_token, command(&self.control_token_command));
        set(&mut context.voipbin_key, file(&globals.voipbin_key_file));
        set(&mut context.voipbin_key, command(&self.voipbin_key_command));
    }
}

/// Stores the first line of standard input in the keyring.
fn store(entry: &str) -> Result<(), Failure> {
    let mut line = String::new();
    let mut input = std::io::stdin().lock().take(MAX_SECRET_BYTES + 1);
    input
        .read_line(&mut line)
        .map_err(|error| Failure::usage(format!("the secret cannot be read from standard input: {error}")))?;
    if u64::try_from(line.len()).unwrap_or(u64::MAX) > MAX_SECRET_BYTES {
        return Err(Failure::usage(format!(
            "the first line of standard input should be the secret, and is longer than {MAX_SECRET_BYTES} bytes"
        )));
    }
    let secret = line.trim();
    if secret.is_empty() {
        return Err(Failure::usage("the first line of standard input should be the secret, and is empty"));
    }
    system_keyring::store(entry, &Secret::new(secret))?;
    note(&format!("stored in the entry `{entry}` of the keyring"));
    Ok(())
}

/// The absolute path, because the context is also used in other folders.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn list(file: &ContextFile, format: Format) -> Result<(), Failure> {
    let rows: Vec<Row> = file
        .contexts
        .iter()
        .map(|(name, context)| {
            let mut row = Row::default();
            let source = |source: &Option<SecretSource>| source.as_ref().map(ToString::to_string);
            row.push("id", name.as_str());
            row.push("current", file.current.as_ref() == Some(name));
            row.push("url", context.url.clone());
            row.push("api_version", context.api_version.clone());
            row.push("api_key", source(&context.api_key));
            row.push("control_url", context.control_url.clone());
            row.push("voipbin_url", context.voipbin_url.clone());
            row
        })
        .collect();
    let columns = ["id", "current", "url", "api_version", "api_key"].map(str::to_owned);
    print(&output::list(&rows, &columns, format)?)
}
