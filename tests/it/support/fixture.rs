//! The bodies of a type: `fixtures/coverage/<type>.json`.
//!
//! `create` and `update` have a body, without type and id, for the first version of the type and for each later
//! version that needs another one. `release` has the updates without which a record that is linked to others cannot be
//! deleted. `linked_with` names relationships that depend on attributes, and `never_cleared` those that the record
//! keeps. A type that no request creates has `control`: the request to the control API that makes a record, and where
//! the answer has its id. In all texts, `{unique}` becomes a number of four digits that is new each time, `{account}`
//! the account's id, `{yesterday}` the day before the present one, `{year}` and `{month}` its year and its month, and
//! the name of a type in braces, such as `{dids}`, the id of a new record of that type.
//! `{did_groups.stock_keeping_units}` becomes the id of the first member of a relationship of a new record. Values are
//! written in their normal form: what a body sends is what the answer shows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use didww_types::{ApiVersion, ResourceSpec, Verb};
use serde::Deserialize;
use serde_json::Value;

/// The bodies of one type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    #[serde(default)]
    create: BTreeMap<String, Value>,
    #[serde(default)]
    update: BTreeMap<String, Value>,
    /// The update that a record which is linked to others needs before it can be deleted, by the first version that
    /// refuses.
    #[serde(default)]
    release: BTreeMap<String, Value>,
    /// The attributes that a record must have where a relationship has a member from 2026-04-16 on, by the
    /// relationship's name.
    #[serde(default)]
    pub linked_with: BTreeMap<String, Value>,
    /// The relationships that a record of the fixture always has, although a request of another record can clear them.
    #[serde(default)]
    pub never_cleared: Vec<String>,
    /// The records that must exist before one is created although no member of it names them, as `{type}`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The request that makes a record that no request of the API makes.
    pub control: Option<ControlRequest>,
}

/// A POST to the control API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlRequest {
    /// The path below `/control/v1`.
    pub path: String,
    pub body: Value,
    /// The JSON pointer of the new record's id in the answer.
    pub id: String,
}

fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/coverage"))
}

/// The types that have a fixture.
pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

impl Fixture {
    /// Reads the fixture of a type.
    ///
    /// # Errors
    /// A sentence with the file and its missing members.
    pub fn load(spec: &ResourceSpec) -> Result<Self, String> {
        let name = spec.name;
        match std::fs::read_to_string(directory().join(format!("{name}.json"))) {
            Ok(text) => Self::parse(spec, &text),
            Err(_) => Err(format!(
                "{name} has no fixture: add fixtures/coverage/{name}.json with {}",
                required(spec)
            )),
        }
    }

    /// Parses the fixture of a type, and checks that it has a body for every version.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(spec: &ResourceSpec, text: &str) -> Result<Self, String> {
        let file = format!("fixtures/coverage/{}.json", spec.name);
        let fixture: Self = serde_json::from_str(text).map_err(|error| format!("{file}: {error}"))?;
        for (verb, bodies) in [(Verb::Create, &fixture.create), (Verb::Update, &fixture.update)] {
            let (member, since) = (verb.as_str(), spec.since);
            if !spec.has(verb) && !bodies.is_empty() {
                return Err(format!("{file} has `{member}`, a verb that {} lacks", spec.name));
            }
            if let Some(early) = bodies.keys().find(|version| version.as_str() < since.as_str()) {
                return Err(format!(
                    "{file} has a `{member}` body for {early}, when the type exists since {since}"
                ));
            }
            if let Some(unknown) = bodies.keys().find(|version| version.parse::<ApiVersion>().is_err()) {
                return Err(format!("{file} has a `{member}` body for {unknown}, which is no version"));
            }
            if spec.has(verb) && !bodies.contains_key(since.as_str()) {
                return Err(format!(
                    "{file} has no `{member}` body for {since}: add one, which later versions use too unless they \
                     have their own"
                ));
            }
        }
        if fixture.control.is_none() && !spec.has(Verb::Create) {
            let name = spec.name;
            return Err(format!(
                "{file} has no `control` request: no request of the API creates a record of {name}"
            ));
        }
        Ok(fixture)
    }

    /// The body of a create in a version: that of the newest version that is not newer.
    pub fn create_body(&self, version: ApiVersion) -> &Value {
        body(&self.create, version)
    }

    /// The update that a linked record needs before it can be deleted in a version; `None` if it needs none.
    pub fn release_body(&self, version: ApiVersion) -> Option<&Value> {
        let (_, body) = self.release.range(..=version.as_str().to_owned()).next_back()?;
        Some(body)
    }

    /// The body of an update in a version.
    pub fn update_body(&self, version: ApiVersion) -> &Value {
        body(&self.update, version)
    }
}

fn body(bodies: &BTreeMap<String, Value>, version: ApiVersion) -> &Value {
    let (_, body) = bodies.range(..=version.as_str().to_owned()).next_back().unwrap();
    body
}

/// The required members of the fixture of a type, in words.
fn required(spec: &ResourceSpec) -> String {
    let (create, update) = (spec.has(Verb::Create), spec.has(Verb::Update));
    let since = spec.since;
    match (create, update) {
        (true, true) => format!("`create` and `update`, each with a body for {since}"),
        (true, false) => format!("`create` with a body for {since}"),
        (false, true) => {
            format!("`control`, a request that makes a record, and `update` with a body for {since}")
        }
        (false, false) => "`control`, a request that makes a record".to_owned(),
    }
}
