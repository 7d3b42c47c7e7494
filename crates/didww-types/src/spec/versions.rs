//! The parts of a resource's declaration that exist in a version of the API.

use super::{AttributeSpec, FilterSpec, RelationshipSpec, ResourceSpec, Verb};
use crate::{ApiVersion, Feature, Page};

impl ResourceSpec {
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

    /// The largest page that a request can ask for in a version.
    pub fn max_page_size_at(&self, version: ApiVersion) -> u64 {
        if version.has_corrected_rules() { self.max_page_size } else { Page::MAX_SIZE }
    }

    /// The attribute that orders a list without sort criteria in a version, with a minus sign before it in descending
    /// order; `None` for the order of creation.
    pub fn order_at(&self, version: ApiVersion) -> Option<&'static str> {
        self.order.filter(|(_, since)| version >= *since).map(|(attribute, _)| attribute)
    }

    /// The feature without which an account may not use an operation in a version.
    pub fn feature_needed(&self, verb: Verb, version: ApiVersion) -> Option<Feature> {
        let of_all = self.needs.filter(|(_, since)| version >= *since).map(|(feature, _)| feature);
        of_all.or(self.list_needs.filter(|_| verb == Verb::List))
    }

    /// The attributes of a version, in the order of its responses.
    pub fn attributes_at(&self, version: ApiVersion) -> Vec<&'static AttributeSpec> {
        let former = self.adapter.map_or(&[][..], |adapter| adapter.attributes);
        let mut attributes: Vec<&'static AttributeSpec> =
            Vec::with_capacity(self.attributes.len() + former.len());
        attributes.extend(self.attributes.iter().filter(|attribute| attribute.exists_in(version)));
        for attribute in former.iter().filter(|attribute| attribute.exists_in(version)) {
            let at = attributes
                .iter()
                .position(|other| other.name == attribute.before)
                .unwrap_or(attributes.len());
            attributes.insert(at, attribute);
        }
        attributes
    }

    /// The relationships that the requests of a version can have, including those that answers do not show.
    pub fn sent_relationships_at(
        &self,
        version: ApiVersion,
    ) -> impl Iterator<Item = &'static RelationshipSpec> {
        self.relationships.iter().filter(move |relationship| relationship.is_sent_in(version))
    }

    /// The relationships that the answers of a version have, including those that depend on a feature of the account.
    pub fn relationships_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static RelationshipSpec> {
        self.relationships.iter().filter(move |relationship| relationship.exists_in(version))
    }

    /// The filters of a version, including those through types that the registry does not contain yet.
    pub fn filters_at(&self, version: ApiVersion) -> impl Iterator<Item = &'static FilterSpec> {
        self.filters.iter().filter(move |filter| filter.exists_in(version))
    }

    /// The attribute, or the path to an attribute, by which a criterion sorts in a version; `None` for an unknown
    /// criterion.
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
}

/// The versions that have an option of a filter, among those that have the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// No version: the filter never has the option.
    None,
    /// Every version that has the filter.
    All,
    /// The versions up to this one.
    Until(ApiVersion),
    /// This version and later ones.
    Since(ApiVersion),
}

impl Versions {
    /// Whether a version has the option.
    pub fn contain(self, version: ApiVersion) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Until(last) => version <= last,
            Self::Since(first) => version >= first,
        }
    }
}
