//! The declaration of a resource as data, for programs that serve the API or describe it.

mod attribute;
mod conversion;
mod filter;
mod fixed;
mod form;
mod relationship;
mod setters;
mod sort;
mod versions;

pub use attribute::{AttributeSpec, DefaultValue, Revision, Sum, ValueSpec};
pub use conversion::{Adapter, NotRepresentable};
pub use filter::{FilterSpec, FilterTest};
pub use fixed::FixedRecord;
pub use form::{FormBatch, FormCheck, FormSpec};
pub use relationship::{FormerName, NestedInclude, RelationshipSpec};
pub use sort::SortSpec;
pub use versions::Versions;

use crate::path::{follow, related_attribute};
use crate::resource::same_name;
use crate::{ApiVersion, Feature, REGISTRY};

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
    /// The records that every server has, because texts of attributes of other types identify them. Empty for all other
    /// types.
    pub fixed: &'static [FixedRecord],
    /// The operations of the resource.
    pub verbs: &'static [Verb],
    /// The operations that are newer than the resource, with their first versions.
    pub later_verbs: &'static [(Verb, ApiVersion)],
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
    /// The attribute that orders a list without sort criteria, with a minus sign before it in descending order, and the
    /// first version in which it does. In other versions, and if it is `None`, the order is that of creation.
    pub order: Option<(&'static str, ApiVersion)>,
    /// The largest page that a request can ask for, where the corrected rules hold.
    pub max_page_size: u64,
    /// The page size of a request that sets none.
    pub page_size: u64,
    /// Whether a list is one answer with all records, without `links` and `total_records`.
    pub unpaged: bool,
    /// Whether the endpoints of relationships, which `links` name, do not exist.
    pub unrouted: bool,
    /// Whether the error of a GET for an unknown record names the type instead of the id.
    pub unknown_by_type: bool,
    /// The form that creates a record; `None` if a JSON document does.
    pub form: Option<&'static FormSpec>,
    /// Whether its requests need no credential, and its lists have neither `meta` nor `links`.
    pub open: bool,
    /// Maximum number of records of a list that has no pages, and that is a sample in random order; `None` for all
    /// other lists.
    pub sample: Option<u64>,
    /// Paths of one step `a<types` of which none leads from a record that is in stock: a record that one of the `types`
    /// of any account contains is not listed, and nothing else can be linked to it. Empty for all other types.
    pub taken_by: &'static [&'static str],
    /// The member of `meta` with the price without which a record is not offered: it is not listed, its id finds
    /// nothing, and nothing new can be linked to it. A record that was linked to it before shows it. `None` for types
    /// whose records need no price.
    pub priced_by: Option<&'static str>,
    /// Maximum number of records that an account can have at a time; `None` if only the account's quota limits them.
    pub at_most: Option<u64>,
    /// The attribute with the time at which a record is deleted; `None` if none is.
    pub expires: Option<&'static str>,
    /// The values of `status` at which a change of a record is sent to its `callback_url`, with its `callback_method`.
    /// Empty for types that send none.
    pub callback_on: &'static [&'static str],
    /// The members of such a callback besides the record's id, type and status: `attribute`, or `name=attribute` for
    /// another name. A null is an empty text. A list is one text, with commas between its items, or with `attribute;`
    /// semicolons. `name<relationship` is the id of the member that the change names.
    pub callback_with: &'static [&'static str],
    /// The days after which a record is deleted; `None` if it is kept. An account can have ten times as many records of
    /// such a type as of others: changes of other records write them.
    pub kept_days: Option<u64>,
    /// The extension of the files that are downloaded below the path of the type; `None` if there are none. The job
    /// of a new record makes the file.
    pub downloads: Option<&'static str>,
    /// The extension of the files below the path of the [former name](Self::former); `None` if it is the present one.
    pub former_downloads: Option<&'static str>,
    /// The sort criteria that are not attributes of the type.
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
    /// Whether the values of a path must be unique among the records of all accounts.
    pub fn is_unique_everywhere(&self, path: &str) -> bool {
        self.unique_paths.contains(&path)
            || self.attribute(path).is_some_and(|attribute| attribute.unique_everywhere)
    }

    /// Whether the resource has paths of its own: a type without verbs is only included with others.
    pub fn has_paths(&self) -> bool {
        !self.verbs.is_empty()
    }

    /// The paths below `/v3` in all versions: the present one, and that of the former name. None for a type without
    /// [paths](Self::has_paths).
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        let former = self.former.filter(|_| self.singleton.is_none()).map(|(name, _)| name);
        let all = std::iter::once(self.singleton.unwrap_or(self.name)).chain(former);
        all.filter(|_| self.has_paths())
    }

    /// The extension of the files that are downloaded below one of the [paths](Self::paths); `None` if there are none.
    pub fn downloads_below(&self, path: &str) -> Option<&'static str> {
        let is_former = self.former.is_some_and(|(name, _)| name == path);
        self.former_downloads.filter(|_| is_former).or(self.downloads)
    }

    /// The id of the fixed record that a text identifies.
    pub fn fixed_id(&self, key: &str) -> Option<&'static str> {
        self.fixed.iter().find(|record| record.key == key).map(|record| record.id)
    }

    /// Whether the resource has an operation in a version that has the resource.
    pub fn has_at(&self, verb: Verb, version: ApiVersion) -> bool {
        let is_newer = |(later, first): &(Verb, ApiVersion)| *later == verb && version < *first;
        self.has(verb) && !self.later_verbs.iter().any(is_newer)
    }

    /// Whether the resource has an operation, in any version.
    pub fn has(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }

    /// Returns the name of an attribute of the canonical form, for a constant: a name that is not declared does not
    /// compile.
    ///
    /// ```compile_fail
    /// # use didww_types as didww_client;
    /// use didww_client::{Resource as _, resources::Did};
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

    /// Whether a filter can find a record: every type on the path that it tests is in the registry.
    pub fn resolves(&self, filter: &FilterSpec) -> bool {
        match filter.test {
            FilterTest::Linked(path) | FilterTest::RelatedMeta(path, _) => {
                follow(REGISTRY, self.name, path).is_some()
            }
            FilterTest::Related(path) | FilterTest::RelatedEvery(path) => {
                related_attribute(REGISTRY, self.name, path).is_some()
            }
            _ => true,
        }
    }

    /// The documented include paths through more than one relationship of which every type is in the registry.
    pub fn resolved_includes(&self) -> impl Iterator<Item = &'static NestedInclude> {
        self.nested_includes.iter().filter(|include| follow(REGISTRY, self.name, include.path).is_some())
    }
}
