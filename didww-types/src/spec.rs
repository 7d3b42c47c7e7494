//! A resource's declaration as data, for programs that serve the API or describe it.

use serde_json::{Map, Value};

use crate::{ApiVersion, Flaw, Kind};

/// What can be done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// GET of the collection.
    List,
    /// GET of one.
    Get,
    /// POST to the collection.
    Create,
    /// PATCH (or PUT, which is the same) of one.
    Update,
    /// DELETE of one.
    Delete,
}

impl Verb {
    /// The verb in the words of the documentation.
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

/// Whether a member may be, or must be, in the body that creates a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Refused.
    Never,
    /// Taken when it is sent.
    Optional,
    /// Missing or null is an error.
    Required,
}

impl Access {
    /// Whether the member may be sent at all.
    pub const fn allowed(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// Something that an account has or has not, and that a member or value depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// The account has an outbound plan.
    Outbound,
    /// The account may replace the caller's number (`replace_cli`, `default_did`).
    ReplaceCli,
    /// The account may send a random one of its numbers (`randomize_cli`).
    RandomizeCli,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Self; 3] = [Self::Outbound, Self::ReplaceCli, Self::RandomizeCli];

    /// The name used in configuration and on the control interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::ReplaceCli => "replace_cli",
            Self::RandomizeCli => "randomize_cli",
        }
    }
}

/// The value of an attribute that a create leaves out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text, also of enumerations and decimals.
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

/// One attribute of a resource.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AttributeSpec {
    /// Name on the wire.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Kind of its value, with limits.
    pub kind: Kind,
    /// Whether null may be sent and answered.
    pub nullable: bool,
    /// Whether a create takes it.
    pub create: Access,
    /// Whether an update takes it.
    pub update: bool,
    /// First version that has it.
    pub since: ApiVersion,
    /// Last version that has it, when a newer one has not.
    pub until: Option<ApiVersion>,
    /// For a member of older versions only: the attribute that it is written before.
    pub before: &'static str,
    /// Value of a create that leaves it out.
    pub default: Option<DefaultValue>,
    /// Whether no two records of an account may share a value.
    pub unique: bool,
    /// Whether no two records of all accounts may share a value; null is shared by any number.
    pub unique_everywhere: bool,
    /// Whether a list can be sorted by it.
    pub sort: bool,
    /// The strict check of a value that a client sent.
    pub admit: fn(&Value) -> Result<Value, Vec<Flaw>>,
}

impl AttributeSpec {
    /// The declaration of an attribute of this type that can only be read.
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
            admit: T::admit,
        }
    }

    /// Says what a create does with it.
    #[must_use]
    pub const fn create(mut self, access: Access) -> Self {
        self.create = access;
        self
    }

    /// Lets updates write it.
    #[must_use]
    pub const fn update(mut self) -> Self {
        self.update = true;
        self
    }

    /// Names the first version that has it.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Names the last version that has it, and the attribute that it is written before.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion, before: &'static str) -> Self {
        self.until = Some(version);
        self.before = before;
        self
    }

    /// Gives the value of a create that leaves it out.
    #[must_use]
    pub const fn default(mut self, value: DefaultValue) -> Self {
        self.default = Some(value);
        self
    }

    /// Makes it unique within an account.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Makes it unique among the records of all accounts.
    #[must_use]
    pub const fn unique_everywhere(mut self) -> Self {
        self.unique_everywhere = true;
        self
    }

    /// Lets lists be sorted by it.
    #[must_use]
    pub const fn sort(mut self) -> Self {
        self.sort = true;
        self
    }

    /// Whether the version has it.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        version >= self.since && self.until.is_none_or(|last| version <= last)
    }
}

/// One relationship of a resource.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RelationshipSpec {
    /// Name on the wire.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Type of the records it leads to. The type may not be declared yet.
    pub target: &'static str,
    /// Whether it leads to any number of records, or to one at most.
    pub many: bool,
    /// Whether a create takes it.
    pub create: Access,
    /// Whether an update takes it.
    pub update: bool,
    /// First version that has it.
    pub since: ApiVersion,
    /// The feature without which an account does not see it.
    pub feature: Option<Feature>,
}

impl RelationshipSpec {
    /// The declaration of a relationship that can only be read.
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

    /// Says what a create does with it.
    #[must_use]
    pub const fn create(mut self, access: Access) -> Self {
        self.create = access;
        self
    }

    /// Lets updates write it.
    #[must_use]
    pub const fn update(mut self) -> Self {
        self.update = true;
        self
    }

    /// Names the first version that has it.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Names the feature without which an account does not see it.
    #[must_use]
    pub const fn feature(mut self, feature: Feature) -> Self {
        self.feature = Some(feature);
        self
    }
}

/// How a filter decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterTest {
    /// The record's id is the value.
    Id,
    /// The attribute at this dotted path equals the value.
    Equals(&'static str),
    /// The attribute of this name contains the value.
    Contains(&'static str),
    /// The relationship of this name leads to the id. A relationship that the record has not leads nowhere.
    Linked(&'static str),
}

/// One filter of a resource's list.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FilterSpec {
    /// Name on the wire, the text inside `filter[...]`.
    pub name: &'static str,
    /// How it decides.
    pub test: FilterTest,
    /// Kind of its values.
    pub kind: Kind,
    /// Whether a comma list means any of its values.
    pub list: bool,
    /// Whether an empty value means null or empty.
    pub blank: bool,
    /// First version that has it.
    pub since: ApiVersion,
    /// Kept for old programs; not offered by the SDK.
    pub legacy: bool,
}

impl FilterSpec {
    /// A filter that takes one value.
    pub const fn of(name: &'static str, test: FilterTest, kind: Kind) -> Self {
        Self { name, test, kind, list: false, blank: false, since: ApiVersion::V2017_09_18, legacy: false }
    }

    /// Lets a comma list mean any of its values.
    #[must_use]
    pub const fn list(mut self) -> Self {
        self.list = true;
        self
    }

    /// Lets an empty value mean null or empty.
    #[must_use]
    pub const fn blank(mut self) -> Self {
        self.blank = true;
        self
    }

    /// Names the first version that has it.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Marks a name kept for old programs.
    #[must_use]
    pub const fn legacy(mut self) -> Self {
        self.legacy = true;
        self
    }
}

/// Why a canonical body cannot be said in an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacle {
    /// The canonical attribute that stands in the way.
    pub attribute: &'static str,
    /// The reason, in words.
    pub reason: &'static str,
}

/// How a resource differs in versions older than the canonical one, beyond members that did not exist.
#[derive(Debug, Clone, Copy)]
pub struct Adapter {
    /// Members of older versions only.
    pub attributes: &'static [AttributeSpec],
    /// From the canonical form to an older one: an answer, or a body that is to be sent.
    pub lower: fn(ApiVersion, &mut Map<String, Value>),
    /// From an older form to the canonical one: a body that was received, or an answer.
    pub lift: fn(ApiVersion, &mut Map<String, Value>),
    /// Why a canonical body cannot be said in an older version, if it cannot.
    pub obstacle: fn(ApiVersion, &Map<String, Value>) -> Option<Obstacle>,
}

/// A resource's whole declaration.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ResourceSpec {
    /// Type name on the wire, plural, and its path below `/v3`.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// First version that has it.
    pub since: ApiVersion,
    /// What can be done with it.
    pub verbs: &'static [Verb],
    /// Attributes in the order of the canonical form.
    pub attributes: &'static [AttributeSpec],
    /// Relationships in the order of answers.
    pub relationships: &'static [RelationshipSpec],
    /// Filters of its list.
    pub filters: &'static [FilterSpec],
    /// Include paths through more than one relationship.
    pub nested_includes: &'static [&'static str],
    /// Whether each record carries a `meta` member.
    pub has_meta: bool,
    /// The feature without which a list is refused.
    pub list_needs: Option<Feature>,
    /// How older versions differ.
    pub adapter: Option<&'static Adapter>,
}

impl ResourceSpec {
    /// Whether the resource has the verb.
    pub fn has(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    /// The declaration of a canonical attribute.
    pub fn attribute(&self, name: &str) -> Option<&'static AttributeSpec> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The declaration of a relationship.
    pub fn relationship(&self, name: &str) -> Option<&'static RelationshipSpec> {
        self.relationships.iter().find(|relationship| relationship.name == name)
    }

    /// The attributes of a version, in the order of its answers.
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

    /// The relationships of a version, whatever an account's features.
    pub fn relationships_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static RelationshipSpec> {
        self.relationships.iter().filter(move |relationship| version >= relationship.since)
    }

    /// The filters of a version.
    pub fn filters_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static FilterSpec> {
        self.filters.iter().filter(move |filter| version >= filter.since)
    }

    /// Whether records of a version must be lifted before they have the canonical form.
    pub fn lifts(&self, version: ApiVersion) -> bool {
        self.adapter.is_some() && version < ApiVersion::NEWEST
    }

    /// Brings the attributes of an older version into the canonical form.
    pub fn lift(&self, version: ApiVersion, attributes: &mut Map<String, Value>) {
        if let Some(adapter) = self.adapter {
            (adapter.lift)(version, attributes);
        }
    }

    /// Brings canonical attributes into the form of an older version.
    pub fn lower(&self, version: ApiVersion, attributes: &mut Map<String, Value>) {
        if let Some(adapter) = self.adapter {
            (adapter.lower)(version, attributes);
        }
    }
}
