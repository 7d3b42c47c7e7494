//! The differences between a declaration and the service's records.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::iter;

use didww_client::{ApiVersion, AttributeSpec, RelationshipSpec, ResourceSpec, Verb, find};
use serde_json::{Map, Value};

use super::action::{Action, Change, Operation, Request};
use super::begun::Begun;
use super::clients::Clients;
use super::declaration::{Declaration, Entry, invalid};
use super::existing::{Existing, FEW, Ids, Records, Selection, can_be_named};
use super::links::{is_fixed, linked_ids, relationship_at};
use super::mark::{ATTRIBUTE, Mark, Owner, never_found};
use super::mirror::leave_out_mirrors;
use super::platform;
use super::projection::Projection;
use super::prune::{can_prune, with_marks};
use super::unchanged::{Comparison, Pair, has_what_is_sent};
use crate::exit::Failure;
use crate::resource::{Body, Handle, Write, is_id};

/// The actions that change the service's records to match a declaration.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The owner of the declaration.
    pub owner: Option<Owner>,
    /// The requested version of the API.
    pub version: ApiVersion,
    /// The requests, in the order of types and names.
    pub actions: Vec<Action>,
    /// The number of declared records that need no change.
    pub unchanged: usize,
    /// The number of existing records that the declaration applies to, by type.
    pub existing: BTreeMap<&'static str, usize>,
    /// Records that carry the owner's mark and are not declared, as type and name. They are deleted with `--prune`
    /// alone.
    pub orphans: Vec<(&'static str, String)>,
    /// Further notes for the user, in sentences.
    pub notes: Vec<String>,
}

/// Compares a declaration with the service's records.
///
/// # Errors
/// When a declared value is not valid, when deletions were requested of records that cannot be known to be the owner's,
/// and the failures of requests.
pub async fn plan(clients: &Clients, declaration: &Declaration, prune: bool) -> Result<Plan, Failure> {
    plan_with(clients, declaration, prune, None).await
}

/// The same with records of which the reading was begun by one of these clients.
pub(crate) async fn plan_with(
    clients: &Clients,
    declaration: &Declaration,
    prune: bool,
    mut begun: Option<Begun>,
) -> Result<Plan, Failure> {
    let version = clients.version();
    let mut plan = Plan {
        owner: declaration.owner.clone(),
        version,
        actions: Vec::new(),
        unchanged: 0,
        existing: BTreeMap::new(),
        orphans: Vec::new(),
        notes: Vec::new(),
    };
    let mut types: BTreeMap<&'static str, Vec<&Entry>> = BTreeMap::new();
    for entry in &declaration.entries {
        types.entry(entry.spec.name).or_default().push(entry);
    }
    if prune {
        can_prune(declaration, version)?;
    }
    if declaration.owner.is_some() {
        // Also records of a type of which none is declared any more.
        for spec in with_marks(version) {
            types.entry(spec.name).or_default();
        }
    }
    let ids = linked_ids(clients, declaration).await?;
    let mut names: HashMap<&str, &str> = HashMap::with_capacity(ids.len());
    for ((_, key), id) in &ids {
        // A declared record has two names if that in the file is another one.
        let key = key.as_str();
        names.entry(id.as_str()).and_modify(|known| *known = (*known).min(key)).or_insert(key);
    }
    let mut problems = Vec::new();
    for (name, entries) in types {
        let Some(spec) = find(name) else { continue };
        let members = entries.iter().flat_map(|entry| entry.members.keys().map(String::as_str));
        let needed = Projection::of(spec, version, members);
        let selection = selection(declaration, spec, version, &entries);
        let relationships = relationships(spec, version, &entries);
        let read = match begun.take_if(|begun| begun.is_of(spec)) {
            Some(begun) => begun.records(&selection, &relationships, needed.as_ref()).await,
            None => None,
        };
        let records = match read {
            Some(records) => records,
            None if entries.is_empty() => {
                let client = clients.didww()?;
                let read = Records::read_if_enabled(client, spec, &selection, &relationships, needed).await?;
                // None is declared, and the account has none that was.
                let Some(records) = read else { continue };
                records
            }
            None => Records::read(clients.didww()?, spec, &selection, &relationships, needed).await?,
        };
        let of_type = OfType {
            spec,
            version: records.version,
            attributes: spec.attributes_at(records.version),
            owner: declaration.owner.as_ref(),
            records: &records,
            ids: &ids,
            names: &names,
        };
        of_type.compare(&entries, prune, &mut plan, &mut problems);
        plan.version = records.version;
    }
    if !declaration.platform.is_empty() {
        platform::compare(clients.platform()?, &declaration.platform, &mut plan, &mut problems).await?;
    }
    if !problems.is_empty() {
        return Err(invalid(&problems));
    }
    leave_out_mirrors(&mut plan.actions, plan.version);
    Ok(plan)
}

/// Reads all records where marks may be found, else only those with declared names if the service can select them.
fn selection(
    declaration: &Declaration,
    spec: &'static ResourceSpec,
    version: ApiVersion,
    entries: &[&Entry],
) -> Selection {
    let has_marks = declaration.owner.is_some() && Mark::attribute(spec, version).is_some();
    if has_marks || entries.len() > FEW {
        return Selection::All;
    }
    let mut keys: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    keys.extend(entries.iter().filter_map(|entry| entry.other_name(version)).map(str::to_owned));
    if can_be_named(spec, version, &keys) { Selection::Named(keys) } else { Selection::All }
}

/// The relationships that entries declare.
fn relationships(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    entries: &[&Entry],
) -> BTreeSet<&'static str> {
    let names = entries.iter().flat_map(|entry| entry.members.keys());
    let declared = names.filter_map(|name| relationship_at(spec, version, name));
    declared.map(|relationship| relationship.name).collect()
}

/// The comparison of one type.
struct OfType<'a> {
    spec: &'static ResourceSpec,
    version: ApiVersion,
    /// The attributes of the version.
    attributes: Vec<&'static AttributeSpec>,
    owner: Option<&'a Owner>,
    records: &'a Records,
    ids: &'a Ids,
    /// The names of related records by their ids.
    names: &'a HashMap<&'a str, &'a str>,
}

/// Records by their names and ids: the first one of each, and others that have the same.
type Index<'a> = HashMap<&'a str, (&'a Existing, Vec<&'a Existing>)>;

impl<'a> OfType<'a> {
    fn compare(&self, entries: &[&Entry], prune: bool, plan: &mut Plan, problems: &mut Vec<String>) {
        let marked = match self.owner.map(|owner| self.records.marked(owner)).transpose() {
            Ok(marked) => marked.unwrap_or_default(),
            Err(problem) => return problems.push(problem),
        };
        let index = self.index();
        let mut taken: HashSet<&str> = HashSet::with_capacity(entries.len());
        let mut found: HashMap<&str, &Existing> = HashMap::with_capacity(entries.len());
        for entry in entries {
            if let Some(existing) = marked.get(entry.key.as_str()) {
                taken.insert(&existing.record.id);
                found.insert(&entry.key, existing);
            }
        }
        // First by the names in the file. A record that was made or changed so has the name that its entry declares.
        for is_declared in [false, true] {
            for entry in entries {
                if found.contains_key(entry.key.as_str()) {
                    continue;
                }
                let key = if is_declared { entry.other_name(self.version) } else { Some(entry.key.as_str()) };
                match key.map_or(Ok(None), |key| self.named(&index, key, &taken)) {
                    Ok(Some(existing)) => {
                        taken.insert(&existing.record.id);
                        found.insert(&entry.key, existing);
                    }
                    Ok(None) => {}
                    Err(problem) => problems.push(problem),
                }
            }
        }
        let pairs: Vec<Pair<'_>> =
            entries.iter().map(|entry| (*entry, found.get(entry.key.as_str()).copied())).collect();
        let of = Comparison { spec: self.spec, version: self.version, owner: self.owner, ids: self.ids };
        for ((entry, existing), is_unchanged) in pairs.iter().zip(of.unchanged(&pairs)) {
            if is_unchanged {
                plan.unchanged += 1;
                continue;
            }
            let action = match existing {
                Some(existing) => self.update(entry, existing, &mut plan.notes),
                None => self.create(entry).map(Some),
            };
            match action {
                Ok(Some(action)) => plan.actions.push(action),
                Ok(None) => plan.unchanged += 1,
                Err(problem) => problems.push(problem),
            }
        }
        let orphans: Vec<(&str, &Existing)> =
            marked.into_iter().filter(|(_, existing)| !taken.contains(existing.record.id.as_str())).collect();
        plan.existing.insert(self.spec.name, found.len() + orphans.len());
        for (key, existing) in orphans {
            if prune && self.spec.has(Verb::Delete) {
                plan.actions.push(self.delete(key, existing));
            } else {
                plan.orphans.push((self.spec.name, key.to_owned()));
            }
        }
    }

    /// The records by their names, and by their ids.
    fn index(&self) -> Index<'a> {
        let (handle, records) = (Handle::of(self.spec, self.version), self.records);
        let mut index: Index<'a> = HashMap::with_capacity(2 * records.listed.len());
        for existing in &records.listed {
            let name = handle.and_then(|handle| handle.value(&existing.record));
            for key in name.into_iter().chain([existing.record.id.as_str()]) {
                match index.entry(key) {
                    Slot::Occupied(mut same) => same.get_mut().1.push(existing),
                    Slot::Vacant(free) => {
                        free.insert((existing, Vec::new()));
                    }
                }
            }
        }
        index
    }

    /// The record of a name, number or id that no other entry has.
    fn named(
        &self,
        index: &Index<'a>,
        key: &str,
        taken: &HashSet<&str>,
    ) -> Result<Option<&'a Existing>, String> {
        let meant = index.get(key).into_iter();
        let meant = meant.flat_map(|(first, others)| iter::once(*first).chain(others.iter().copied()));
        let mut free = meant.filter(|existing| !taken.contains(existing.record.id.as_str()));
        match (free.next(), free.next()) {
            (Some(_), Some(_)) => Err(format!(
                "  {}.{key}: several records have this name: declare them by their ids",
                self.spec.name
            )),
            (found, _) => Ok(found),
        }
    }

    fn create(&self, entry: &Entry) -> Result<Action, String> {
        let place = format!("{}.{}", self.spec.name, entry.key);
        if !self.spec.has(Verb::Create) || is_id(&entry.key) {
            return Err(format!(
                "  {place}: there is no such record, and the service creates none of this name"
            ));
        }
        let mut members = self.with_ids(entry)?;
        if let Some(handle) =
            Handle::of(self.spec, self.version).filter(|handle| handle.attribute.create.allowed())
        {
            members.entry(handle.attribute.name).or_insert_with(|| Value::from(entry.key.as_str()));
        }
        if let Some(mark) = self.mark(entry) {
            members.insert(ATTRIBUTE.to_owned(), mark.reference(&place, self.spec, self.version)?);
        } else if Handle::of(self.spec, self.version).is_none() {
            return Err(never_found(&place, self.spec, self.version));
        }
        let body = self.body(&place, Write::Create, &members)?;
        let mut changes = Vec::new();
        for (name, value) in &body.attributes {
            changes.push(Change { member: name.clone(), before: None, after: self.normal(name, value) });
        }
        for name in members.keys().filter(|name| self.relationship(name).is_some()) {
            let after = self.shown(members.get(name).unwrap_or(&Value::Null));
            changes.push(Change { member: name.clone(), before: None, after });
        }
        Ok(self.action(Operation::Create, &entry.key, None, changes, body))
    }

    fn update(
        &self,
        entry: &Entry,
        existing: &Existing,
        notes: &mut Vec<String>,
    ) -> Result<Option<Action>, String> {
        let place = format!("{}.{}", self.spec.name, entry.key);
        let mut members = self.with_ids(entry)?;
        let handle = Handle::of(self.spec, self.version).filter(|handle| handle.attribute.update);
        if let Some(handle) = handle.filter(|_| !is_id(&entry.key)) {
            members.entry(handle.attribute.name).or_insert_with(|| Value::from(entry.key.as_str()));
        }
        if let (Some(owner), Some(other)) = (self.owner, &existing.mark)
            && other.owner != *owner
        {
            let owner = other.owner.as_str();
            return Err(format!("  {place}: the record belongs to {owner}: its mark is {other}"));
        }
        if let Some(mark) = self.mark(entry) {
            if let Some(reference) = existing.own_reference() {
                notes.push(format!(
                    "{place} keeps its {ATTRIBUTE} `{reference}` and gets no mark: --prune never deletes it"
                ));
            } else {
                let reference = mark.reference(&place, self.spec, self.version)?;
                members.insert(ATTRIBUTE.to_owned(), reference);
            }
        }
        // Members that can only be set in a new record are compared, and refused only if they differ.
        members.retain(|name, value| {
            !(is_fixed(self.spec, self.version, name) && self.is_as_created(name, value, existing))
        });
        let whole = self.body(&place, Write::Update, &members)?;
        let mut sent = Body::default();
        let mut changes = Vec::new();
        for (name, value) in whole.attributes {
            if !self.is_same(&name, &value, existing) {
                let before = existing
                    .record
                    .attributes
                    .get(&name)
                    .map_or(Value::Null, |value| self.normal(&name, value));
                changes.push(Change {
                    member: name.clone(),
                    before: Some(before),
                    after: self.normal(&name, &value),
                });
                sent.attributes.insert(name, value);
            }
        }
        for (name, value) in &members {
            let Some(relationship) = self.relationship(name) else { continue };
            let before = existing.linked(self.spec, name, self.version).unwrap_or_default();
            let after: BTreeSet<String> = texts(value).map(str::to_owned).collect();
            if before != after {
                let before = self.shown(&before.into_iter().map(Value::from).collect());
                changes.push(Change { member: name.clone(), before: Some(before), after: self.shown(value) });
                let name = relationship.name_at(self.version);
                let linkage = whole.relationships.get(name).cloned().unwrap_or_default();
                sent.relationships.insert(name.to_owned(), linkage);
            }
        }
        let action = self.action(Operation::Update, &entry.key, Some(existing), changes, sent);
        Ok((!action.changes.is_empty()).then_some(action))
    }

    fn delete(&self, key: &str, existing: &Existing) -> Action {
        self.action(Operation::Delete, key, Some(existing), Vec::new(), Body::default())
    }

    fn action(
        &self,
        operation: Operation,
        key: &str,
        existing: Option<&Existing>,
        changes: Vec<Change>,
        body: Body,
    ) -> Action {
        Action {
            operation,
            kind: self.spec.name,
            key: key.to_owned(),
            id: existing.map(|existing| existing.record.id.clone()),
            changes,
            request: Request::Record { spec: self.spec, body },
        }
    }

    /// The mark of an entry, if its type holds marks and the file sets no reference of its own.
    fn mark(&self, entry: &Entry) -> Option<Mark> {
        let owner = self.owner.filter(|_| !entry.members.contains_key(ATTRIBUTE))?.clone();
        Mark::attribute(self.spec, self.version)?;
        Some(Mark { owner, key: entry.key.clone() })
    }

    /// The members with ids in place of the names of related records.
    fn with_ids(&self, entry: &Entry) -> Result<Map<String, Value>, String> {
        let mut members = entry.members.clone();
        for (name, value) in &mut members {
            let Some(relationship) = self.relationship(name) else { continue };
            let items = match value {
                Value::Array(items) => items.as_mut_slice(),
                single => std::slice::from_mut(single),
            };
            for item in items {
                let Some(text) = item.as_str().filter(|text| !is_id(text)) else { continue };
                let id = self.ids.get(&(relationship.target, text.to_owned()));
                let id = id.ok_or_else(|| {
                    let place = format!("{}.{}.{name}", self.spec.name, entry.key);
                    format!("  {place}: there is no record of {} called `{text}`", relationship.target)
                })?;
                *item = Value::from(id.as_str());
            }
        }
        Ok(members)
    }

    fn relationship(&self, name: &str) -> Option<&'static RelationshipSpec> {
        relationship_at(self.spec, self.version, name)
    }

    fn body(&self, place: &str, write: Write, members: &Map<String, Value>) -> Result<Body, String> {
        let members: Vec<(String, Value)> =
            members.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Body::build(self.spec, self.version, write, &members, true).map_err(|problems| {
            let problems: Vec<String> =
                problems.to_string().lines().map(|line| format!("  {line}")).collect();
            format!("  {place}:\n{}", problems.join("\n"))
        })
    }

    fn normal(&self, name: &str, value: &Value) -> Value {
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name);
        attribute.map_or_else(|| value.clone(), |attribute| attribute.normal(self.version, value))
    }

    fn is_same(&self, name: &str, value: &Value, existing: &Existing) -> bool {
        let stored = existing.record.attributes.get(name).unwrap_or(&Value::Null);
        if self.spec.attribute(name).is_some_and(|attribute| attribute.merged) {
            return has_what_is_sent(value, stored, &self.normal(name, value));
        }
        self.normal(name, value) == self.normal(name, stored)
    }

    /// Whether a record has the value of a member that was set when it was created. True where no answer shows it.
    fn is_as_created(&self, name: &str, value: &Value, existing: &Existing) -> bool {
        if self.relationship(name).is_none() {
            let is_hidden = self.spec.attribute(name).is_some_and(|attribute| attribute.write_only);
            return is_hidden || self.is_same(name, value, existing);
        }
        let before = existing.linked(self.spec, name, self.version);
        let after: BTreeSet<String> = texts(value).map(str::to_owned).collect();
        before.is_none_or(|before| before == after)
    }

    /// The names of related records where they are known, in place of their ids.
    fn shown(&self, value: &Value) -> Value {
        let name = |id: &str| self.names.get(id).map_or_else(|| id.to_owned(), |key| (*key).to_owned());
        let mut names: Vec<String> = texts(value).map(name).collect();
        names.sort();
        names.into_iter().map(Value::from).collect()
    }
}

/// The texts of a list, or the one of a text.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().filter_map(Value::as_str)
}
