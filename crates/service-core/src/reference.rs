//! Reference data: the records of global types, which every account reads and none can change.
//!
//! The [fixed](field@didww_types::ResourceSpec::fixed) records are part of the declarations, and every database has
//! them. All others come from a file: one JSON object a line, in any order in which a record comes after those that it
//! names. A file can be loaded again, and another one can be loaded over it: records are identified by their ids, and
//! unchanged records are not written.
//!
//! Bounds: a file is read line by line, and `BATCH` records are in memory at a time. A line has at most
//! `MAX_LINE_BYTES`.

mod checked;
mod stock;

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Read as _};

use didww_types::{REGISTRY, ResourceSpec, find};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use trunk_rules::domain::{Rulebook, with_defaults};
use trunk_store::{Change, NO_ACCOUNT, Record, Scope, StoreError};
use uuid::Uuid;

use crate::Core;
use checked::Checked;

/// Maximum number of records of one transaction.
const BATCH: usize = 500;
/// Maximum number of attempts to store records that other nodes store at the same time.
const MAX_ATTEMPTS: usize = 5;
/// Maximum size of a line in bytes, without its line end.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Stores the fixed records of all types, unless they are stored already: in one transaction, because a first start
/// waits for it.
///
/// # Errors
/// If the store fails.
pub async fn store_fixed(core: &Core) -> Result<(), StoreError> {
    for _ in 1..MAX_ATTEMPTS {
        match store_fixed_once(core).await {
            Err(StoreError::Taken(_) | StoreError::Conflict) => {}
            outcome => return outcome,
        }
    }
    store_fixed_once(core).await
}

async fn store_fixed_once(core: &Core) -> Result<(), StoreError> {
    let mut changes = Vec::new();
    for spec in REGISTRY.iter().filter(|spec| !spec.fixed.is_empty()) {
        let entries = spec.fixed.iter().filter_map(|record| {
            let attributes = Map::from_iter([("name".to_owned(), json!(record.name))]);
            Some(Checked { id: Uuid::parse_str(record.id).ok()?, attributes, links: Vec::new(), meta: None })
        });
        changes.extend(differing(core, spec, entries.collect()).await?);
    }
    if !changes.is_empty() {
        core.commit(changes).await?;
    }
    Ok(())
}

/// The numbers of records that loading a file read and wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The records in the file.
    pub records: usize,
    /// The records among them that differed from the stored ones, or were not stored.
    pub written: usize,
}

/// Why a file was not loaded completely. The lines before the named one may be stored.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A line is not valid.
    #[error("line {line}: {message}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// The reason why the line is not valid, and what would be valid.
        message: String,
    },
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The store failed, or a record names one that does not exist.
    #[error("the records up to line {line} cannot be stored: {error}")]
    Store {
        /// The number of the last line of the transaction.
        line: usize,
        /// The error of the store.
        error: StoreError,
    },
}

/// Loads a file of reference data.
///
/// # Errors
/// At the first line that is not valid, and if the store fails.
pub async fn load(core: &Core, mut file: impl BufRead) -> Result<Loaded, LoadError> {
    let (mut loaded, mut line) = (Loaded::default(), 0);
    let mut batch: Option<(&'static ResourceSpec, Vec<Checked>)> = None;
    loop {
        let (last, mut text) = (line, Vec::new());
        let read = file.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut text)?;
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        let entry = if read == 0 {
            None
        } else {
            line += 1;
            if text.trim_ascii().is_empty() {
                continue;
            }
            Some(Entry::check(text).map_err(|message| LoadError::Line { line, message })?)
        };
        let is_full = batch.as_ref().is_some_and(|(spec, records)| {
            records.len() >= BATCH || entry.as_ref().is_none_or(|(next, _)| next.name != spec.name)
        });
        if is_full && let Some((spec, records)) = batch.take() {
            loaded.records += records.len();
            let written = store(core, spec, records).await;
            loaded.written += written.map_err(|error| LoadError::Store { line: last, error })?;
        }
        let Some((spec, checked)) = entry else { return Ok(loaded) };
        batch.get_or_insert_with(|| (spec, Vec::with_capacity(BATCH))).1.push(checked);
    }
}

/// A line of a file, which describes one record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    id: Uuid,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    relationships: BTreeMap<String, Members>,
    #[serde(default)]
    meta: Option<Map<String, Value>>,
}

/// The members of a relationship: an id, or a list of ids.
#[derive(Deserialize)]
#[serde(untagged)]
enum Members {
    One(Uuid),
    Many(Vec<Uuid>),
}

impl Entry {
    fn check(text: &[u8]) -> Result<(&'static ResourceSpec, Checked), String> {
        if text.len() > MAX_LINE_BYTES {
            return Err(format!("it has more than {MAX_LINE_BYTES} bytes"));
        }
        let Self { kind, id, attributes, relationships, meta } =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let spec = find(&kind).filter(|spec| spec.global && spec.fixed.is_empty());
        let spec = spec.ok_or_else(|| format!("`{kind}` is not a type of reference data"))?;
        let mut valid = Map::new();
        for (name, value) in attributes {
            let attribute = spec.attribute(&name).filter(|attribute| !attribute.is_computed());
            let attribute = attribute.ok_or_else(|| format!("`{name}` is not an attribute of {kind}"))?;
            let value = (attribute.validate)(&value).map_err(|flaws| {
                let broken: Vec<String> = flaws.iter().map(|flaw| flaw.violation.to_string()).collect();
                format!("`{name}` {}", broken.join(", and "))
            })?;
            valid.insert(name, value);
        }
        let mut required = spec.attributes.iter().filter(|attribute| attribute.default.is_none());
        if let Some(missing) = required.find(|attribute| !valid.contains_key(attribute.name)) {
            return Err(format!("`{}` is missing", missing.name));
        }
        let mut links = Vec::with_capacity(relationships.len());
        for (name, members) in relationships {
            let stored =
                |one: &&didww_types::RelationshipSpec| one.inverse.is_none() && one.mirrors.is_none();
            let relationship = spec.relationship(&name).filter(stored);
            let relationship = relationship
                .ok_or_else(|| format!("`{name}` is not a relationship of {kind} that is stored"))?;
            let members = match members {
                Members::One(id) => vec![id],
                Members::Many(ids) if relationship.many || ids.len() <= 1 => ids,
                Members::Many(_) => return Err(format!("`{name}` contains at most one record")),
            };
            links.push((relationship.name, members));
        }
        let meta = meta.map(|meta| Rulebook::DIDWW.changed_meta(spec, Map::new(), &meta)).transpose();
        let meta = meta.map_err(|message| format!("`meta` {message}"))?;
        let meta = meta.map(|meta| Value::Object(meta).to_string());
        Ok((spec, Checked { id, attributes: valid, links, meta }))
    }
}

/// Stores records of a type, and returns how many of them were new or different. If another node stores the same ones
/// at the same time, they are looked up again.
async fn store(core: &Core, spec: &'static ResourceSpec, records: Vec<Checked>) -> Result<usize, StoreError> {
    for _ in 1..MAX_ATTEMPTS {
        match store_once(core, spec, records.clone()).await {
            Err(StoreError::Taken(_) | StoreError::Conflict) => {}
            outcome => return outcome,
        }
    }
    store_once(core, spec, records).await
}

async fn store_once(
    core: &Core,
    spec: &'static ResourceSpec,
    records: Vec<Checked>,
) -> Result<usize, StoreError> {
    let changes = differing(core, spec, records).await?;
    let written = changes.len();
    if written > 0 {
        core.commit(changes).await?;
    }
    Ok(written)
}

/// The changes that make the stored records of a type equal to these.
async fn differing(
    core: &Core,
    spec: &'static ResourceSpec,
    records: Vec<Checked>,
) -> Result<Vec<Change>, StoreError> {
    let scope = Scope { account: NO_ACCOUNT, spec };
    let ids = records.iter().map(|record| record.id).collect();
    let found = core.store.find_all(scope, ids).await?;
    let mut found: HashMap<Uuid, Record> = found.into_iter().map(|record| (record.id, record)).collect();
    let linked = linked_members(core, scope, &found, &records).await?;
    let dids = stock::dids_among(core, spec, &found, &records).await?;
    let now = core.clock.now();
    let mut changes = Vec::new();
    for Checked { id, attributes, links, meta } in records {
        let attributes = with_defaults(spec, now, attributes);
        let Some(before) = found.remove(&id) else {
            // A number that is a DID already must not be in stock: it could not be ordered.
            if stock::number(&attributes).is_some_and(|number| dids.contains(number)) {
                continue;
            }
            changes.push(Change::Insert { scope, id, created_at: now, attributes, links, meta });
            continue;
        };
        let meta = stock::left(core, scope, &before, meta).await?;
        let is_linked = |(relationship, ids): &(&'static str, Vec<Uuid>)| {
            linked.get(&(*relationship, before.number)).map_or(&[][..], Vec::as_slice) == ids.as_slice()
        };
        let is_same = before.attributes()? == attributes
            && meta.as_ref().is_none_or(|meta| before.meta.as_ref() == Some(meta))
            && links.iter().all(is_linked);
        if !is_same {
            changes.push(Change::Replace { scope, before, attributes, links, meta });
        }
    }
    Ok(changes)
}

/// The stored members of the relationships that records name, by relationship and the owner's number. Each relationship
/// is read once for all records, because each start compares the whole file.
async fn linked_members(
    core: &Core,
    scope: Scope,
    found: &HashMap<Uuid, Record>,
    records: &[Checked],
) -> Result<HashMap<(&'static str, i64), Vec<Uuid>>, StoreError> {
    let mut owners: BTreeMap<&'static str, Vec<i64>> = BTreeMap::new();
    for Checked { id, links, .. } in records {
        let Some(before) = found.get(id) else { continue };
        for (relationship, _) in links {
            owners.entry(*relationship).or_default().push(before.number);
        }
    }
    let mut linked: HashMap<(&'static str, i64), Vec<Uuid>> = HashMap::new();
    for (relationship, owners) in owners {
        for (owner, _, id) in core.store.members(scope, owners, relationship, usize::MAX).await? {
            linked.entry((relationship, owner)).or_default().push(id);
        }
    }
    Ok(linked)
}

#[cfg(test)]
mod tests;
