//! A plan as text for a terminal, as JSON for a program, as Markdown for a pull request.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::action::{Action, Operation};
use super::plan::Plan;
use crate::mask;
use crate::output::cell;
use crate::terminal::{Paint, painted};

const fn sign(operation: Operation) -> (&'static str, Paint) {
    match operation {
        Operation::Create => ("+", Paint::Green),
        Operation::Update => ("~", Paint::Yellow),
        Operation::Delete => ("-", Paint::Red),
    }
}

fn count(plan: &Plan, operation: Operation) -> usize {
    plan.actions.iter().filter(|action| action.operation == operation).count()
}

/// The plan in one sentence.
pub fn summary(plan: &Plan) -> String {
    if plan.actions.is_empty() {
        return format!("nothing to do: {} records are as declared", plan.unchanged);
    }
    let [creates, updates, deletes] =
        [Operation::Create, Operation::Update, Operation::Delete].map(|operation| count(plan, operation));
    format!("{creates} to create, {updates} to update, {deletes} to delete, {} as declared", plan.unchanged)
}

/// A value without secrets, on one line.
fn shown(member: &str, value: &Value) -> String {
    let mut value = value.clone();
    mask::hide_value(member, &mut value);
    match &value {
        Value::String(text) => serde_json::to_string(text).unwrap_or_default(),
        Value::Null => "null".to_owned(),
        Value::Object(_) => cell(&value),
        other => other.to_string(),
    }
}

/// The records with the owner's mark that are not declared, as a sentence.
fn orphans(plan: &Plan) -> Option<String> {
    let names: Vec<String> = plan.orphans.iter().map(|(kind, key)| format!("{kind}.{key}")).collect();
    (!names.is_empty())
        .then(|| format!("not declared any more, and deleted only with --prune: {}", names.join(", ")))
}

/// The plan for a terminal.
pub fn text(plan: &Plan, colours: bool) -> String {
    let mut text = String::new();
    for Action { operation, kind, key, changes, .. } in &plan.actions {
        let ((sign, paint), word) = (sign(*operation), operation.as_str());
        let heading = format!("{sign} {kind}.{key}");
        let _infallible = writeln!(text, "{} ({word})", painted(colours, paint, &heading));
        for change in changes {
            let after = shown(&change.member, &change.after);
            let _infallible = match &change.before {
                Some(before) => {
                    writeln!(text, "    {}: {} -> {after}", change.member, shown(&change.member, before))
                }
                None => writeln!(text, "    {}: {after}", change.member),
            };
        }
    }
    for note in plan.notes.iter().cloned().chain(orphans(plan)) {
        let _infallible = writeln!(text, "{} {note}", painted(colours, Paint::Yellow, "note:"));
    }
    let _infallible = writeln!(text, "{}", painted(colours, Paint::Bold, &summary(plan)));
    text
}

/// The plan for a program.
pub fn json(plan: &Plan) -> Value {
    let hidden = |member: &str, value: &Value| {
        let mut value = value.clone();
        mask::hide_value(member, &mut value);
        value
    };
    let actions = plan.actions.iter().map(|action| {
        let changes = action.changes.iter().map(|change| {
            let before = change.before.as_ref().map(|before| hidden(&change.member, before));
            json!({"member": change.member, "before": before, "after": hidden(&change.member, &change.after)})
        });
        json!({"action": action.operation.as_str(), "type": action.kind, "key": action.key, "id": action.id,
            "changes": changes.collect::<Vec<_>>()})
    });
    let orphans = plan.orphans.iter().map(|(kind, key)| json!({"type": kind, "key": key}));
    json!({
        "owner": plan.owner.as_ref().map(super::mark::Owner::as_str),
        "api_version": plan.version.as_str(),
        "actions": actions.collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "not_declared": orphans.collect::<Vec<_>>(),
        "notes": plan.notes,
    })
}

/// The plan for a pull request.
pub fn markdown(plan: &Plan) -> String {
    // A backtick would end the code, and a bar would end the cell.
    let code = |text: &str| format!("`{}`", text.replace('`', "'").replace('|', "\\|"));
    let mut text = format!("### Plan: {}\n", summary(plan));
    if !plan.actions.is_empty() {
        text += "\n| | record | member | before | after |\n| --- | --- | --- | --- | --- |\n";
    }
    for Action { operation, kind, key, changes, .. } in &plan.actions {
        let record = code(&format!("{kind}.{key}"));
        let word = operation.as_str();
        if changes.is_empty() {
            let _infallible = writeln!(text, "| {word} | {record} | | | |");
        }
        for change in changes {
            let cell = |value: &Value| code(&shown(&change.member, value));
            let before = change.before.as_ref().map(cell).unwrap_or_default();
            let after = cell(&change.after);
            let _infallible =
                writeln!(text, "| {word} | {record} | {} | {before} | {after} |", code(&change.member));
        }
    }
    for note in plan.notes.iter().cloned().chain(orphans(plan)) {
        let _infallible = writeln!(text, "\n- {note}");
    }
    text
}
