//! The declaration of a resource as data, for programs that serve the API or describe it.

mod attribute;
mod filter;
mod fixed;
mod relationship;
mod sort;

use serde_json::{Map, Value};

pub use attribute::{AttributeSpec, DefaultValue, Revision, Sum, ValueSpec};
pub use filter::{FilterSpec, FilterTest, Versions};
pub use fixed::FixedRecord;
pub use relationship::{FormerName, NestedInclude, RelationshipSpec};
pub use sort::SortSpec;

use crate::path::{follow, related_attribute};
use crate::resource::same_name;
use crate::{ApiVersion, Feature, Linkage, Page, REGISTRY, ResourceObject};

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
    /// The last version that has the resource; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
    /// The type name, which was also the path, up to a version; `None` if it never changed.
    pub former: Option<(&'static str, ApiVersion)>,
    /// The path below `/v3` of a type of which an account has exactly one record; `None` for types with lists and ids.
    pub singleton: Option<&'static str>,
    /// The records that every server has, because attributes of other types stand for them. Empty for all other types.
    pub fixed: &'static [FixedRecord],
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
    pub nested_includes: &'static [NestedInclude],
    /// Whether the records belong to no account: every account reads the same ones, and none can write them.
    pub global: bool,
    /// The attribute that orders a list without sort criteria, and the first version in which it does. In other versions,
    /// and if it is `None`, the order is that of creation.
    pub order: Option<(&'static str, ApiVersion)>,
    /// The largest page that a request can ask for, where the corrected rules hold.
    pub max_page_size: u64,
    /// The page of a request that asks for none.
    pub page_size: u64,
    /// Whether a list is one answer with all records, without `links` and `total_records`.
    pub unpaged: bool,
    /// Whether the endpoints of relationships, which `links` name, do not exist.
    pub unrouted: bool,
    /// The sort criteria that are no attributes of the type.
    pub sorts: &'static [SortSpec],
    /// Dotted paths into attributes whose values must be unique among the records of all accounts.
    pub unique_paths: &'static [&'static str],
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
    /// The largest page that a request can ask for in a version.
    pub fn max_page_size_at(&self, version: ApiVersion) -> u64 {
        if version.has_corrected_rules() { self.max_page_size } else { Page::MAX_SIZE }
    }

    /// The attribute that orders a list without sort criteria in a version; `None` for the order of creation.
    pub fn order_at(&self, version: ApiVersion) -> Option<&'static str> {
        self.order.filter(|(_, since)| version >= *since).map(|(attribute, _)| attribute)
    }

    /// Whether the values of a path must be unique among the records of all accounts.
    pub fn is_unique_everywhere(&self, path: &str) -> bool {
        self.unique_paths.contains(&path)
            || self.attribute(path).is_some_and(|attribute| attribute.unique_everywhere)
    }

    /// Declares a resource of which nothing but its name is known. The derive adds the rest.
    pub const fn of(name: &'static str, doc: &'static str, since: ApiVersion) -> Self {
        Self {
            name,
            doc,
            since,
            until: None,
            former: None,
            singleton: None,
            fixed: &[],
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
            order: None,
            max_page_size: Page::USUAL_MAX_SIZE,
            page_size: Page::DEFAULT_SIZE,
            unpaged: false,
            unrouted: false,
            sorts: &[],
            unique_paths: &[],
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
    pub const fn nested_includes(mut self, paths: &'static [NestedInclude]) -> Self {
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

    /// Sets the attribute that orders lists without sort criteria, and the first version in which it does.
    #[must_use]
    pub const fn order(mut self, order: Option<(&'static str, ApiVersion)>) -> Self {
        self.order = order;
        self
    }

    /// Sets the largest page that a request can ask for, where the corrected rules hold.
    #[must_use]
    pub const fn max_page_size(mut self, size: u64) -> Self {
        self.max_page_size = size;
        self
    }

    /// Sets the last version that has the resource.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion) -> Self {
        self.until = Some(version);
        self
    }

    /// Sets the type name up to a version.
    #[must_use]
    pub const fn formerly(mut self, name: &'static str, until: ApiVersion) -> Self {
        self.former = Some((name, until));
        self
    }

    /// Makes the type one of which an account has exactly one record, at this path.
    #[must_use]
    pub const fn singleton(mut self, path: &'static str) -> Self {
        self.singleton = Some(path);
        self
    }

    /// Sets the records that every server has.
    #[must_use]
    pub const fn fixed(mut self, records: &'static [FixedRecord]) -> Self {
        self.fixed = records;
        self
    }

    /// Sets the page of a request that asks for none.
    #[must_use]
    pub const fn page_size(mut self, size: u64) -> Self {
        self.page_size = size;
        self
    }

    /// Makes each list one answer with all records.
    #[must_use]
    pub const fn unpaged(mut self) -> Self {
        self.unpaged = true;
        self
    }

    /// Leaves out the endpoints of relationships.
    #[must_use]
    pub const fn unrouted(mut self) -> Self {
        self.unrouted = true;
        self
    }

    /// Sets the sort criteria that are no attributes of the type.
    #[must_use]
    pub const fn sorts(mut self, sorts: &'static [SortSpec]) -> Self {
        self.sorts = sorts;
        self
    }

    /// Sets the paths whose values must be unique among the records of all accounts.
    #[must_use]
    pub const fn unique_paths(mut self, paths: &'static [&'static str]) -> Self {
        self.unique_paths = paths;
        self
    }

    /// Sets the conversions to and from older versions.
    #[must_use]
    pub const fn adapter(mut self, adapter: Option<&'static Adapter>) -> Self {
        self.adapter = adapter;
        self
    }

    /// Whether a version has the resource.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        version >= self.since && self.until.is_none_or(|last| version <= last)
    }

    /// The type name on the wire in a version.
    pub fn name_at(&self, version: ApiVersion) -> &'static str {
        self.former.filter(|(_, until)| version <= *until).map_or(self.name, |(name, _)| name)
    }

    /// The path below `/v3` in a version.
    pub fn path_at(&self, version: ApiVersion) -> &'static str {
        self.singleton.unwrap_or_else(|| self.name_at(version))
    }

    /// Whether the resource has paths of its own: a type without verbs is only included with others.
    pub fn has_paths(&self) -> bool {
        !self.verbs.is_empty()
    }

    /// The attribute, or the path to an attribute, by which a criterion sorts in a version; `None` for an unknown criterion.
    pub fn sort_at(&self, version: ApiVersion, name: &str) -> Option<&'static str> {
        let of_attribute = || {
            let attribute = self.attribute(name)?;
            (attribute.sort && attribute.exists_in(version)).then_some(attribute.name)
        };
        let other = self.sorts.iter().find(|sort| sort.name == name && sort.exists_in(version));
        other.map_or_else(of_attribute, |sort| Some(sort.by))
    }

    /// The sort criteria of a version.
    pub fn sorts_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static str> {
        let attributes =
            self.attributes.iter().filter(|attribute| attribute.sort).map(|attribute| attribute.name);
        let all = attributes.chain(self.sorts.iter().map(|sort| sort.name));
        all.filter(move |name| self.sort_at(version, name).is_some())
    }

    /// The id of the fixed record that a text stands for.
    pub fn fixed_id(&self, key: &str) -> Option<&'static str> {
        self.fixed.iter().find(|record| record.key == key).map(|record| record.id)
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

    /// Returns the name of an attribute of the canonical form, for a constant: a name that is not declared does not compile.
    ///
    /// ```compile_fail
    /// use didww_types::{Resource as _, resources::Did};
    ///
    /// const DIGITS: &str = Did::SPEC.attribute_name("digits");
    /// ```
    ///
    /// # Panics
    /// If the type declares no such attribute.
    pub const fn attribute_name(&self, name: &str) -> &'static str {
        let mut left = self.attributes;
        while let Some((attribute, rest)) = left.split_first() {
            if same_name(attribute.name.as_bytes(), name.as_bytes()) {
                return attribute.name;
            }
            left = rest;
        }
        panic!("the type declares no attribute of this name")
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
        self.relationships.iter().filter(move |relationship| relationship.exists_in(version))
    }

    /// The filters of a version, including those through types that the registry does not contain yet.
    pub fn filters_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static FilterSpec> {
        self.filters.iter().filter(move |filter| filter.exists_in(version))
    }

    /// Whether a filter can find a record: every type on the path that it tests is in the registry.
    pub fn resolves(&self, filter: &FilterSpec) -> bool {
        match filter.test {
            FilterTest::Linked(path) | FilterTest::RelatedMeta(path, _) => {
                follow(REGISTRY, self.name, path).is_some()
            }
            FilterTest::Related(path) => related_attribute(REGISTRY, self.name, path).is_some(),
            _ => true,
        }
    }

    /// The documented include paths through more than one relationship of which every type is in the registry.
    pub fn resolved_includes(&self) -> impl Iterator<Item = &'static NestedInclude> {
        self.nested_includes.iter().filter(|include| follow(REGISTRY, self.name, include.path).is_some())
    }

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

    /// Translates an include path from canonical names to those of a version. A part that is not declared is kept.
    pub fn include_at(&self, version: ApiVersion, path: &str) -> String {
        let mut owner = Some(self);
        let name_at = |name: &str| {
            let relationship = owner.and_then(|owner| owner.relationship(name));
            owner = relationship.and_then(|relationship| crate::find(relationship.target));
            relationship
                .map_or_else(|| name.to_owned(), |relationship| relationship.name_at(version).to_owned())
        };
        path.split('.').map(name_at).collect::<Vec<_>>().join(".")
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
