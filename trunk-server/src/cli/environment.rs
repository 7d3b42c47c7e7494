//! Variables that look like settings and are none.
//!
//! A misspelt flag ends the start. A misspelt variable cannot: orchestrators put variables of their own into the
//! environment, and some of them begin like ours (`TRUNK_SERVER_SERVICE_HOST` for a service of the name
//! `trunk-server`). So it is named in the log.

use std::ffi::OsString;

use clap::CommandFactory as _;

use super::Cli;

const PREFIX: &str = "TRUNK_SERVER_";

/// The names that begin like a setting's variable, are none, and are not what an orchestrator sets for a service.
pub fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let known: Vec<String> = Cli::command()
        .get_arguments()
        .filter_map(|argument| argument.get_env())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut unknown: Vec<String> = names
        .filter(|name| name.strip_prefix(PREFIX).is_some_and(|rest| !is_of_an_orchestrator(rest)))
        .filter(|name| !known.contains(name))
        .collect();
    unknown.sort();
    unknown
}

/// `SERVICE_HOST`, `SERVICE_PORT`, `SERVICE_PORT_HTTP`, `PORT`, `PORT_8080_TCP_ADDR` and the like.
fn is_of_an_orchestrator(rest: &str) -> bool {
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_found_and_others_are_left_alone() {
        let names = [
            "PATH",
            "TRUNK_SERVER_LISTN",
            "TRUNK_SERVER_LISTEN",
            "TRUNK_SERVER_API_KEY",
            "TRUNK_SERVER_CONFIG",
            "TRUNK_SERVER_SERVICE_HOST",
            "TRUNK_SERVER_PORT",
            "TRUNK_SERVER_PORT_8080_TCP",
            "TRUNK_SERVER_APIKEY",
        ];
        let found = unknown_variables(names.into_iter().map(OsString::from));
        assert_eq!(found, ["TRUNK_SERVER_APIKEY", "TRUNK_SERVER_LISTN"]);
    }
}
