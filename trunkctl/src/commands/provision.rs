//! `trunkctl plan`, `apply`, `drift` and `dump`.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use didww_client::{Client, REGISTRY, ResourceSpec, Verb};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::context::Target;
use crate::exit::{Exit, Failure};
use crate::file;
use crate::output;
use crate::provision::{
    self, Applied, Begun, Clients, Declaration, Limits, Outcome, Owner, Pace, Part, Plan, check, markdown,
    summary, text,
};
use crate::resource::{self, flag};
use crate::terminal::{Colour, consent, note, print, print_and_go_on};

/// A format of plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For a terminal.
    #[default]
    Text,
    /// For a program.
    Json,
    /// For a pull request.
    Markdown,
}

/// The declaration to compare.
#[derive(Debug, Clone, Args)]
pub(crate) struct Declared {
    /// Read the declaration from this TOML, YAML or JSON file, or from standard input for `-`
    #[arg(short, long, value_name = "FILE")]
    pub file: String,

    /// Delete records that have the owner's mark and are no longer declared
    #[arg(long)]
    pub prune: bool,

    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: PlanFormat,
}

/// The maximum shares of records that a plan may change or delete.
#[derive(Debug, Clone, Args)]
pub(crate) struct LimitArgs {
    /// Refuse to change more than this share of the records of a type, from ten records on
    #[arg(long, value_name = "PERCENT", default_value_t = 30, value_parser = clap::value_parser!(u32).range(..=100))]
    pub max_updates: u32,

    /// Refuse to delete more than this share of the records of a type, from ten records on
    #[arg(long, value_name = "PERCENT", default_value_t = 30, value_parser = clap::value_parser!(u32).range(..=100))]
    pub max_deletes: u32,
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        Limits { updates: self.max_updates, deletes: self.max_deletes }
    }
}

/// Prints the changes that `apply` would make.
#[derive(Debug, Clone, Args)]
pub struct PlanCommand {
    #[command(flatten)]
    declared: Declared,

    #[command(flatten)]
    limits: LimitArgs,

    /// End with exit code 3 if there is anything to do
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Compares the service's records with the declaration, and ends with exit code 3 if they differ.
#[derive(Debug, Clone, Args)]
pub struct Drift {
    #[command(flatten)]
    declared: Declared,
}

/// Changes the service's records to match the declaration.
#[derive(Debug, Clone, Args)]
pub struct Apply {
    #[command(flatten)]
    declared: Declared,

    #[command(flatten)]
    limits: LimitArgs,

    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,

    /// Apply a plan that changes or deletes more than the limits allow
    #[arg(long)]
    force: bool,

    /// Begin further requests after one failed
    #[arg(long)]
    keep_going: bool,

    /// Send this number of requests at the same time
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
}

/// The format of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum DumpFormat {
    /// TOML.
    #[default]
    Toml,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// Prints the service's records as a declaration.
#[derive(Debug, Clone, Args)]
pub struct DumpCommand {
    /// The types; by default all types that can be declared, except those of the communication platform
    #[arg(value_name = "TYPE", value_parser = PossibleValuesParser::new(type_names()))]
    types: Vec<String>,

    /// Write this owner into the declaration, so that `apply` marks the records
    #[arg(long, value_name = "OWNER")]
    owner: Option<Owner>,

    /// Write members that have their default values too
    #[arg(long)]
    full: bool,

    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    output: DumpFormat,
}

/// The names of the types that can be dumped.
fn type_names() -> Vec<String> {
    let parts = Part::ALL.map(|part| part.as_str().to_owned());
    declarable().map(|spec| flag(spec.name)).chain(parts).collect()
}

/// The types of which records can be declared.
fn declarable() -> impl Iterator<Item = &'static ResourceSpec> {
    REGISTRY.iter().copied().filter(|spec| {
        spec.has(Verb::List)
            && (spec.has(Verb::Create) || spec.has(Verb::Update))
            && spec.form.is_none()
            && !resource::is_operation(spec)
    })
}

fn format(plan: &Plan, format: PlanFormat, colour: Colour) -> Result<String, Failure> {
    match format {
        PlanFormat::Text => Ok(text(plan, colour.on_output())),
        PlanFormat::Json => output::json(&provision::json(plan)),
        PlanFormat::Markdown => Ok(markdown(plan)),
    }
}

/// A declaration, the client if it was needed early, and the records that it has begun to read.
type Read = (Declaration, Option<Client>, Option<Begun>);

impl Declared {
    /// Reads the declaration. A large one is parsed on a thread of its own, while the records that it is probably about
    /// are read.
    async fn read(&self, target: &Target) -> Result<Read, Failure> {
        let text = file::text(&self.file)?;
        let Some(spec) = Begun::guess(&text) else {
            return Ok((Declaration::parse(&self.file, &text)?, None, None));
        };
        let (path, text) = (self.file.clone(), Arc::new(text));
        let of_thread = Arc::clone(&text);
        let parsing = spawn_blocking(move || Declaration::parse(&path, &of_thread));
        // Errors of the file are reported before those of the service.
        let client = target.client().ok();
        let begun = client.as_ref().and_then(|client| Begun::of(client, spec, &text));
        let (parsed, begun) = match begun {
            Some(begun) => {
                let (parsed, begun) = begun.beside(parsing).await;
                (parsed, Some(begun))
            }
            None => (parsing.await, None),
        };
        match parsed {
            Ok(declaration) => Ok((declaration?, client, begun)),
            Err(error) => Err(Failure::new(Exit::Failed, error.to_string())),
        }
    }

    async fn plan(&self, target: &Target) -> Result<(Clients, Plan), Failure> {
        let (declaration, client, begun) = self.read(target).await?;
        let is_of_platform = !declaration.platform.is_empty();
        let is_of_didww = declaration.owner.is_some() || self.prune || !declaration.entries.is_empty();
        let clients = Clients {
            didww: (is_of_didww || !is_of_platform)
                .then(|| client.map_or_else(|| target.client(), Ok))
                .transpose()?,
            platform: is_of_platform.then(|| target.voipbin()).transpose()?,
        };
        let plan = provision::plan_with(&clients, &declaration, self.prune, begun).await?;
        Ok((clients, plan))
    }
}

impl PlanCommand {
    /// Prints the plan.
    ///
    /// # Errors
    /// When the declaration is not valid, and the failures of requests; with `--detailed-exitcode` also when the plan
    /// has actions.
    pub async fn run(&self, target: &Target, colour: Colour) -> Result<(), Failure> {
        let (_, plan) = self.declared.plan(target).await?;
        print_and_go_on(&format(&plan, self.declared.output, colour)?)?;
        for exceeded in check(&plan, self.limits.limits()) {
            note(&format!("warning: {exceeded}: apply needs --force"));
        }
        let is_empty = plan.actions.is_empty();
        if self.detailed_exitcode && !is_empty { Err(Failure::silent(Exit::Differs)) } else { Ok(()) }
    }
}

impl Drift {
    /// Prints the differences.
    ///
    /// # Errors
    /// When there is a difference, the declaration is not valid, and the failures of requests.
    pub async fn run(&self, target: &Target, colour: Colour) -> Result<(), Failure> {
        let (_, plan) = self.declared.plan(target).await?;
        print_and_go_on(&format(&plan, self.declared.output, colour)?)?;
        let differs = !plan.actions.is_empty() || !plan.orphans.is_empty();
        if differs { Err(Failure::silent(Exit::Differs)) } else { Ok(()) }
    }
}

impl Apply {
    /// Makes the plan, asks for confirmation, and applies the plan.
    ///
    /// # Errors
    /// When the declaration is not valid, a safety limit is exceeded, consent is missing, or an action fails.
    pub async fn run(&self, target: &Target, colour: Colour) -> Result<(), Failure> {
        let (clients, plan) = self.declared.plan(target).await?;
        print_and_go_on(&format(&plan, self.declared.output, colour)?)?;
        if plan.actions.is_empty() {
            return Ok(());
        }
        let exceeded = check(&plan, self.limits.limits());
        if !exceeded.is_empty() && !self.force {
            let text = format!("nothing was done, because {}; --force applies it", exceeded.join(", and "));
            return Err(Failure::new(Exit::Unsafe, text));
        }
        if !self.yes {
            let urls = [
                clients.didww.as_ref().map(didww_client::Client::base_url),
                clients.platform.as_ref().map(voipbin_client::Client::base_url),
            ];
            let urls: Vec<&str> = urls.into_iter().flatten().collect();
            consent(&format!("Apply to {}: {}?", urls.join(" and "), summary(&plan)), "--yes")?;
        }
        let pace = Pace { parallel: usize::from(self.parallel), keeps_going: self.keep_going };
        let applied = provision::apply(&clients, plan, pace).await;
        report(&applied)
    }
}

/// A heading, and whether an outcome belongs under it.
type Section = (&'static str, fn(&Outcome) -> bool);

/// Describes the completed actions.
fn report(applied: &Applied) -> Result<(), Failure> {
    let done = applied.those(|outcome| matches!(outcome, Outcome::Done(_)));
    if applied.is_complete() {
        note(&format!("applied: {} of {}", done.len(), done.len()));
        return Ok(());
    }
    let line = |(action, outcome): &(provision::Action, Outcome)| {
        let what = format!("{} {}.{}", action.operation.as_str(), action.kind, action.key);
        match outcome {
            Outcome::Done(id) => format!("  {what} ({id})"),
            Outcome::Refused(why) | Outcome::Unclear(why) => {
                format!("  {what}: {}", why.replace('\n', "\n    "))
            }
            Outcome::NotBegun => format!("  {what}"),
        }
    };
    let mut text = format!("{} of {} actions were done", done.len(), applied.actions.len());
    let sections: [Section; 4] = [
        ("done", |outcome| matches!(outcome, Outcome::Done(_))),
        ("refused, and nothing changed", |outcome| matches!(outcome, Outcome::Refused(_))),
        ("unclear: it may have been done", |outcome| matches!(outcome, Outcome::Unclear(_))),
        ("not begun", |outcome| matches!(outcome, Outcome::NotBegun)),
    ];
    for (heading, is) in sections {
        let those = applied.those(is);
        if !those.is_empty() {
            let lines: Vec<String> = those.into_iter().map(line).collect();
            // Writing to a string cannot fail.
            let _infallible = write!(text, "\n{heading}:\n{}", lines.join("\n"));
        }
    }
    text += "\nthe same command continues with the rest: it makes a new plan";
    Err(Failure::new(Exit::Partial, text))
}

/// Removes members that are null, and returns their number.
fn leave_out_nulls(value: &mut Value) -> usize {
    let Value::Object(members) = value else { return 0 };
    let before = members.len();
    members.retain(|_, member| !member.is_null());
    let removed = before - members.len();
    removed + members.values_mut().map(leave_out_nulls).sum::<usize>()
}

impl DumpCommand {
    /// Prints the declaration.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let version = target.api_version()?;
        let is_asked =
            |spec: &&'static ResourceSpec| self.types.is_empty() || self.types.contains(&flag(spec.name));
        let specs: Vec<_> = declarable().filter(is_asked).collect();
        let has_list =
            |spec: &&'static ResourceSpec| spec.exists_in(version) && spec.has_at(Verb::List, version);
        let specs: Vec<_> = specs.into_iter().filter(has_list).collect();
        let is_part = |part: &Part| self.types.iter().any(|name| name == part.as_str());
        let parts: Vec<Part> = Part::ALL.into_iter().filter(is_part).collect();
        let clients = Clients {
            didww: (!specs.is_empty()).then(|| target.client()).transpose()?,
            platform: (!parts.is_empty()).then(|| target.voipbin()).transpose()?,
        };
        let dump = provision::dump(&clients, &specs, &parts, self.owner.as_ref(), self.full).await?;
        dump.notes.iter().for_each(|line| note(&format!("note: {line}")));
        let mut members = Value::Object(dump.members);
        let text = match self.output {
            DumpFormat::Toml => {
                let nulls = leave_out_nulls(&mut members);
                if nulls > 0 {
                    note(&format!("note: {nulls} members are null, which TOML cannot say: -o yaml does"));
                }
                let text = toml::to_string_pretty(&members);
                text.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?
            }
            DumpFormat::Yaml => output::yaml(&members)?,
            DumpFormat::Json => output::json(&members)?,
        };
        print(&text)
    }
}
