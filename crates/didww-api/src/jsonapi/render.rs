//! Documents, written for a version.
//!
//! Attributes are stored as they are answered, so the newest version's records are copied into the document
//! without being parsed. Everything else is the same text with other members.

use didww_types::{ApiVersion, PageLinks, ResourceSpec};
use serde_json::{Map, Value};
use trunk_rules::domain::initial_meta;
use uuid::Uuid;

use super::include::Shown;
use super::pace::pause;
use super::{Call, Refused, View};
use trunk_store::Record;

/// Bytes that a document with one record seldom exceeds.
const ROOM: usize = 2048;

/// A document in the making.
pub(super) struct Document<'a> {
    call: &'a Call<'a>,
    view: &'a View,
    /// What links begin with, as it stands inside a JSON string.
    base: String,
    text: String,
}

impl<'a> Document<'a> {
    pub(super) fn new(call: &'a Call<'a>, view: &'a View) -> Self {
        let quoted = Value::String(call.base.clone()).to_string();
        let base = quoted.trim_matches('"').to_owned();
        Self { call, view, base, text: String::with_capacity(ROOM) }
    }

    /// One record.
    pub(super) async fn single(mut self, primary: &[Shown], included: &[Shown]) -> Result<String, Refused> {
        self.text.push_str("{\"data\":");
        match primary.first() {
            Some(shown) => self.resource(shown)?,
            None => self.text.push_str("null"),
        }
        self.included(included).await?;
        self.meta(None);
        Ok(self.finish())
    }

    /// A page of records.
    pub(super) async fn collection(
        mut self,
        primary: &[Shown],
        included: &[Shown],
        total: u64,
        links: &PageLinks,
    ) -> Result<String, Refused> {
        self.text.reserve(ROOM * (primary.len() + included.len()));
        self.text.push_str("{\"data\":[");
        for (place, shown) in primary.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            self.resource(shown)?;
            pause(place).await;
        }
        self.text.push(']');
        self.included(included).await?;
        self.meta(Some(total));
        self.text.push_str(",\"links\":");
        self.text
            .push_str(&serde_json::to_string(links).map_err(|error| Refused::internal(error.to_string()))?);
        Ok(self.finish())
    }

    /// An act that leaves nothing but an id.
    pub(super) fn bare(mut self, spec: &ResourceSpec, id: Uuid) -> String {
        self.text.push_str("{\"data\":");
        self.identity(spec.name, id);
        self.text.push('}');
        self.meta(None);
        self.finish()
    }

    /// The identifiers that a relationship leads to.
    pub(super) fn linkage(
        mut self,
        owner: &Record,
        name: &str,
        many: bool,
        members: &[(String, Uuid)],
    ) -> String {
        self.text.push_str("{\"data\":");
        self.identifiers(many, members);
        self.text.push_str(",\"links\":");
        self.links(owner, name);
        self.meta(None);
        self.finish()
    }

    async fn included(&mut self, included: &[Shown]) -> Result<(), Refused> {
        if included.is_empty() {
            return Ok(());
        }
        self.text.push_str(",\"included\":[");
        for (place, shown) in included.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            self.resource(shown)?;
            pause(place).await;
        }
        self.text.push(']');
        Ok(())
    }

    fn meta(&mut self, total: Option<u64>) {
        self.text.push_str(",\"meta\":{");
        if let Some(total) = total {
            self.text.push_str("\"total_records\":");
            self.text.push_str(&total.to_string());
            self.text.push(',');
        }
        self.text.push_str("\"api_version\":\"");
        self.text.push_str(self.call.version.as_str());
        self.text.push_str("\"}");
    }

    fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn identity(&mut self, kind: &str, id: Uuid) {
        let mut buffer = Uuid::encode_buffer();
        self.text.push_str("{\"id\":\"");
        self.text.push_str(id.hyphenated().encode_lower(&mut buffer));
        self.text.push_str("\",\"type\":\"");
        self.text.push_str(kind);
        self.text.push('"');
    }

    fn resource(&mut self, shown: &Shown) -> Result<(), Refused> {
        let Shown { record, spec, .. } = shown;
        self.identity(spec.name, record.id);
        let chosen = self.view.chosen(spec.name);
        if chosen.is_none() && self.call.version == ApiVersion::NEWEST {
            self.text.push_str(",\"attributes\":");
            self.text.push_str(&record.attributes);
        } else {
            self.attributes(record, spec, chosen)?;
        }
        self.relationships(shown, chosen);
        if spec.has_meta {
            self.text.push_str(",\"meta\":");
            self.text.push_str(record.meta.as_deref().or_else(|| initial_meta(spec.name)).unwrap_or("{}"));
        }
        self.text.push('}');
        Ok(())
    }

    fn attributes(
        &mut self,
        record: &Record,
        spec: &'static ResourceSpec,
        chosen: Option<&[String]>,
    ) -> Result<(), Refused> {
        let mut attributes: Map<String, Value> = record.attributes()?;
        spec.lower(self.call.version, &mut attributes);
        let mut first = true;
        for attribute in spec.attributes_at(self.call.version) {
            if chosen.is_some_and(|names| !names.iter().any(|name| name == attribute.name)) {
                continue;
            }
            self.text.push_str(if first { ",\"attributes\":{\"" } else { ",\"" });
            first = false;
            self.text.push_str(attribute.name);
            self.text.push_str("\":");
            match attributes.get(attribute.name) {
                Some(value) => self.text.push_str(&value.to_string()),
                None => self.text.push_str("null"),
            }
        }
        if !first {
            self.text.push('}');
        }
        Ok(())
    }

    fn relationships(&mut self, shown: &Shown, chosen: Option<&[String]>) {
        let mut first = true;
        for relationship in self.call.relationships(shown.spec) {
            if chosen.is_some_and(|names| !names.iter().any(|name| name == relationship.name)) {
                continue;
            }
            self.text.push_str(if first { ",\"relationships\":{\"" } else { ",\"" });
            first = false;
            self.text.push_str(relationship.name);
            self.text.push_str("\":{\"links\":");
            self.links(&shown.record, relationship.name);
            if let Some((_, members)) = shown.members.iter().find(|(name, _)| *name == relationship.name) {
                self.text.push_str(",\"data\":");
                self.identifiers(relationship.many, members);
            }
            self.text.push('}');
        }
        if !first {
            self.text.push('}');
        }
    }

    fn links(&mut self, owner: &Record, name: &str) {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = owner.id.hyphenated().encode_lower(&mut buffer);
        // Declared names and ids need no escapes, and the base has them.
        for part in ["{\"self\":\"", &self.base, "/", owner.kind, "/", id, "/relationships/", name] {
            self.text.push_str(part);
        }
        for part in ["\",\"related\":\"", &self.base, "/", owner.kind, "/", id, "/", name, "\"}"] {
            self.text.push_str(part);
        }
    }

    fn identifiers(&mut self, many: bool, members: &[(String, Uuid)]) {
        if !many && members.is_empty() {
            self.text.push_str("null");
            return;
        }
        if many {
            self.text.push('[');
        }
        for (place, (kind, id)) in members.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            let mut buffer = Uuid::encode_buffer();
            self.text.push_str("{\"type\":\"");
            self.text.push_str(kind);
            self.text.push_str("\",\"id\":\"");
            self.text.push_str(id.hyphenated().encode_lower(&mut buffer));
            self.text.push_str("\"}");
        }
        if many {
            self.text.push(']');
        }
    }
}
