//! JSON:API documents, rendered for an API version.
//!
//! The store keeps the attributes of a record as the JSON text of the newest version. For that version, and without
//! `fields`, the text is copied into the document without being parsed. Otherwise it is parsed, converted to the
//! version and written with the selected members.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use didww_types::{PageLinks, RelationshipSpec, ResourceSpec};
use http::HeaderValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::context::RequestContext;
use super::cooperative::Work;
use super::error::ApiError;
use super::include::RecordWithLinkage;
use super::query::QueryParams;
use super::rendered::Rendering;
use trunk_store::Record;

/// Initial capacity per record, in bytes, which a document with one record rarely exceeds.
const BYTES_PER_RECORD: usize = 2048;

/// Maximum number of records of a document whose texts are kept. A longer document would evict all other texts.
const MAX_KEPT_RECORDS: usize = 200;

/// The paging of a list: the present page, and the number of records.
pub(super) struct Pages {
    /// The number of records on all pages.
    pub(super) total: u64,
    pub(super) links: PageLinks,
}

/// Renders the document of a response, with the members that the query selects.
pub(super) struct Document<'a> {
    context: &'a RequestContext<'a>,
    params: &'a QueryParams,
    /// The beginning of links, escaped for use inside a JSON string.
    base: Cow<'a, str>,
    /// A further number in the document's `meta`.
    count: Option<(&'static str, u64)>,
    text: String,
    /// Whether the texts of its resources are kept.
    keeps: bool,
    /// Whether its record was created by the request.
    is_of_new: bool,
    work: Work,
}

impl<'a> Document<'a> {
    pub(super) fn new(context: &'a RequestContext<'a>, params: &'a QueryParams) -> Self {
        let base = context.escaped_base();
        let text = String::with_capacity(BYTES_PER_RECORD);
        let work = Work::default();
        Self { context, params, base, count: None, text, keeps: true, is_of_new: false, work }
    }

    /// The document of a record with nothing else but the version, and its entity tag, if the query selects just that
    /// and it is kept.
    pub(super) fn kept(
        context: &RequestContext<'_>,
        params: &QueryParams,
        record: &Record,
    ) -> Option<(Bytes, HeaderValue)> {
        if !params.include.is_empty() || params.selected_fields(record.kind).is_some() {
            return None;
        }
        let base = context.escaped_base();
        let (version, features) = (context.version, context.account.features);
        context.rendered.document(Rendering { record, version, features, base: &base })
    }

    /// The document of a record that the request created. No text of it is kept yet, and none is kept before its first
    /// read: an import of many records would evict the texts of those that are read.
    pub(super) fn of_new(self) -> Self {
        Self { keeps: false, is_of_new: true, ..self }
    }

    /// Adds a number to the document's `meta`, if there is one.
    pub(super) fn counting(self, name: &'static str, number: Option<u64>) -> Self {
        Self { count: number.map(|number| (name, number)), ..self }
    }

    /// Renders the document of one record, or of null if `primary` is empty.
    pub(super) async fn single(
        mut self,
        primary: &[RecordWithLinkage],
        included: &[RecordWithLinkage],
    ) -> Result<String, ApiError> {
        self.text.push_str("{\"data\":");
        match primary.first() {
            Some(entry) => self.resource(entry)?,
            None => self.text.push_str("null"),
        }
        self.included(included).await?;
        self.meta(None);
        Ok(self.finish())
    }

    /// Renders a list of records: a page, or all of them.
    pub(super) async fn collection(
        mut self,
        primary: &[RecordWithLinkage],
        included: &[RecordWithLinkage],
        pages: Option<&Pages>,
    ) -> Result<String, ApiError> {
        let records = primary.len() + included.len();
        self.keeps = records <= MAX_KEPT_RECORDS;
        self.text.reserve(BYTES_PER_RECORD * records);
        self.list(primary).await?;
        self.included(included).await?;
        self.meta(pages.map(|pages| pages.total));
        if let Some(Pages { links, .. }) = pages {
            let links =
                serde_json::to_string(links).map_err(|error| ApiError::internal(error.to_string()))?;
            self.text.push_str(",\"links\":");
            self.text.push_str(&links);
        }
        Ok(self.finish_to_keep())
    }

    /// Renders a list of nothing but records, which has no `meta`.
    pub(super) async fn bare_collection(mut self, primary: &[RecordWithLinkage]) -> Result<String, ApiError> {
        self.list(primary).await?;
        Ok(self.finish_to_keep())
    }

    /// Begins the document with a list of records as its `data`.
    async fn list(&mut self, primary: &[RecordWithLinkage]) -> Result<(), ApiError> {
        self.text.push_str("{\"data\":");
        self.resources(primary).await
    }

    /// Renders a resource with only its type and id, the response to a creation that stores no record.
    pub(super) fn identifier_only(mut self, spec: &ResourceSpec, id: Uuid) -> String {
        self.text.push_str("{\"data\":");
        self.identity(spec.name_at(self.context.version), id);
        self.text.push('}');
        self.meta(None);
        self.finish()
    }

    /// Renders the linkage of a relationship.
    pub(super) fn linkage(
        mut self,
        spec: &ResourceSpec,
        owner: &Record,
        relationship: &RelationshipSpec,
        identifiers: &[(String, Uuid)],
    ) -> String {
        self.text.push_str("{\"data\":");
        self.identifiers(relationship, identifiers);
        self.text.push_str(",\"links\":");
        self.links(spec, owner, relationship.name_at(self.context.version));
        self.meta(None);
        self.finish()
    }

    async fn included(&mut self, included: &[RecordWithLinkage]) -> Result<(), ApiError> {
        if included.is_empty() {
            return Ok(());
        }
        self.text.push_str(",\"included\":");
        self.resources(included).await
    }

    async fn resources(&mut self, entries: &[RecordWithLinkage]) -> Result<(), ApiError> {
        self.text.push('[');
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.resource(entry)?;
            self.work.yield_if_due().await;
        }
        self.text.push(']');
        Ok(())
    }

    fn meta(&mut self, total: Option<u64>) {
        self.text.push_str(",\"meta\":{");
        for (name, number) in total.map(|total| ("total_records", total)).into_iter().chain(self.count) {
            for part in ["\"", name, "\":", &number.to_string(), ","] {
                self.text.push_str(part);
            }
        }
        self.text.push_str("\"api_version\":\"");
        self.text.push_str(self.context.version.as_str());
        self.text.push_str("\"}");
    }

    fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    /// As [`finish`](Self::finish), without spare capacity: a kept page occupies its whole capacity, and only the
    /// length of its text is counted.
    fn finish_to_keep(self) -> String {
        let mut text = self.finish();
        text.shrink_to_fit();
        text
    }

    fn identity(&mut self, kind: &str, id: Uuid) {
        let mut buffer = Uuid::encode_buffer();
        self.text.push_str("{\"id\":\"");
        self.text.push_str(id.hyphenated().encode_lower(&mut buffer));
        self.text.push_str("\",\"type\":\"");
        self.text.push_str(kind);
        self.text.push('"');
    }

    fn resource(&mut self, entry: &RecordWithLinkage) -> Result<(), ApiError> {
        let selected = self.params.selected_fields(entry.spec.name);
        let begin = self.text.len();
        if selected.is_some() || !entry.linkage.is_empty() {
            self.work.add_rendered();
            return self.render(entry, selected);
        }
        let RequestContext { account, version, rendered, .. } = self.context;
        let (record, version, features) = (&entry.record, *version, account.features);
        let rendering = Rendering { record, version, features, base: &self.base };
        if !self.is_of_new && rendered.copy(rendering, &mut self.text) {
            self.work.add_copied(self.text.len() - begin);
            return Ok(());
        }
        self.work.add_rendered();
        self.render(entry, None)?;
        if self.keeps {
            let text = self.text.get(begin..).unwrap_or_default();
            let is_whole = entry.spec.at_most.is_none() && self.context.rules.counted(entry.spec).is_empty();
            rendered.keep(Rendering { record, version, features, base: &self.base }, text, is_whole);
        }
        Ok(())
    }

    fn render(&mut self, entry: &RecordWithLinkage, selected: Option<&[String]>) -> Result<(), ApiError> {
        let RecordWithLinkage { record, spec, .. } = entry;
        self.identity(spec.name_at(self.context.version), record.id);
        if selected.is_none() && spec.is_canonical_at(self.context.version) {
            self.text.push_str(",\"attributes\":");
            self.text.push_str(&record.attributes);
        } else {
            self.attributes(record, spec, selected)?;
        }
        self.relationships(entry, selected);
        let unstored = || self.context.rules.unstored_meta(spec, &record.attributes);
        if spec.has_meta
            && let Some(meta) = record.meta.as_deref().or_else(unstored)
        {
            self.text.push_str(",\"meta\":");
            self.text.push_str(meta);
        }
        self.text.push('}');
        Ok(())
    }

    fn attributes(
        &mut self,
        record: &Record,
        spec: &'static ResourceSpec,
        selected: Option<&[String]>,
    ) -> Result<(), ApiError> {
        let mut attributes: Map<String, Value> = record.attributes()?;
        spec.from_canonical(self.context.version, &mut attributes);
        let mut first = true;
        for attribute in spec.attributes_at(self.context.version) {
            if !attribute.is_shown_in(self.context.version)
                || selected.is_some_and(|names| !names.iter().any(|name| name == attribute.name))
            {
                continue;
            }
            self.text.push_str(if first { ",\"attributes\":{\"" } else { ",\"" });
            first = false;
            self.text.push_str(attribute.name);
            self.text.push_str("\":");
            match attributes.get(attribute.name) {
                Some(value) => {
                    let _infallible = write!(self.text, "{value}");
                }
                None => self.text.push_str("null"),
            }
        }
        if !first {
            self.text.push('}');
        }
        Ok(())
    }

    fn relationships(&mut self, entry: &RecordWithLinkage, selected: Option<&[String]>) {
        let mut first = true;
        for relationship in self.context.relationships(entry.spec) {
            let name = relationship.name_at(self.context.version);
            if selected.is_some_and(|names| !names.iter().any(|selected| selected == name)) {
                continue;
            }
            self.text.push_str(if first { ",\"relationships\":{\"" } else { ",\"" });
            first = false;
            self.text.push_str(name);
            self.text.push_str("\":{\"links\":");
            self.links(entry.spec, &entry.record, name);
            if let Some((_, identifiers)) = entry.linkage.iter().find(|(name, _)| *name == relationship.name)
            {
                self.text.push_str(",\"data\":");
                self.identifiers(relationship, identifiers);
            }
            self.text.push('}');
        }
        if !first {
            self.text.push('}');
        }
    }

    fn links(&mut self, spec: &ResourceSpec, owner: &Record, name: &str) {
        let path = spec.path_at(self.context.version);
        let mut buffer = Uuid::encode_buffer();
        let id: &str = owner.id.hyphenated().encode_lower(&mut buffer);
        // Declared names and ids need no escaping; `base` is already escaped.
        for part in ["{\"self\":\"", &self.base, "/", path, "/", id, "/relationships/", name] {
            self.text.push_str(part);
        }
        for part in ["\",\"related\":\"", &self.base, "/", path, "/", id, "/", name, "\"}"] {
            self.text.push_str(part);
        }
    }

    fn identifiers(&mut self, relationship: &RelationshipSpec, identifiers: &[(String, Uuid)]) {
        let many = relationship.many;
        let former = relationship.former.is_some().then(|| relationship.target_at(self.context.version));
        if !many && identifiers.is_empty() {
            self.text.push_str("null");
            return;
        }
        if many {
            self.text.push('[');
        }
        for (index, (kind, id)) in identifiers.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            let mut buffer = Uuid::encode_buffer();
            self.text.push_str("{\"type\":\"");
            self.text.push_str(former.unwrap_or(kind));
            self.text.push_str("\",\"id\":\"");
            self.text.push_str(id.hyphenated().encode_lower(&mut buffer));
            self.text.push_str("\"}");
        }
        if many {
            self.text.push(']');
        }
    }
}
