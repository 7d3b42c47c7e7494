//! Conversions between the canonical form of records and the forms of older versions.

use serde_json::{Map, Value};

use super::{AttributeSpec, ResourceSpec};
use crate::{ApiVersion, Linkage, ResourceObject};

/// Why a body in the canonical form cannot be expressed in an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRepresentable {
    /// The canonical attribute that cannot be expressed.
    pub attribute: &'static str,
    /// The reason, in words.
    pub reason: &'static str,
}

/// Conversions between the canonical form of a resource and the forms of older versions, for differences
/// other than members that an older version lacks.
#[derive(Debug, Clone, Copy)]
pub struct Adapter {
    /// The last version whose form differs. The functions of the adapter are called for it and older versions only.
    pub until: ApiVersion,
    /// The attributes that only older versions have.
    pub attributes: &'static [AttributeSpec],
    /// Converts attributes from the canonical form to that of a version. Servers use it for responses,
    /// clients for request bodies.
    pub from_canonical: fn(ApiVersion, &mut Map<String, Value>),
    /// Converts attributes from the form of a version to the canonical one. Servers use it for request
    /// bodies, clients for responses.
    pub to_canonical: fn(ApiVersion, &mut Map<String, Value>),
    /// Returns why canonical attributes cannot be expressed in a version; `None` if they can.
    pub not_representable: fn(ApiVersion, &Map<String, Value>) -> Option<NotRepresentable>,
}

impl ResourceSpec {
    /// Whether records in the form of a version must be converted to the canonical form.
    pub fn needs_conversion(&self, version: ApiVersion) -> bool {
        self.adapter_at(version).is_some() || self.renames_at(version)
    }

    /// Whether the attributes of a record in a version are those of the canonical form, unconverted and complete.
    pub fn is_canonical_at(&self, version: ApiVersion) -> bool {
        let are_complete = || self.attributes.iter().all(|attribute| attribute.exists_in(version));
        version == ApiVersion::NEWEST || (!self.needs_conversion(version) && are_complete())
    }

    /// Returns why canonical attributes cannot be expressed in a version; `None` if they can.
    pub fn not_representable(
        &self,
        version: ApiVersion,
        attributes: &Map<String, Value>,
    ) -> Option<NotRepresentable> {
        self.adapter_at(version).and_then(|adapter| (adapter.not_representable)(version, attributes))
    }

    fn renames_at(&self, version: ApiVersion) -> bool {
        self.name_at(version) != self.name
            || self.relationships.iter().any(|relationship| relationship.former_at(version).is_some())
    }

    /// Renames the relationships of a request body, and their types, to those of a version.
    pub(crate) fn rename_relationships(&self, version: ApiVersion, relationships: &mut Map<String, Value>) {
        for relationship in self.relationships {
            let Some(former) = relationship.former_at(version) else { continue };
            let Some(mut linkage) = relationships.remove(relationship.name) else { continue };
            let members = match linkage.get_mut("data") {
                Some(Value::Array(members)) => members.as_mut_slice(),
                Some(member) => std::slice::from_mut(member),
                None => &mut [],
            };
            for kind in members.iter_mut().filter_map(|member| member.get_mut("type")) {
                *kind = Value::from(former.target);
            }
            relationships.insert(former.name.to_owned(), linkage);
        }
    }

    /// Converts a record from the form of a version to the canonical form.
    pub(crate) fn record_to_canonical(&self, version: ApiVersion, record: &mut ResourceObject) {
        self.to_canonical(version, &mut record.attributes);
        if record.kind == self.name_at(version) {
            self.name.clone_into(&mut record.kind);
        }
        for relationship in self.relationships {
            let Some(former) = relationship.former_at(version) else { continue };
            let Some(mut found) = record.relationships.remove(former.name) else { continue };
            for member in found.data.iter_mut().flat_map(Linkage::members_mut) {
                relationship.target.clone_into(&mut member.kind);
            }
            record.relationships.insert(relationship.name.to_owned(), found);
        }
    }

    fn adapter_at(&self, version: ApiVersion) -> Option<&'static Adapter> {
        self.adapter.filter(|adapter| version <= adapter.until)
    }

    /// Converts attributes from the form of a version to the canonical form.
    pub fn to_canonical(&self, version: ApiVersion, attributes: &mut Map<String, Value>) {
        if let Some(adapter) = self.adapter_at(version) {
            (adapter.to_canonical)(version, attributes);
        }
    }

    /// Converts attributes from the canonical form to that of a version.
    pub fn from_canonical(&self, version: ApiVersion, attributes: &mut Map<String, Value>) {
        if let Some(adapter) = self.adapter_at(version) {
            (adapter.from_canonical)(version, attributes);
        }
    }
}
