//! The library of the program `trunkctl`, a command line for provisioning outbound trunks.
//!
//! The commands of resources are made from the registry of `didww-client`: none of them has code of its own. The
//! module [`provision`] compares a declaration with the service's records, and changes these to match. Values are
//! checked against the registry; all other rules are left to the service.

pub mod cli;
mod commands;
mod context;
mod control;
pub mod exit;
mod file;
mod mask;
mod near;
#[cfg(not(feature = "keyring"))]
mod no_keyring;
mod output;
pub mod provision;
mod resource;
mod service_error;
#[cfg(feature = "keyring")]
mod system_keyring;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;
#[cfg(not(feature = "keyring"))]
use no_keyring as system_keyring;

use crate::cli::{Fixed, Globals};
use crate::context::Target;
use crate::exit::{Exit, Failure};
use crate::terminal::{Paint, note, painted};

/// Runs the program with its arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = match cli::matches(&arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Clap returns help and version as errors.
            let _lost = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    let globals = match Globals::from_arg_matches(&matches) {
        Ok(globals) => globals,
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(&globals, &matches)),
        Err(error) => Err(Failure::new(Exit::Failed, error.to_string())),
    };
    match outcome {
        Ok(()) => Exit::Success.into(),
        Err(failure) => {
            if !failure.text.is_empty() {
                note(&format!("{} {failure}", painted(globals.color.on_errors(), Paint::Red, "error:")));
            }
            failure.exit.into()
        }
    }
}

async fn dispatch(globals: &Globals, matches: &clap::ArgMatches) -> Result<(), Failure> {
    let target = || Target::select(globals.overrides());
    if let Some((name, arguments)) = matches.subcommand()
        && let Some(spec) = resource::named(name)
    {
        return resource::run(&target()?, spec, arguments).await;
    }
    match Fixed::from_arg_matches(matches).map_err(|error| Failure::usage(error.to_string()))? {
        Fixed::Plan(command) => command.run(&target()?, globals.color).await,
        Fixed::Apply(command) => command.run(&target()?, globals.color).await,
        Fixed::Drift(command) => command.run(&target()?, globals.color).await,
        Fixed::Dump(command) => command.run(&target()?).await,
        Fixed::Calls(command) => command.run(&target()?).await,
        Fixed::Inbound(command) => command.run(&target()?).await,
        Fixed::Explain(command) => command.run(&target()?).await,
        Fixed::Accounts(command) => command.run(&target()?).await,
        Fixed::Keys(command) => command.run(&target()?).await,
        Fixed::Clock(command) => command.run(&target()?).await,
        Fixed::Audit(command) => command.run(&target()?).await,
        Fixed::Lab(command) => command.run(&target()?).await,
        Fixed::Prices(command) => command.run(&target()?).await,
        Fixed::Api(command) => command.run(&target()?).await,
        Fixed::Context(command) => command.run(globals),
        Fixed::Resources(command) => command.run(target()?.api_version()?),
        Fixed::Completion(command) => command.run(cli::command()),
        Fixed::Man(command) => command.run(cli::command()),
    }
}
