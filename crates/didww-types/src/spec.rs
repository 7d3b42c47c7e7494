//! The declaration of a resource as data, for programs that serve the API or describe it.

use serde_json::{Map, Value};

use crate::path::{follow, related_attribute};
use crate::{ApiVersion, Feature, Flaw, Kind, REGISTRY};

/// An operation on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// GET of the collection.
    List,
    /// GET of a record.
    Get,
    /// POST to the collection.
    Create,
    /// PATCH of a record. PUT has the same effect.
    Update,
    /// DELETE of a record.
    Delete,
}

impl Verb {
    /// The verb's name in lower case, such as `list`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Whether the body of a create request may, or must, contain a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A body with the member is refused.
    Never,
    /// The body may contain the member.
    Optional,
    /// A body without the member, or with null, is refused.
    Required,
}

impl Access {
    /// Whether the body may contain the member.
    pub const fn allowed(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// The value of an attribute that a create request leaves out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text, also of enumerations and decimals.
    Text(&'static str),
    /// The empty list.
    EmptyList,
}

impl DefaultValue {
    /// The value as JSON.
    pub fn to_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(flag) => Value::Bool(flag),
            Self::Integer(number) => Value::from(number),
            Self::Text(text) => Value::String(text.to_owned()),
            Self::EmptyList => Value::Array(Vec::new()),
        }
    }
}

/// One part of an attribute that the service computes: the sum of an attribute over the records that refer to the record.
/// A part of a type that the registry does not contain yet is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// The type name of the records that are summed.
    pub of: &'static str,
    /// Their relationship that contains the record.
    pub through: &'static str,
    /// Their attribute, a whole number.
    pub attribute: &'static str,
}

/// The declaration of an attribute.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AttributeSpec {
    /// The name on the wire.
    pub name: &'static str,
    /// The description, from the doc comment of the declaration.
    pub doc: &'static str,
    /// The kind of the value, with its limits.
    pub kind: Kind,
    /// Whether null is a valid value.
    pub nullable: bool,
    /// Whether a create request may, or must, contain the attribute.
    pub create: Access,
    /// Whether an update request may contain the attribute.
    pub update: bool,
    /// The first version that has the attribute.
    pub since: ApiVersion,
    /// The last version that has the attribute; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
    /// For an attribute of older versions only: the canonical attribute before which responses write it. Else
    /// empty.
    pub before: &'static str,
    /// The value of a create request that leaves the attribute out; `None` if there is no default.
    pub default: Option<DefaultValue>,
    /// Whether the value must be unique among the records of an account.
    pub unique: bool,
    /// Whether the value must be unique among the records of all accounts; null values are exempt.
    pub unique_everywhere: bool,
    /// Whether a list can be sorted by the attribute.
    pub sort: bool,
    /// What the value is the sum of. The store keeps it up to date; empty for a value that is stored as it was written.
    pub sums: &'static [Sum],
    /// The strict validation of a value that a client sent: [`Attribute::validate`](crate::Attribute::validate).
    pub validate: fn(&Value) -> Result<Value, Vec<Flaw>>,
}

impl AttributeSpec {
    /// Declares a read-only attribute of type `T` that every version has.
    pub const fn of<T: crate::Attribute>(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            doc,
            kind: T::KIND,
            nullable: T::NULLABLE,
            create: Access::Never,
            update: false,
            since: ApiVersion::V2017_09_18,
            until: None,
            before: "",
            default: if T::NULLABLE { Some(DefaultValue::Null) } else { None },
            unique: false,
            unique_everywhere: false,
            sort: false,
            sums: &[],
            validate: T::validate,
        }
    }

    /// Sets whether a create request may, or must, contain the attribute.
    #[must_use]
    pub const fn create(mut self, access: Access) -> Self {
        self.create = access;
        self
    }

    /// Allows the attribute in update requests.
    #[must_use]
    pub const fn update(mut self) -> Self {
        self.update = true;
        self
    }

    /// Sets the first version that has the attribute.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Sets the last version that has the attribute, and the canonical attribute before which responses write
    /// it.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion, before: &'static str) -> Self {
        self.until = Some(version);
        self.before = before;
        self
    }

    /// Sets the value of a create request that leaves the attribute out.
    #[must_use]
    pub const fn default(mut self, value: DefaultValue) -> Self {
        self.default = Some(value);
        self
    }

    /// Requires the value to be unique within an account.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Requires the value to be unique among the records of all accounts.
    #[must_use]
    pub const fn unique_everywhere(mut self) -> Self {
        self.unique_everywhere = true;
        self
    }

    /// Makes the value a sum over the records that refer to the record.
    #[must_use]
    pub const fn sums(mut self, sums: &'static [Sum]) -> Self {
        self.sums = sums;
        self
    }

    /// Allows sorting a list by the attribute.
    #[must_use]
    pub const fn sort(mut self) -> Self {
        self.sort = true;
        self
    }

    /// Whether a version has the attribute.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        version >= self.since && self.until.is_none_or(|last| version <= last)
    }
}

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
    /// Whether the relationship is to-many: true for any number of records, false for at most one.
    pub many: bool,
    /// Whether a create request may, or must, contain the relationship.
    pub create: Access,
    /// Whether an update request may contain the relationship.
    pub update: bool,
    /// The first version that has the relationship.
    pub since: ApiVersion,
    /// The feature without which the relationship does not exist for an account.
    pub feature: Option<Feature>,
}

impl RelationshipSpec {
    /// Declares a read-only relationship that every version has.
    pub const fn of(name: &'static str, doc: &'static str, target: &'static str, many: bool) -> Self {
        Self {
            name,
            doc,
            target,
            many,
            create: Access::Never,
            update: false,
            since: ApiVersion::V2017_09_18,
            feature: None,
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

    /// Sets the feature without which the relationship does not exist for an account.
    #[must_use]
    pub const fn feature(mut self, feature: Feature) -> Self {
        self.feature = Some(feature);
        self
    }
}

/// The condition that a filter tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterTest {
    /// The record's id equals the value.
    Id,
    /// The attribute at this dotted path equals the value.
    Equals(&'static str),
    /// The attribute of this name contains the value.
    Contains(&'static str),
    /// A record at the end of this dotted path of relationships has the value as id. An absent relationship
    /// has no members.
    Linked(&'static str),
    /// A record at the end of this dotted path of relationships has the attribute that the path's last name
    /// names, and it equals the value. If the attribute is a list, one of its items does.
    Related(&'static str),
    /// Whether the first attribute is greater than the second one equals the value.
    Exceeds(&'static str, &'static str),
}

/// The declaration of a filter of a resource's list.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FilterSpec {
    /// The name on the wire, the text inside `filter[...]`.
    pub name: &'static str,
    /// The condition that the filter tests.
    pub test: FilterTest,
    /// The kind of the filter's values.
    pub kind: Kind,
    /// Whether the filter accepts several values, separated by commas, of which one must match.
    pub list: bool,
    /// Whether an empty value matches null and empty values.
    pub blank: bool,
    /// The first version that has the filter.
    pub since: ApiVersion,
    /// Whether the filter only exists for old programs. The SDK does not offer it.
    pub legacy: bool,
}

impl FilterSpec {
    /// Declares a filter that accepts one value and that every version has.
    pub const fn of(name: &'static str, test: FilterTest, kind: Kind) -> Self {
        Self { name, test, kind, list: false, blank: false, since: ApiVersion::V2017_09_18, legacy: false }
    }

    /// Accepts several values, separated by commas, of which one must match.
    #[must_use]
    pub const fn list(mut self) -> Self {
        self.list = true;
        self
    }

    /// Makes an empty value match null and empty values.
    #[must_use]
    pub const fn blank(mut self) -> Self {
        self.blank = true;
        self
    }

    /// Sets the first version that has the filter.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Marks a filter that only exists for old programs. The SDK does not offer it.
    #[must_use]
    pub const fn legacy(mut self) -> Self {
        self.legacy = true;
        self
    }
}

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

/// The declaration of a resource.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ResourceSpec {
    /// The plural type name on the wire, which is also the path below `/v3`.
    pub name: &'static str,
    /// The description, from the doc comment of the declaration.
    pub doc: &'static str,
    /// The first version that has the resource.
    pub since: ApiVersion,
    /// The operations of the resource.
    pub verbs: &'static [Verb],
    /// The attributes, in the order of the canonical form.
    pub attributes: &'static [AttributeSpec],
    /// The relationships, in the order of responses.
    pub relationships: &'static [RelationshipSpec],
    /// The filters of the resource's list, sorted by name.
    pub filters: &'static [FilterSpec],
    /// The include paths through more than one relationship that DIDWW documents, also through types that the
    /// registry does not contain yet.
    pub nested_includes: &'static [&'static str],
    /// Whether the records belong to no account: every account reads the same ones, and none can write them.
    pub global: bool,
    /// Whether each record has a `meta` member.
    pub has_meta: bool,
    /// The feature without which an account's list request is refused.
    pub list_needs: Option<Feature>,
    /// The feature without which every request of an account is refused, and the first version that refuses it.
    pub needs: Option<(Feature, ApiVersion)>,
    /// The conversions to and from older versions; `None` if they only lack members.
    pub adapter: Option<&'static Adapter>,
}

impl ResourceSpec {
    /// Declares a resource of which nothing but its name is known. The derive adds the rest.
    pub const fn of(name: &'static str, doc: &'static str, since: ApiVersion) -> Self {
        Self {
            name,
            doc,
            since,
            verbs: &[],
            attributes: &[],
            relationships: &[],
            filters: &[],
            nested_includes: &[],
            global: false,
            has_meta: false,
            list_needs: None,
            needs: None,
            adapter: None,
        }
    }

    /// Sets the operations.
    #[must_use]
    pub const fn verbs(mut self, verbs: &'static [Verb]) -> Self {
        self.verbs = verbs;
        self
    }

    /// Sets the attributes and relationships, in the order of the canonical form.
    #[must_use]
    pub const fn members(
        mut self,
        attributes: &'static [AttributeSpec],
        relationships: &'static [RelationshipSpec],
    ) -> Self {
        self.attributes = attributes;
        self.relationships = relationships;
        self
    }

    /// Sets the filters, sorted by name.
    #[must_use]
    pub const fn filters(mut self, filters: &'static [FilterSpec]) -> Self {
        self.filters = filters;
        self
    }

    /// Sets the documented include paths through more than one relationship.
    #[must_use]
    pub const fn nested_includes(mut self, paths: &'static [&'static str]) -> Self {
        self.nested_includes = paths;
        self
    }

    /// Sets whether the records belong to no account.
    #[must_use]
    pub const fn global(mut self, global: bool) -> Self {
        self.global = global;
        self
    }

    /// Sets whether each record has a `meta` member.
    #[must_use]
    pub const fn has_meta(mut self, has_meta: bool) -> Self {
        self.has_meta = has_meta;
        self
    }

    /// Sets the feature without which a list request is refused.
    #[must_use]
    pub const fn list_needs(mut self, feature: Option<Feature>) -> Self {
        self.list_needs = feature;
        self
    }

    /// Sets the feature without which every request is refused, and the first version that refuses it.
    #[must_use]
    pub const fn needs(mut self, feature: Option<(Feature, ApiVersion)>) -> Self {
        self.needs = feature;
        self
    }

    /// Sets the conversions to and from older versions.
    #[must_use]
    pub const fn adapter(mut self, adapter: Option<&'static Adapter>) -> Self {
        self.adapter = adapter;
        self
    }

    /// Whether the resource has an operation.
    pub fn has(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    /// The feature without which an account may not use an operation in a version.
    pub fn feature_needed(&self, verb: Verb, version: ApiVersion) -> Option<Feature> {
        let of_all = self.needs.filter(|(_, since)| version >= *since).map(|(feature, _)| feature);
        of_all.or(self.list_needs.filter(|_| verb == Verb::List))
    }

    /// The declaration of an attribute of the canonical form, by name.
    pub fn attribute(&self, name: &str) -> Option<&'static AttributeSpec> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The declaration of a relationship, by name.
    pub fn relationship(&self, name: &str) -> Option<&'static RelationshipSpec> {
        self.relationships.iter().find(|relationship| relationship.name == name)
    }

    /// The attributes of a version, in the order of its responses.
    pub fn attributes_at(&self, version: ApiVersion) -> Vec<&'static AttributeSpec> {
        let mut attributes: Vec<&'static AttributeSpec> =
            self.attributes.iter().filter(|attribute| attribute.exists_in(version)).collect();
        let former = self.adapter.map_or(&[][..], |adapter| adapter.attributes);
        for attribute in former.iter().filter(|attribute| attribute.exists_in(version)) {
            let at = attributes
                .iter()
                .position(|other| other.name == attribute.before)
                .unwrap_or(attributes.len());
            attributes.insert(at, attribute);
        }
        attributes
    }

    /// The relationships of a version, including those that depend on a feature of the account.
    pub fn relationships_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static RelationshipSpec> {
        self.relationships.iter().filter(move |relationship| version >= relationship.since)
    }

    /// The filters of a version, including those through types that the registry does not contain yet.
    pub fn filters_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static FilterSpec> {
        self.filters.iter().filter(move |filter| version >= filter.since)
    }

    /// Whether a filter can find a record: every type on the path that it tests is in the registry.
    pub fn resolves(&self, filter: &FilterSpec) -> bool {
        match filter.test {
            FilterTest::Linked(path) => follow(REGISTRY, self.name, path).is_some(),
            FilterTest::Related(path) => related_attribute(REGISTRY, self.name, path).is_some(),
            _ => true,
        }
    }

    /// The documented include paths through more than one relationship of which every type is in the registry.
    pub fn resolved_includes(&self) -> impl Iterator<Item = &'static str> {
        self.nested_includes.iter().copied().filter(|path| follow(REGISTRY, self.name, path).is_some())
    }

    /// Whether records in the form of a version must be converted to the canonical form.
    pub fn needs_conversion(&self, version: ApiVersion) -> bool {
        self.adapter_at(version).is_some()
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
