//! `trunkctl resources`: the types of records.

use clap::Args;
use didww_client::{ApiVersion, REGISTRY, Verb};
use serde_json::Value;

use crate::exit::Failure;
use crate::output::{self, Format, Row};
use crate::resource::{self, flag};
use crate::terminal::print;

/// Lists the types of records.
#[derive(Debug, Clone, Args)]
pub struct Resources {
    /// The format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

impl Resources {
    /// Prints the list of a version.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn run(&self, version: ApiVersion) -> Result<(), Failure> {
        let specs = REGISTRY.iter().filter(|spec| spec.exists_in(version) && !resource::is_operation(spec));
        let rows: Vec<Row> = specs
            .map(|spec| {
                let mut row = Row::default();
                row.push("id", flag(spec.name));
                let verbs = spec.verbs.iter().copied().filter(|verb| spec.has_at(*verb, version));
                let verbs = verbs.filter(|verb| resource::has_command(spec, *verb));
                let verbs = verbs.map(Verb::as_str);
                let operations = resource::operations(spec).map(|operation| flag(operation.name));
                row.push(
                    "commands",
                    verbs.map(Value::from).chain(operations.map(Value::from)).collect::<Vec<_>>(),
                );
                row.push("since", spec.since.as_str());
                row.push("about", spec.doc.lines().next().unwrap_or_default());
                row
            })
            .collect();
        let columns = ["id", "commands", "since", "about"].map(str::to_owned);
        print(&output::list(&rows, &columns, self.output)?)
    }
}
