//! How the derive builds the declaration of a resource: from its name, one setter after another.

use super::{
    Adapter, AttributeSpec, FilterSpec, FixedRecord, FormSpec, NestedInclude, RelationshipSpec, ResourceSpec,
    SortSpec, Verb,
};
use crate::{ApiVersion, Feature, Page};

impl ResourceSpec {
    /// Declares a resource with only its name. The derive adds the rest.
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
            later_verbs: &[],
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
            unknown_by_type: false,
            form: None,
            open: false,
            sample: None,
            taken_by: &[],
            priced_by: None,
            at_most: None,
            expires: None,
            callback_on: &[],
            callback_with: &[],
            kept_days: None,
            downloads: None,
            former_downloads: None,
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

    /// Sets the operations that are newer than the resource.
    #[must_use]
    pub const fn later_verbs(mut self, verbs: &'static [(Verb, ApiVersion)]) -> Self {
        self.later_verbs = verbs;
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

    /// Sets the page size of a request that sets none.
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

    /// Makes the error of a GET for an unknown record name the type.
    #[must_use]
    pub const fn unknown_by_type(mut self) -> Self {
        self.unknown_by_type = true;
        self
    }

    /// Makes a form create the records.
    #[must_use]
    pub const fn form(mut self, form: &'static FormSpec) -> Self {
        self.form = Some(form);
        self
    }

    /// Serves the type without a credential, in lists of nothing but `data`.
    #[must_use]
    pub const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Makes each list a sample in random order of at most this number of records.
    #[must_use]
    pub const fn sample(mut self, most: u64) -> Self {
        self.unpaged = true;
        self.sample = Some(most);
        self
    }

    /// Sets the paths to the related records that take a record out of stock.
    #[must_use]
    pub const fn taken_by(mut self, paths: &'static [&'static str]) -> Self {
        self.taken_by = paths;
        self
    }

    /// Sets the values of `status` at which a change is sent to the record's `callback_url`.
    #[must_use]
    pub const fn callback_on(mut self, statuses: &'static [&'static str]) -> Self {
        self.callback_on = statuses;
        self
    }

    /// Sets the attributes that such a callback has beside the record's id, type and status.
    #[must_use]
    pub const fn callback_with(mut self, attributes: &'static [&'static str]) -> Self {
        self.callback_with = attributes;
        self
    }

    /// Sets the member of `meta` with the price without which a record is not offered.
    #[must_use]
    pub const fn priced_by(mut self, member: &'static str) -> Self {
        self.priced_by = Some(member);
        self
    }

    /// Sets the most records that an account can have at a time.
    #[must_use]
    pub const fn at_most(mut self, most: u64) -> Self {
        self.at_most = Some(most);
        self
    }

    /// Sets the attribute with the time at which a record is deleted.
    #[must_use]
    pub const fn expires(mut self, attribute: &'static str) -> Self {
        self.expires = Some(attribute);
        self
    }

    /// Sets the extension of the files that are downloaded below the path of the type.
    #[must_use]
    pub const fn downloads(mut self, suffix: &'static str) -> Self {
        self.downloads = Some(suffix);
        self
    }

    /// Sets the extension of the files below the path of the former name.
    #[must_use]
    pub const fn former_downloads(mut self, suffix: &'static str) -> Self {
        self.former_downloads = Some(suffix);
        self
    }

    /// Sets the days after which a record is deleted.
    #[must_use]
    pub const fn kept_days(mut self, days: u64) -> Self {
        self.kept_days = Some(days);
        self
    }

    /// Sets the sort criteria that are not attributes of the type.
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
}
