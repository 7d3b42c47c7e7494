//! The command of a type: a subcommand for each operation that the registry declares, with flags for its members.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, value_parser};
use didww_client::{Access, ApiVersion, AttributeSpec, Kind, RelationshipSpec, ResourceSpec, Verb};

use super::query::{filter_words, include_words, sort_words};
use super::record::all_columns;
use super::suggested::Suggested;
use super::value::placeholder;
use super::{flag, is_operation, operations};
use crate::output::Format;

/// The flags of the program itself, which a member of a type cannot have: it is then `--set-NAME`.
const TAKEN: [&str; 21] = [
    "api-key-file",
    "api-version",
    "color",
    "columns",
    "context",
    "control-token-file",
    "control-url",
    "dry-run",
    "file",
    "help",
    "include",
    "no-check",
    "output",
    "show-secrets",
    "token-url",
    "url",
    "version",
    "voipbin-key-file",
    "voipbin-url",
    "yes",
    "limit",
];

/// The heading of the flags of members.
const MEMBERS: &str = "Members";

/// The first sentence of a documentation, for a line of a list.
fn first_sentence(doc: &str) -> &str {
    let line = doc.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(first, _)| first).trim_end_matches('.')
}

/// The command of a type; `None` for an operation, which is a command below its type.
pub(crate) fn command(spec: &'static ResourceSpec) -> Option<Command> {
    if is_operation(spec) {
        return None;
    }
    let about = first_sentence(spec.doc);
    let mut command = Command::new(flag(spec.name))
        .about(about)
        .long_about(spec.doc)
        .subcommand_required(true)
        .arg_required_else_help(true);
    if flag(spec.name) != spec.name {
        command = command.alias(spec.name);
    }
    if spec.has(Verb::List) {
        command = command.subcommand(list(spec));
    }
    if spec.has(Verb::Get) {
        command = command.subcommand(get(spec));
        if !spec.relationships.is_empty() && !spec.unrouted {
            command = command.subcommand(related(spec));
        }
    }
    if has_command(spec, Verb::Create) {
        command = command.subcommand(written(
            "create",
            "Create a record",
            spec,
            |attribute| attribute.create.allowed(),
            |relationship| relationship.create.allowed(),
        ));
    }
    if spec.has(Verb::Update) {
        let update = written(
            "update",
            "Change members of a record",
            spec,
            |attribute| attribute.update,
            |relationship| relationship.update,
        );
        command = command.subcommand(update.arg(record()));
    }
    if spec.has(Verb::Delete) {
        command = command.subcommand(delete());
    }
    for operation in operations(spec) {
        let mut rotate = Command::new(flag(operation.name))
            .about(first_sentence(operation.spec.doc))
            .arg(record())
            .args(printed())
            .arg(dry_run());
        if operation.name.starts_with("regenerate_") {
            rotate = rotate.visible_alias("rotate");
        }
        command = command.subcommand(rotate);
    }
    Some(command)
}

/// Whether a verb of a type is a command. Types whose records are created by a form with a file have no `create`
/// command.
pub(crate) fn has_command(spec: &ResourceSpec, verb: Verb) -> bool {
    spec.has(verb) && !(verb == Verb::Create && spec.form.is_some())
}

fn list(spec: &'static ResourceSpec) -> Command {
    let listed = |id: &'static str, words: Vec<String>, help: &str, value: &'static str| {
        let help = if words.is_empty() { help.to_owned() } else { format!("{help}: {}", words.join(" ")) };
        Arg::new(id)
            .long(id)
            .action(ArgAction::Append)
            .value_name(value)
            .long_help(help.clone())
            .help(help.split(':').next().unwrap_or_default().to_owned())
            .hide_possible_values(true)
            .allow_hyphen_values(true)
            .value_parser(Suggested(words))
    };
    Command::new("list")
        .about("List records")
        .arg(listed(
            "filter",
            filter_words(spec),
            "Only the records that match, of several names all",
            "NAME=VALUE",
        ))
        .arg(
            listed(
                "sort",
                sort_words(spec),
                "Sort by these attributes, with a minus in descending order",
                "NAME",
            )
            .value_delimiter(','),
        )
        .arg(
            listed("include", include_words(spec), "Read related records as well", "PATH")
                .value_delimiter(','),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("NUMBER")
                .value_parser(value_parser!(u64).range(1..))
                .help("Stop after this number of records"),
        )
        .arg(
            Arg::new("columns")
                .long("columns")
                .value_name("A,B")
                .value_delimiter(',')
                .hide_possible_values(true)
                .value_parser(Suggested(column_words(spec)))
                .help("The columns of a table or of CSV; `all` is every member"),
        )
        .args(printed())
}

/// The values of `--columns`.
fn column_words(spec: &'static ResourceSpec) -> Vec<String> {
    std::iter::once("all".to_owned()).chain(all_columns(spec, ApiVersion::NEWEST)).collect()
}

fn get(spec: &'static ResourceSpec) -> Command {
    let include = Arg::new("include")
        .long("include")
        .action(ArgAction::Append)
        .value_delimiter(',')
        .value_name("PATH")
        .help("Read related records as well")
        .hide_possible_values(true)
        .value_parser(Suggested(include_words(spec)));
    let get = Command::new("get").about("Read a record");
    // An account has one record of such a type, which needs no name.
    let get = if spec.singleton.is_some() { get } else { get.arg(record()) };
    get.arg(include).args(printed())
}

fn related(spec: &'static ResourceSpec) -> Command {
    let shown = spec.relationships.iter().filter(|relationship| !relationship.write_only);
    let names = shown.map(|relationship| relationship.name);
    let relationship = Arg::new("relationship")
        .required(true)
        .value_name("RELATIONSHIP")
        .help("The relationship")
        .value_parser(PossibleValuesParser::new(names.collect::<Vec<_>>()));
    Command::new("related")
        .about("List the records to which a relationship leads")
        .arg(record())
        .arg(relationship)
        .args(printed())
}

fn delete() -> Command {
    let records = Arg::new("record")
        .required(true)
        .num_args(1..)
        .value_name("ID|NAME")
        .help("The ids of the records, or what they are named by");
    let yes = Arg::new("yes").long("yes").short('y').action(ArgAction::SetTrue).help("Do not ask");
    Command::new("delete").about("Delete records").arg(records).arg(yes).arg(dry_run())
}

/// The argument that names a record.
fn record() -> Arg {
    Arg::new("record")
        .required(true)
        .value_name("ID|NAME")
        .help("The id of the record, or what it is named by")
}

/// The flags of the output.
fn printed() -> [Arg; 2] {
    [
        Arg::new("output")
            .long("output")
            .short('o')
            .value_name("FORMAT")
            .default_value("table")
            .value_parser(clap::builder::EnumValueParser::<Format>::new())
            .help("The format"),
        Arg::new("show-secrets")
            .long("show-secrets")
            .action(ArgAction::SetTrue)
            .help("Print passwords in clear"),
    ]
}

fn dry_run() -> Arg {
    Arg::new("dry-run")
        .long("dry-run")
        .action(ArgAction::SetTrue)
        .help("Check the request and print it instead of sending it")
}

fn written(
    verb: &'static str,
    about: &'static str,
    spec: &'static ResourceSpec,
    has: fn(&AttributeSpec) -> bool,
    links: fn(&RelationshipSpec) -> bool,
) -> Command {
    let former = spec.adapter.map_or(&[][..], |adapter| adapter.attributes);
    let attributes = spec.attributes.iter().chain(former).filter(|attribute| has(attribute));
    // A relationship that became an attribute of the same name shares the attribute's flag; the version decides which
    // of them it sets.
    let is_attribute = |name: &str| spec.attributes.iter().any(|attribute| attribute.name == name);
    let relationships = spec
        .relationships
        .iter()
        .filter(|relationship| links(relationship) && !is_attribute(relationship.name));
    Command::new(verb)
        .about(about)
        .arg(
            Arg::new("file").long("file").short('f').value_name("FILE").help(
                "Read members from this JSON, YAML or TOML file, or from standard input for `-`; flags go before it",
            ),
        )
        .args(attributes.map(|attribute| member(attribute, verb == "create")))
        .args(relationships.map(relationship_flag))
        .arg(dry_run())
        .arg(
            Arg::new("no-check")
                .long("no-check")
                .action(ArgAction::SetTrue)
                .help("Leave it to the service to check values"),
        )
        .args(printed())
}

/// The flag of a member, which is not one of the program's own.
fn long(name: &str) -> String {
    let flag = flag(name);
    if TAKEN.contains(&flag.as_str()) { format!("set-{flag}") } else { flag }
}

/// The id of the argument of a member, which a flag of the program's own cannot have.
pub(super) fn argument_id(name: &str) -> String {
    format!("member:{name}")
}

fn member(attribute: &AttributeSpec, creates: bool) -> Arg {
    let mut notes = Vec::new();
    if creates && attribute.create == Access::Required {
        notes.push("required".to_owned());
    }
    if attribute.since > ApiVersion::V2017_09_18 {
        notes.push(format!("since {}", attribute.since));
    }
    notes.extend(attribute.until.map(|until| format!("until {until}")));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    let help = attribute.doc.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let argument = Arg::new(argument_id(attribute.name))
        .long(long(attribute.name))
        .value_name(placeholder(attribute))
        .help_heading(MEMBERS)
        .help(format!("{help}{notes}"))
        .long_help(format!("{}{notes}", attribute.doc))
        .allow_hyphen_values(true);
    match attribute.kind {
        Kind::Boolean => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_possible_values(true)
            .value_parser(Suggested(["true", "false"].map(str::to_owned).to_vec())),
        Kind::Enumeration(texts) | Kind::Variant(texts) => {
            argument.value_parser(Suggested(texts.iter().map(|text| (*text).to_owned()).collect()))
        }
        _ => argument,
    }
}

fn relationship_flag(relationship: &RelationshipSpec) -> Arg {
    let value = if relationship.many { "ID,ID" } else { "ID" };
    let help = relationship.doc.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let hint = if relationship.many { "; an empty text is none" } else { "; `null` is none" };
    Arg::new(argument_id(relationship.name))
        .long(long(relationship.name))
        .value_name(value)
        .help_heading(MEMBERS)
        .help(help.to_owned())
        .long_help(format!("{} Ids, or what the records are named by{hint}.", relationship.doc))
}
