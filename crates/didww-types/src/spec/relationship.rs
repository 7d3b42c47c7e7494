//! The declaration of a relationship.

use super::Access;
use crate::{ApiVersion, Feature};

/// The declaration of a relationship.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RelationshipSpec {
    /// The name on the wire.
    pub name: &'static str,
    /// The description, from the doc comment of the declaration.
    pub doc: &'static str,
    /// The type name of the related records. The registry may not contain it yet.
    pub target: &'static str,
    /// A further type that the one related record can have instead; `None` for all other relationships.
    pub or: Option<&'static str>,
    /// The name and the type of older versions; `None` if they are the same in all.
    pub former: Option<FormerName>,
    /// Whether the relationship is to-many: true for any number of records, false for at most one.
    pub many: bool,
    /// Whether a create request may, or must, contain the relationship.
    pub create: Access,
    /// Whether an update request may contain the relationship.
    pub update: bool,
    /// The first version that has the relationship.
    pub since: ApiVersion,
    /// The last version that has the relationship; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
    /// The feature without which the relationship does not exist for an account.
    pub feature: Option<Feature>,
    /// Whether no version has the relationship: filters follow it, `taken_by` and rules read it, and rules, the control
    /// API and worlds set it. It is to-many, and has the name of its type.
    pub hidden: bool,
    /// Whether only requests have the relationship: it is stored, and no answer shows it.
    pub write_only: bool,
    /// Whether a create or an update that names a member twice is refused. The member of other relationships counts
    /// once.
    pub distinct: bool,
    /// The attribute whose text identifies the related record, one of the [fixed](field@crate::ResourceSpec::fixed)
    /// ones of the target; `None` for a relationship that is stored.
    pub mirrors: Option<&'static str>,
    /// The relationship of the target whose owners are the members: nothing is stored for the relationship itself.
    /// `None` for a relationship that is stored.
    pub inverse: Option<&'static str>,
}

impl RelationshipSpec {
    /// Declares a read-only relationship that every version has.
    pub const fn of(name: &'static str, doc: &'static str, target: &'static str, many: bool) -> Self {
        Self {
            name,
            doc,
            target,
            or: None,
            former: None,
            many,
            create: Access::Never,
            update: false,
            since: ApiVersion::V2017_09_18,
            until: None,
            feature: None,
            hidden: false,
            write_only: false,
            distinct: false,
            mirrors: None,
            inverse: None,
        }
    }

    /// Sets whether a create request may, or must, contain the relationship.
    #[must_use]
    pub const fn create(mut self, access: Access) -> Self {
        self.create = access;
        self
    }

    /// Allows the relationship in update requests.
    #[must_use]
    pub const fn update(mut self) -> Self {
        self.update = true;
        self
    }

    /// Sets the first version that has the relationship.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Sets the last version that has the relationship.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion) -> Self {
        self.until = Some(version);
        self
    }

    /// Sets the name and the type of older versions.
    #[must_use]
    pub const fn formerly(mut self, former: FormerName) -> Self {
        self.former = Some(former);
        self
    }

    /// Hides the relationship in every version.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Makes the relationship one that only requests have.
    #[must_use]
    pub const fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Refuses a member that is named twice.
    #[must_use]
    pub const fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// Lets the related record have a further type.
    #[must_use]
    pub const fn or(mut self, target: &'static str) -> Self {
        self.or = Some(target);
        self
    }

    /// Makes the relationship lead to the record that the text of an attribute identifies.
    #[must_use]
    pub const fn mirrors(mut self, attribute: &'static str) -> Self {
        self.mirrors = Some(attribute);
        self
    }

    /// Makes the members those records of the target whose relationship contains the record.
    #[must_use]
    pub const fn inverse(mut self, relationship: &'static str) -> Self {
        self.inverse = Some(relationship);
        self
    }

    /// Whether the answers of a version have the relationship.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        !self.write_only && self.is_sent_in(version)
    }

    /// Whether the requests of a version can have the relationship, as far as [`create`](field@Self::create) and
    /// [`update`](field@Self::update) permit.
    pub fn is_sent_in(&self, version: ApiVersion) -> bool {
        !self.hidden && version >= self.since && self.until.is_none_or(|last| version <= last)
    }

    /// The type names that the related records can have: one, or two.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.target).chain(self.or)
    }

    /// The type names on the wire that the related records can have in a version.
    pub fn targets_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.target_at(version)).chain(self.or)
    }

    /// The name on the wire in a version.
    pub fn name_at(&self, version: ApiVersion) -> &'static str {
        self.former_at(version).map_or(self.name, |former| former.name)
    }

    /// The type name of the related records on the wire in a version.
    pub fn target_at(&self, version: ApiVersion) -> &'static str {
        self.former_at(version).map_or(self.target, |former| former.target)
    }

    pub(crate) fn former_at(&self, version: ApiVersion) -> Option<&FormerName> {
        self.former.as_ref().filter(|former| version <= former.until)
    }

    /// Sets the feature without which the relationship does not exist for an account.
    #[must_use]
    pub const fn feature(mut self, feature: Feature) -> Self {
        self.feature = Some(feature);
        self
    }
}

/// An include path through more than one relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NestedInclude {
    /// The names of the relationships, with dots between them.
    pub path: &'static str,
    /// The last version that has the path; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
}

impl NestedInclude {
    /// Declares a path that the newest version has.
    pub const fn of(path: &'static str) -> Self {
        Self { path, until: None }
    }

    /// Sets the last version that has the path.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion) -> Self {
        self.until = Some(version);
        self
    }

    /// Whether a version has the path.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        self.until.is_none_or(|last| version <= last)
    }
}

/// The names of a relationship and of the type of its records in older versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormerName {
    /// The name of the relationship up to `until`.
    pub name: &'static str,
    /// The type name of the related records.
    pub target: &'static str,
    /// The last version with these names.
    pub until: ApiVersion,
}
