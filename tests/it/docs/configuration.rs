//! `docs/configuration.md` against the definitions of the command line and of the file.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, CommandFactory as _, Parser as _};
use trunk_server::cli::Cli;
use trunk_server::config::{Config, ConfigError};

use super::pages::{blocks, hold_part, read};
use crate::support::binary;

/// Settings that exist only on the command line.
const NO_KEYS: [&str; 2] = ["config", "print_config"];
/// Settings that are errors unless the database is on PostgreSQL.
const OF_POSTGRES: [&str; 2] = ["database_listen", "database_connections"];
/// A database on PostgreSQL, as a line of the file.
const POSTGRES: &str = "database = \"postgres://trunk@db.example/trunk\"\n";

fn settings() -> Vec<Arg> {
    let own = |argument: &Arg| !matches!(argument.get_id().as_str(), "help" | "version");
    Cli::command().get_arguments().filter(|argument| own(argument)).cloned().collect()
}

/// A setting's help text, and the default at its end.
fn help(argument: &Arg) -> (String, Option<String>) {
    let help = argument.get_help().unwrap().to_string();
    match help.split_once(" [default: ") {
        Some((words, default)) => (words.to_owned(), Some(default.trim_end_matches(']').to_owned())),
        None => (help, None),
    }
}

fn table() -> String {
    let mut table = String::from("| flag | environment | key of the file | default | what it does |\n");
    table.push_str("| --- | --- | --- | --- | --- |\n");
    for argument in settings() {
        let id = argument.get_id().as_str();
        let takes_value = argument.get_action().takes_values();
        let name = argument.get_value_names().filter(|_| takes_value).map(|names| names[0].as_str());
        // A switch with an optional value takes the value after an equals sign.
        let switch = argument.is_require_equals_set() || name.is_none();
        let value = match name {
            Some(name) if switch => format!("[={name}]"),
            // A bar would end the cell.
            Some(name) => format!(" {}", name.replace('|', "\\|")),
            None => String::new(),
        };
        let variable =
            argument.get_env().map_or("none".to_owned(), |name| format!("`{}`", name.to_str().unwrap()));
        let key = if NO_KEYS.contains(&id) { "none".to_owned() } else { format!("`{id}`") };
        let (words, default) = help(&argument);
        let default = match default {
            Some(default) => format!("`{default}`"),
            None if switch => "off".to_owned(),
            None => "none".to_owned(),
        };
        let flag = argument.get_long().unwrap();
        let _infallible = writeln!(table, "| `--{flag}{value}` | {variable} | {key} | {default} | {words} |");
    }
    table
}

#[test]
fn the_table_of_settings_is_that_of_the_command_line() {
    hold_part("docs/configuration.md", "settings", &table());
}

#[test]
fn the_defaults_that_the_help_names_are_those_in_force() {
    let (in_a_file, on_a_server) =
        (Config::default().to_toml(), Config::from_toml(POSTGRES).unwrap().to_toml());
    for argument in settings() {
        let id = argument.get_id().as_str();
        let in_force = if OF_POSTGRES.contains(&id) { &on_a_server } else { &in_a_file };
        let line = in_force.lines().find(|line| line.starts_with(&format!("{id} = ")));
        match (help(&argument).1, line) {
            (Some(default), Some(line)) => assert_eq!(line.replace('"', ""), format!("{id} = {default}")),
            (Some(default), None) => panic!("{id} has the default {default} in the help and none in force"),
            (None, Some(line)) => assert!(line.ends_with("= false"), "the help names no default for {line}"),
            (None, None) => {}
        }
    }
}

/// Writes a file with this text to the folder that `cargo` provides for tests.
fn file(name: &str, text: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

fn load(name: &str, text: &str) -> Result<Config, ConfigError> {
    let path = file(name, text);
    let cli = Cli::try_parse_from(["trunk-server".as_ref(), "--config".as_ref(), path.as_os_str()]).unwrap();
    let config = cli.into_config();
    std::fs::remove_file(path).unwrap();
    config
}

#[test]
fn the_file_knows_the_keys_of_the_table_and_no_others() {
    let example = blocks(&read("docs/configuration.md"), "toml").concat();
    load("whole", &example).unwrap();
    for argument in settings() {
        let id = argument.get_id().as_str();
        let start = format!("{id} = ");
        let line =
            example.lines().map(|line| line.trim_start_matches("# ")).find(|line| line.starts_with(&start));
        match line {
            // All of these must be set, or none.
            Some(_)
                if ["sip_tls_listen", "tls_cert", "tls_key", "api_tls_cert", "api_tls_key"].contains(&id) => {
            }
            // The file must exist.
            Some(_) if id.ends_with("_file") => {}
            Some(line) if OF_POSTGRES.contains(&id) => {
                load(id, &format!("{POSTGRES}{line}")).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
            Some(line) => drop(load(id, line).unwrap_or_else(|error| panic!("{line}: {error}"))),
            None => assert!(NO_KEYS.contains(&id), "the example file has no {id}"),
        }
    }
    for unknown in NO_KEYS {
        let error = load(unknown, &format!("{unknown} = true")).unwrap_err().to_string();
        assert!(error.contains(unknown) && error.contains("line 1"), "{error}");
    }
}

#[test]
fn a_flag_goes_before_the_environment_and_the_environment_before_the_file() {
    let path = file("order", "log = \"error\"\nlisten = \"127.0.0.1:1\"\ndemo = true\n");
    let output = std::process::Command::new(binary::path())
        .args(["--print-config", "--log", "debug", "--config"])
        .arg(&path)
        .env("TRUNK_SERVER_LOG", "warn")
        .env("TRUNK_SERVER_LISTEN", "127.0.0.1:2")
        .output()
        .unwrap();
    std::fs::remove_file(path).unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in ["log = \"debug\"", "listen = \"127.0.0.1:2\"", "demo = true"] {
        assert!(printed.lines().any(|printed| printed == line), "no `{line}` in:\n{printed}");
    }
}
