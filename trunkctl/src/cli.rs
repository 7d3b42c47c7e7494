//! The command line: fixed commands, and a generated command for each resource of the registry.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Args, Command, Subcommand};
use didww_client::{ApiVersion, REGISTRY};

use crate::context::Overrides;
use crate::exit::Exit;
use crate::terminal::Colour;
use crate::{commands, control, resource};

/// The flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Globals {
    /// Use this context instead of the current one
    #[arg(long, global = true, env = "TRUNKCTL_CONTEXT", value_name = "NAME", help_heading = SERVICE)]
    pub context: Option<String>,

    /// Use this base URL, or `production` or `sandbox` for DIDWW's
    #[arg(long, global = true, env = "TRUNKCTL_URL", value_name = "URL", help_heading = SERVICE)]
    pub url: Option<String>,

    /// Read the API key from this file; `TRUNKCTL_API_KEY` has the key itself
    #[arg(long, global = true, value_name = "FILE", help_heading = SERVICE)]
    pub api_key_file: Option<PathBuf>,

    /// Ask for this version of the API [default: the newest]
    #[arg(long, global = true, env = "TRUNKCTL_API_VERSION", value_name = "VERSION", help_heading = SERVICE,
        hide_possible_values = true, value_parser = PossibleValuesParser::new(ApiVersion::ALL.map(ApiVersion::as_str)))]
    pub api_version: Option<String>,

    /// Mint access tokens at this URL [default: beside the base URL]
    #[arg(long, global = true, env = "TRUNKCTL_TOKEN_URL", value_name = "URL",
        help_heading = SERVICE, hide_short_help = true)]
    pub token_url: Option<String>,

    /// The URL of a trunk-server's control API [default: `http://127.0.0.1:8081`]
    #[arg(long, global = true, env = "TRUNKCTL_CONTROL_URL", value_name = "URL",
        help_heading = SERVICE, hide_short_help = true)]
    pub control_url: Option<String>,

    /// Read the token of the control API from this file; `TRUNKCTL_CONTROL_TOKEN` has the token itself
    #[arg(long, global = true, value_name = "FILE", help_heading = SERVICE, hide_short_help = true)]
    pub control_token_file: Option<PathBuf>,

    /// The URL of the communication platform, such as `http://127.0.0.1:8080/v1.0`
    #[arg(long, global = true, env = "TRUNKCTL_VOIPBIN_URL", value_name = "URL",
        help_heading = SERVICE, hide_short_help = true)]
    pub voipbin_url: Option<String>,

    /// Read an access key of the communication platform from this file; `TRUNKCTL_VOIPBIN_KEY` has the key itself
    #[arg(long, global = true, value_name = "FILE", help_heading = SERVICE, hide_short_help = true)]
    pub voipbin_key_file: Option<PathBuf>,

    /// Print colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", hide_short_help = true)]
    pub color: Colour,
}

const SERVICE: &str = "Service";

impl Globals {
    /// The flags that select a service. A variable that is empty, as CI sets those without a value, is none.
    pub fn overrides(&self) -> Overrides {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Overrides {
            context: set(&self.context),
            url: set(&self.url),
            token_url: set(&self.token_url),
            api_version: self.api_version.clone(),
            api_key_file: self.api_key_file.clone(),
            control_url: set(&self.control_url),
            control_token_file: self.control_token_file.clone(),
            voipbin_url: set(&self.voipbin_url),
            voipbin_key_file: self.voipbin_key_file.clone(),
        }
    }
}

/// The commands that belong to no resource.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum Fixed {
    /// Print the changes that `apply` would make
    Plan(commands::provision::PlanCommand),
    /// Change the service's records to match a declaration
    Apply(commands::provision::Apply),
    /// Compare the service's records with a declaration, for CI
    Drift(commands::provision::Drift),
    /// Print the service's records as a declaration
    Dump(commands::provision::DumpCommand),
    /// Inspect the calls of a trunk-server
    #[command(subcommand)]
    Calls(control::CallsCommand),
    /// Call DIDs of a trunk-server, and inspect those calls
    #[command(subcommand)]
    Inbound(control::InboundCommand),
    /// Ask a trunk-server which check would admit or refuse a call
    Explain(control::Explain),
    /// Manage the accounts of a trunk-server
    #[command(subcommand)]
    Accounts(control::AccountsCommand),
    /// Manage the API keys of an account of a trunk-server
    #[command(subcommand)]
    Keys(control::KeysCommand),
    /// Show or change the clock of a trunk-server
    #[command(subcommand)]
    Clock(control::ClockCommand),
    /// Print the audit of a trunk-server: who changed which records, and when
    Audit(control::Audit),
    /// Load test data into a trunk-server, inject faults, and inspect the requests that it received
    #[command(subcommand)]
    Lab(control::LabCommand),
    /// Look up what calls and text messages cost
    #[command(subcommand)]
    Prices(commands::prices::PricesCommand),
    /// Send any request, for operations without a command
    Api(commands::api::Api),
    /// Manage contexts: services, and the sources of their keys
    #[command(subcommand)]
    Context(commands::context::ContextCommand),
    /// List the types of records, and their operations
    Resources(commands::resources::Resources),
    /// Print the script that completes commands in a shell
    Completion(commands::completion::Completion),
    /// Write the manual pages
    Man(commands::man::Man),
}

const ABOUT: &str = "Provisions outbound trunks at DIDWW, its sandbox, or a trunk-server.";

const LONG_ABOUT: &str = "Provisions outbound trunks at DIDWW, its sandbox, or a trunk-server.

There is a command for each type of record, such as `trunkctl voice-out-trunks list`; `trunkctl resources` lists them.
Results go to standard output, everything else to standard error. Secrets are hidden unless --show-secrets is given,
and an API key is never an argument.

Compatible with DIDWW and VoIPBIN, not affiliated with them.";

/// The whole command line.
pub fn command() -> Command {
    fixed().subcommands(REGISTRY.iter().copied().filter_map(resource::command))
}

/// The commands that belong to no resource. They parse arguments as the whole command line does.
fn fixed() -> Command {
    let command = Command::new("trunkctl")
        .version(env!("CARGO_PKG_VERSION"))
        .after_long_help(exits())
        .subcommand_required(true)
        .arg_required_else_help(true);
    // The derive sets the documentation of its type as the program's.
    Fixed::augment_subcommands(Globals::augment_args(command)).about(ABOUT).long_about(LONG_ABOUT)
}

/// Reads arguments, the first of which is the name of the program.
///
/// # Errors
/// The error of invalid arguments, and the requested help or version.
pub fn matches(arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    // The commands of resources have thousands of flags. Building them takes longer than many commands.
    let of_fixed = fixed().try_get_matches_from(arguments.iter().cloned());
    // Errors and the help name the other commands too.
    of_fixed.or_else(|_| command().try_get_matches_from(arguments.iter().cloned()))
}

/// The exit codes for the help.
fn exits() -> String {
    let lines: Vec<String> =
        Exit::ALL.iter().map(|(exit, meaning)| format!("  {}  {meaning}", exit.code())).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }

    #[test]
    fn commands_of_resources_and_all_of_the_help_are_there_after_the_fixed_ones_were_tried() {
        let read = |arguments: &[&str]| {
            let mut all = vec![OsString::from("trunkctl")];
            all.extend(arguments.iter().map(|argument| OsString::from(*argument)));
            super::matches(&all)
        };
        let name = |arguments: &[&str]| read(arguments).unwrap().subcommand_name().unwrap().to_owned();
        assert_eq!(name(&["--url", "http://h/v3", "plan", "-f", "a.toml"]), "plan");
        assert_eq!(name(&["voice-out-trunks", "list"]), "voice-out-trunks");
        let help = read(&["--help"]).unwrap_err();
        assert!(!help.use_stderr() && help.to_string().contains("voice-out-trunks"));
        assert!(read(&["voice-out-trunk"]).unwrap_err().to_string().contains("voice-out-trunks"));
    }

    #[test]
    fn the_help_begins_with_what_the_program_is() {
        let help = super::command().render_help().to_string();
        assert!(help.starts_with(super::ABOUT), "{help}");
        assert!(!super::command().render_long_help().to_string().contains("]("), "no link of rustdoc");
        for command in super::command().get_subcommands() {
            assert!(
                command.get_about().is_some_and(|about| !about.to_string().contains("](")),
                "{}",
                command.get_name()
            );
        }
    }
}
