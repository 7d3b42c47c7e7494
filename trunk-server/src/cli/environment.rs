//! Detection of misspelt environment variables.
//!
//! A misspelt flag is an error. A misspelt variable is only logged: orchestrators put variables of their own into the
//! environment, and some of them have the same prefix as the settings (`TRUNK_SERVER_SERVICE_HOST` for a service named
//! `trunk-server`).

use std::ffi::OsString;

use clap::CommandFactory as _;

use super::Cli;

const PREFIX: &str = "TRUNK_SERVER_";

/// A variable with the prefix of the settings that belongs to no setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownVariable {
    /// The name of the variable.
    pub name: String,
    /// The name of the setting that differs least, if it differs by at most three characters.
    pub nearest: Option<String>,
}

/// Returns the variables, sorted by name, that have the prefix `TRUNK_SERVER_` and belong neither to a setting nor to
/// the variables that an orchestrator sets for a service.
pub fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<UnknownVariable> {
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut unknown: Vec<String> = names
        .filter(|name| name.strip_prefix(PREFIX).is_some_and(|rest| !is_set_by_orchestrator(rest)))
        .collect();
    if unknown.is_empty() {
        // Avoids building the command line a second time.
        return Vec::new();
    }
    let command = Cli::command();
    let of_subcommands = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let known: Vec<String> = command
        .get_arguments()
        .chain(of_subcommands)
        .filter_map(|argument| argument.get_env())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    unknown.retain(|name| !known.contains(name));
    unknown.sort();
    let with_nearest = |name: String| {
        let nearest = known.iter().map(|setting| (strsim::levenshtein(&name, setting), setting)).min();
        let nearest = nearest.filter(|(distance, _)| *distance <= MAX_DISTANCE).map(|(_, name)| name.clone());
        UnknownVariable { name, nearest }
    };
    unknown.into_iter().map(with_nearest).collect()
}

/// Maximum number of differing characters between a variable and the setting that it is taken for.
const MAX_DISTANCE: usize = 3;

/// Returns true for the rest of an orchestrator's variable: `SERVICE_HOST`, `SERVICE_PORT`, `SERVICE_PORT_HTTP`,
/// `PORT`, `PORT_8080_TCP_ADDR` and the like.
fn is_set_by_orchestrator(rest: &str) -> bool {
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_variables_are_found_and_others_are_ignored() {
        let names = [
            "PATH",
            "TRUNK_SERVER_LISTN",
            "TRUNK_SERVER_LISTEN",
            "TRUNK_SERVER_API_KEY",
            "TRUNK_SERVER_CONFIG",
            "TRUNK_SERVER_CALL_PASSWORD",
            "TRUNK_SERVER_SERVICE_HOST",
            "TRUNK_SERVER_PORT",
            "TRUNK_SERVER_PORT_8080_TCP",
            "TRUNK_SERVER_APIKEY",
            "TRUNK_SERVER_UNRELATED_WORDS",
        ];
        let found = unknown_variables(names.into_iter().map(OsString::from));
        let found: Vec<_> =
            found.iter().map(|found| (found.name.as_str(), found.nearest.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("TRUNK_SERVER_APIKEY", Some("TRUNK_SERVER_API_KEY")),
                ("TRUNK_SERVER_LISTN", Some("TRUNK_SERVER_LISTEN")),
                ("TRUNK_SERVER_UNRELATED_WORDS", None),
            ]
        );
    }
}
