//! Runs the command of a type.

use std::collections::HashMap;

use clap::ArgMatches;
use didww_client::{
    ApiVersion, Client, Document, Kind, Method, Parameters, RelationshipSpec, ResourceObject, ResourceSpec,
    TryStreamExt as _, Verb, canonical_name,
};
use serde_json::{Map, Value};

use super::arguments::argument_id;
use super::record::{IncludedRecords, all_columns, columns, row};
use super::value::{of_names, of_text};
use super::{Body, Operation, Write, body, flag, operations, query, resolve};
use crate::context::Target;
use crate::exit::{Exit, Failure};
use crate::output::{self, Format, Row};
use crate::service_error::{failure, failure_of};
use crate::terminal::{Progress, consent, note, print};
use crate::{file, mask};

/// The inputs of a command of a type.
struct Task<'a> {
    spec: &'static ResourceSpec,
    client: Client,
    version: ApiVersion,
    arguments: &'a ArgMatches,
}

/// Runs the subcommand that was given for a type.
///
/// # Errors
/// When the command line or a value is not valid, and the failures of requests.
pub(crate) async fn run(
    target: &Target,
    spec: &'static ResourceSpec,
    matches: &ArgMatches,
) -> Result<(), Failure> {
    let Some((verb, arguments)) = matches.subcommand() else { return Err(Failure::usage("no command")) };
    let client = target.client()?;
    let version = client.api_version();
    if let Some(when) = lacking(spec, verb, version) {
        return Err(Failure::usage(format!("{} {when}, and requests ask for {version}", spec.name)));
    }
    let task = Task { spec, client, version, arguments };
    match verb {
        "list" => task.list().await,
        "get" => task.get().await,
        "related" => task.related().await,
        "create" => task.create().await,
        "update" => task.update().await,
        "delete" => task.delete().await,
        name => match operations(spec).find(|operation| flag(operation.name) == name) {
            Some(operation) => task.operate(operation).await,
            None => Err(Failure::usage(format!("{} have no command {name}", spec.name))),
        },
    }
}

/// When a type, or an operation on it, exists; `None` if it does in this version.
fn lacking(spec: &ResourceSpec, verb: &str, version: ApiVersion) -> Option<String> {
    if let Some(last) = spec.until.filter(|last| version > *last) {
        return Some(format!("existed up to {last}"));
    }
    if spec.since > version {
        return Some(format!("exist since {}", spec.since));
    }
    let mut later = spec.later_verbs.iter();
    let (_, first) = later.find(|(later, first)| later.as_str() == verb && version < *first)?;
    Some(format!("have the command {verb} since {first}"))
}

impl Task<'_> {
    fn text(&self, name: &str) -> Option<&String> {
        self.arguments.try_get_one::<String>(name).ok().flatten()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let texts = self.arguments.try_get_many::<String>(name).ok().flatten();
        texts.into_iter().flatten().cloned().collect()
    }

    fn is_set(&self, name: &str) -> bool {
        self.arguments.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or_default()
    }

    fn format(&self) -> Format {
        self.arguments.try_get_one::<Format>("output").ok().flatten().copied().unwrap_or_default()
    }

    /// The path of the type's records in the version.
    fn collection(&self) -> String {
        format!("/{}", self.spec.path_at(self.version))
    }

    fn path(&self, id: &str) -> String {
        format!("{}/{}", self.collection(), didww_client::encode_component(id))
    }

    /// The id of the record that the arguments name.
    async fn record(&self) -> Result<String, Failure> {
        resolve(&self.client, self.spec, self.text("record").map_or("", String::as_str)).await
    }

    /// The row of a record in the version that served it, which is newer than the requested one if the account's is.
    fn row(&self, served: Option<ApiVersion>, record: &ResourceObject, included: &IncludedRecords) -> Row {
        let version = served.unwrap_or(self.version);
        let spec = didww_client::find(canonical_name(version, &record.kind));
        row(spec, version, record, included, self.is_set("show-secrets"))
    }

    async fn list(&self) -> Result<(), Failure> {
        let mut parameters = Parameters::default();
        query::filters(self.spec, self.version, &self.texts("filter"), &mut parameters)?;
        query::sort(self.spec, self.version, &self.texts("sort"), &mut parameters)?;
        query::include(self.spec, self.version, &self.texts("include"), &mut parameters)?;
        let columns = self.columns()?;
        let limit = self.arguments.try_get_one::<u64>("limit").ok().flatten().copied();
        let size = self.spec.max_page_size_at(self.version);
        parameters.size = Some(limit.map_or(size, |limit| limit.min(size)));
        let mut request = self.client.raw(Method::GET, &self.collection());
        for (name, value) in parameters.pairs() {
            request = request.query(&name, &value);
        }
        let rows = self.read(request.pages(), limit).await?;
        print(&output::list(&rows, &columns, self.format())?)
    }

    /// Reads the pages of a list, with progress if there is more than one.
    async fn read(
        &self,
        pages: impl didww_client::Stream<Item = Result<Document<Vec<ResourceObject>>, didww_client::Error>>
        + Unpin,
        limit: Option<u64>,
    ) -> Result<Vec<Row>, Failure> {
        let mut pages = pages;
        let mut rows = Vec::new();
        let most = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let mut progress = None;
        while let Some(page) = pages.try_next().await.map_err(|error| failure(&error))? {
            let (count, served) = (page.data.len(), page.version());
            let included = index(page.included);
            rows.extend(
                page.data.iter().take(most - rows.len()).map(|record| self.row(served, record, &included)),
            );
            let progress = progress.get_or_insert_with(|| Progress::start(self.spec.name));
            progress.of(page.meta.total_records.map(|total| limit.map_or(total, |limit| limit.min(total))));
            progress.add(count);
            if rows.len() >= most {
                break;
            }
        }
        Ok(rows)
    }

    fn columns(&self) -> Result<Vec<String>, Failure> {
        let all = all_columns(self.spec, self.version);
        let given = self.texts("columns");
        match given.as_slice() {
            [] => Ok(columns(self.spec, self.version)),
            [word] if word == "all" => Ok(all),
            _ => match given.iter().find(|name| !all.contains(name)) {
                Some(name) => Err(Failure::usage(format!("--columns {name}: known are {}", all.join(", ")))),
                None => Ok(given),
            },
        }
    }

    async fn get(&self) -> Result<(), Failure> {
        let mut parameters = Parameters::default();
        query::include(self.spec, self.version, &self.texts("include"), &mut parameters)?;
        let path = match self.spec.singleton {
            Some(_) => self.collection(),
            None => self.path(&self.record().await?),
        };
        let mut request = self.client.raw(Method::GET, &path);
        for (name, value) in parameters.pairs() {
            request = request.query(&name, &value);
        }
        let answer = request.send().await.map_err(|error| failure(&error))?;
        self.print(answer.document().map_err(|error| failure(&error))?)
    }

    fn print(&self, document: Document<ResourceObject>) -> Result<(), Failure> {
        let served = document.version();
        let included = index(document.included);
        print(&output::single(&self.row(served, &document.data, &included), self.format())?)
    }

    async fn related(&self) -> Result<(), Failure> {
        let name = self.text("relationship").map_or("", String::as_str);
        let relationship = body::relationship(self.spec, self.version, name)
            .ok_or_else(|| Failure::usage(format!("{name} does not exist in {}", self.version)))?;
        let id = self.record().await?;
        let path = format!("{}/{}", self.path(&id), relationship.name_at(self.version));
        let request = self.client.raw(Method::GET, &path);
        let (included, columns) = (HashMap::new(), self.related_columns(relationship.target));
        if relationship.many {
            let rows = self.read(request.pages(), None).await?;
            return print(&output::list(&rows, &columns, self.format())?);
        }
        let answer = request.send().await.map_err(|error| failure(&error))?;
        let found: Document<Option<ResourceObject>> = answer.document().map_err(|error| failure(&error))?;
        let served = found.version();
        match found.data {
            Some(record) => print(&output::single(&self.row(served, &record, &included), self.format())?),
            None => Err(Failure::new(Exit::NotFound, format!("the record has no {name}"))),
        }
    }

    fn related_columns(&self, target: &str) -> Vec<String> {
        let declared = didww_client::find(target).map(|spec| columns(spec, self.version));
        declared.unwrap_or_else(|| ["id", "type", "name"].map(str::to_owned).to_vec())
    }

    async fn create(&self) -> Result<(), Failure> {
        let members = self.members(Write::Create).await?;
        let body = self.body(Write::Create, &members)?;
        let kind = self.spec.name_at(self.version);
        self.send(Method::POST, self.collection(), &body.document(kind, None)).await
    }

    async fn update(&self) -> Result<(), Failure> {
        let members = self.members(Write::Update).await?;
        if members.is_empty() {
            return Err(Failure::usage("nothing to change: name a member, or a file with -f"));
        }
        let body = self.body(Write::Update, &members)?;
        let id = self.record().await?;
        let kind = self.spec.name_at(self.version);
        self.send(Method::PATCH, self.path(&id), &body.document(kind, Some(&id))).await
    }

    fn body(&self, write: Write, members: &[(String, Value)]) -> Result<Body, Failure> {
        let is_checked = !self.is_set("no-check");
        Body::build(self.spec, self.version, write, members, is_checked).map_err(|problems| {
            Failure::new(
                Exit::Invalid,
                format!("nothing was sent, because these members are not valid:\n{problems}"),
            )
        })
    }

    /// The members of the file, replaced by those of flags. The related records that flags and file name are looked
    /// up.
    async fn members(&self, write: Write) -> Result<Vec<(String, Value)>, Failure> {
        let mut members = Map::new();
        if let Some(path) = self.text("file") {
            members = file::object(path)?;
            self.leave_out_read_only(&mut members, write);
            let hidden = mask::leave_out_hidden(&mut members);
            if !hidden.is_empty() {
                let places = hidden.join(", ");
                note(&format!("not sent, because the file has {} there: {places}", mask::HIDDEN));
            }
        }
        let former = self.spec.adapter.map_or(&[][..], |adapter| adapter.attributes);
        for attribute in self.spec.attributes.iter().chain(former) {
            if let Some(text) = self.text(&argument_id(attribute.name)) {
                let value = of_text(&attribute.value_at(self.version), text);
                members.insert(attribute.name.to_owned(), value);
            }
        }
        for relationship in self.spec.relationships {
            let Some(text) = self.text(&argument_id(relationship.name)) else { continue };
            let value = match text.as_str() {
                text if relationship.many => of_names(text),
                "null" | "" => Value::Null,
                text => Value::from(text),
            };
            members.insert(relationship.name.to_owned(), value);
        }
        let mut found = Vec::with_capacity(members.len());
        for (name, value) in members {
            let value = match body::relationship(self.spec, self.version, &name) {
                // An id with its type needs no search.
                Some(relationship) if !is_typed(relationship, &value) => {
                    self.linked(relationship.target, value).await?
                }
                _ => value,
            };
            found.push((name, value));
        }
        Ok(found)
    }

    /// Removes the members that only the service sets from a record that was read before, and prints a note.
    fn leave_out_read_only(&self, members: &mut Map<String, Value>, write: Write) {
        if !members.contains_key("id") {
            return;
        }
        let mut left_out = Vec::new();
        members.retain(|name, _| {
            let attribute = body::attribute(self.spec, self.version, name);
            let is_read_only = matches!(name.as_str(), "id" | "type" | "meta")
                || attribute.is_some_and(|attribute| match write {
                    Write::Create => !attribute.create.allowed(),
                    Write::Update => !attribute.update,
                });
            if is_read_only && attribute.is_some() {
                left_out.push(name.clone());
            }
            !is_read_only
        });
        for (name, value) in members {
            let Some(attribute) = body::attribute(self.spec, self.version, name) else { continue };
            let is_variant = matches!(attribute.kind, Kind::Variant(_));
            // A value that is not valid is reported with all others.
            let Some(valid) = attribute.value_at(self.version).check(value).ok().filter(|_| is_variant)
            else {
                continue;
            };
            let sent = valid.get("attributes").and_then(Value::as_object);
            let read = value.get("attributes").and_then(Value::as_object).into_iter().flat_map(Map::keys);
            let read_only = read.filter(|member| sent.is_some_and(|sent| !sent.contains_key(*member)));
            left_out.extend(read_only.map(|member| format!("{name}.{member}")));
            *value = valid;
        }
        if !left_out.is_empty() {
            note(&format!("not sent, because only the service sets them: {}", left_out.join(", ")));
        }
    }

    /// The ids of related records that a file or flag names by ids, names, or as records.
    async fn linked(&self, target: &str, value: Value) -> Result<Value, Failure> {
        let items = match value {
            Value::Array(items) => items,
            Value::Null => return Ok(Value::Null),
            single => {
                let mut found = self.ids(target, vec![single]).await?;
                return Ok(found.pop().unwrap_or_default());
            }
        };
        Ok(Value::Array(self.ids(target, items).await?))
    }

    async fn ids(&self, target: &str, items: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let mut ids = Vec::with_capacity(items.len());
        for item in items {
            let named = item.get("id").unwrap_or(&item);
            let id = match (named.as_str(), didww_client::find(target)) {
                (Some(text), Some(spec)) => Value::from(resolve(&self.client, spec, text).await?),
                _ => named.clone(),
            };
            ids.push(id);
        }
        Ok(ids)
    }

    /// Sends a document and prints the record of the answer, or prints the document.
    async fn send(&self, method: Method, path: String, document: &Value) -> Result<(), Failure> {
        if self.is_set("dry-run") {
            return print_request(&method, &path, Some(document));
        }
        let answer = self.client.raw(method, &path).body(document).send().await;
        let answer = answer.map_err(|error| failure_of(&error, self.spec, self.version))?;
        self.print(answer.document().map_err(|error| failure(&error))?)
    }

    async fn delete(&self) -> Result<(), Failure> {
        let mut records = Vec::new();
        for name in self.texts("record") {
            records.push((resolve(&self.client, self.spec, &name).await?, name));
        }
        if self.is_set("dry-run") {
            return records
                .iter()
                .try_for_each(|(id, _)| print_request(&Method::DELETE, &self.path(id), None));
        }
        if !self.is_set("yes") {
            let names: Vec<&str> = records.iter().map(|(_, name)| name.as_str()).collect();
            consent(&format!("Delete {} of {}?", names.join(", "), self.spec.name), "--yes")?;
        }
        for (id, name) in records {
            let answer = self.client.raw(Method::DELETE, &self.path(&id)).send().await;
            answer.map_err(|error| failure_of(&error, self.spec, self.version))?;
            note(&format!("deleted {name}"));
        }
        Ok(())
    }

    async fn operate(&self, operation: Operation) -> Result<(), Failure> {
        let id = self.record().await?;
        let members = [(operation.relationship.to_owned(), Value::from(id.as_str()))];
        let body = Body::build(operation.spec, self.version, Write::Create, &members, true)
            .map_err(|problems| Failure::new(Exit::Invalid, problems.to_string()))?;
        let document = body.document(operation.spec.name_at(self.version), None);
        let path = format!("/{}", operation.spec.path_at(self.version));
        if self.is_set("dry-run") {
            return print_request(&Method::POST, &path, Some(&document));
        }
        let answer = self.client.raw(Method::POST, &path).body(&document).send().await;
        answer.map_err(|error| failure_of(&error, operation.spec, self.version))?;
        if !self.spec.has(Verb::Get) {
            return Ok(());
        }
        // The response contains only the id of the record; the changes are in the record itself.
        let answer = self.client.raw(Method::GET, &self.path(&id)).send().await;
        let answer = answer.map_err(|error| failure(&error))?;
        self.print(answer.document().map_err(|error| failure(&error))?)
    }
}

/// Whether a value is the id of a record that one of two types can have, with its type: `addresses/ID`.
fn is_typed(relationship: &RelationshipSpec, value: &Value) -> bool {
    relationship.or.is_some() && value.as_str().is_some_and(|text| text.contains('/'))
}

fn index(records: Vec<ResourceObject>) -> IncludedRecords {
    records.into_iter().map(|record| ((record.kind.clone(), record.id.clone()), record)).collect()
}

/// Prints a request that is not sent, without secrets.
fn print_request(method: &Method, path: &str, document: Option<&Value>) -> Result<(), Failure> {
    let mut text = format!("{method} {path}\n");
    if let Some(document) = document {
        let mut shown = document.clone();
        mask::hide_value("", &mut shown);
        text += &output::json(&shown)?;
    }
    print(&text)
}
