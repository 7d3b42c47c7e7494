//! The declaration of a filter.

use std::borrow::Cow;

use super::Versions;
use crate::csv::join_values;
use crate::{ApiVersion, Kind, split_values};

/// The condition that a filter tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterTest {
    /// The record's id equals the value.
    Id,
    /// The attribute at this dotted path equals the value. A path that ends with `~` is the text without regard to
    /// letter case, and one with `+` the texts of two attributes, the second behind the first.
    Equals(&'static str),
    /// The attribute of this name contains the value.
    Contains(&'static str),
    /// A record at the end of this dotted path of relationships has the value as id. An absent relationship
    /// has no members. A step `a<types` leads to the `types` whose relationship `a` contains the record.
    Linked(&'static str),
    /// A record at the end of this dotted path of relationships has the attribute that the path's last name
    /// names, and it equals the value. If the attribute is a list, one of its items does.
    Related(&'static str),
    /// One record at the end of this path has every one of the values, each compared as [`Related`](Self::Related)
    /// does. No filter is declared with it: a [`Related`](Self::Related) filter becomes this test where a list must
    /// match [wholly](FilterSpec::every).
    RelatedEvery(&'static str),
    /// Whether the attribute is 0 equals the value. Null is not 0.
    Zero(&'static str),
    /// Whether the first attribute is greater than the second one equals the value.
    Exceeds(&'static str, &'static str),
    /// The member of this name of the record's `meta` equals the value. An absent one is false, or 0.
    Meta(&'static str),
    /// Whether a record at the end of this path of relationships has a true member of this name in its `meta` equals
    /// the value.
    RelatedMeta(&'static str, &'static str),
    /// The number of this name in the record's `meta` is the value or more. An absent one is 0.
    MetaAtLeast(&'static str),
    /// Whether the record's `meta` has a member of this name that is not null equals the value. No filter is declared
    /// with it: lists of a type with [prices](field@super::ResourceSpec::priced_by) have this test.
    MetaStated(&'static str),
    /// The record was created at the value, a time, or later.
    CreatedFrom,
    /// The record was created at the value, a time, or before. A value without a time of day is the whole day.
    CreatedUntil,
}

/// The declaration of a filter of a resource's list.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FilterSpec {
    /// The name on the wire, the text inside `filter[...]`.
    pub name: &'static str,
    /// The condition that the filter tests. See [`test_at`](Self::test_at).
    pub test: FilterTest,
    /// The kind of the filter's values.
    pub kind: Kind,
    /// The versions in which the filter accepts several values, separated by commas, of which one must match.
    pub list: Versions,
    /// The versions in which a record must match every one of several values. Of related records, one must have them
    /// all.
    pub every: Versions,
    /// The versions in which an empty value matches null and empty values.
    pub blank: Versions,
    /// The first version in which the attribute of the test [`Equals`](FilterTest::Equals) is searched for the value
    /// instead of compared with it.
    pub contains_since: Option<ApiVersion>,
    /// The first version in which letter case does not count, for a test of a path that ends with `~`. `None` if it
    /// counts in no version.
    pub ignores_case_since: Option<ApiVersion>,
    /// The first version that has the filter.
    pub since: ApiVersion,
    /// The last version that has the filter; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
    /// Whether a value that is not the id of a record of the account is refused, where
    /// [the corrected rules](ApiVersion::has_corrected_rules) hold. Otherwise it matches no record.
    pub owned: bool,
    /// Whether the filter only exists for old programs. The SDK does not offer it.
    pub legacy: bool,
    /// Whether the filter is accepted and not applied: it finds every record.
    pub unapplied: bool,
    /// Whether a time of the test [`CreatedUntil`](FilterTest::CreatedUntil) stands for the end of its day, in UTC.
    pub whole_day: bool,
    /// The least number of characters of a value, and the filters of which one permits shorter values; `None` if any
    /// value is permitted.
    pub least: Option<(usize, &'static [&'static str])>,
    /// A text of an enumeration that ended with a version, and that no record has. `None` if there is none.
    pub former_text: Option<(&'static str, ApiVersion)>,
}

impl FilterSpec {
    /// Declares a filter that accepts one value and that every version has.
    pub const fn of(name: &'static str, test: FilterTest, kind: Kind) -> Self {
        Self {
            name,
            test,
            kind,
            list: Versions::None,
            every: Versions::None,
            blank: Versions::None,
            contains_since: None,
            ignores_case_since: None,
            since: ApiVersion::V2017_09_18,
            until: None,
            owned: false,
            legacy: false,
            unapplied: false,
            whole_day: false,
            least: None,
            former_text: None,
        }
    }

    /// Sets the versions in which the filter accepts several values, separated by commas, of which one must match.
    #[must_use]
    pub const fn list(mut self, versions: Versions) -> Self {
        self.list = versions;
        self
    }

    /// Sets the versions in which a record must match every one of several values.
    #[must_use]
    pub const fn every(mut self, versions: Versions) -> Self {
        self.every = versions;
        self
    }

    /// Sets the versions in which an empty value matches null and empty values.
    #[must_use]
    pub const fn blank(mut self, versions: Versions) -> Self {
        self.blank = versions;
        self
    }

    /// Sets the first version in which the filter searches in the text of its attribute.
    #[must_use]
    pub const fn contains_since(mut self, version: ApiVersion) -> Self {
        self.contains_since = Some(version);
        self
    }

    /// Sets the first version that has the filter.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Requires each value to be the id of a record of the account, where the corrected rules hold.
    #[must_use]
    pub const fn owned(mut self) -> Self {
        self.owned = true;
        self
    }

    /// Sets the last version that has the filter.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion) -> Self {
        self.until = Some(version);
        self
    }

    /// Sets the least number of characters of a value, and the filters of which one permits shorter values.
    #[must_use]
    pub const fn least(mut self, characters: usize, unless: &'static [&'static str]) -> Self {
        self.least = Some((characters, unless));
        self
    }

    /// Sets a text of an enumeration that ended with a version.
    #[must_use]
    pub const fn former_text(mut self, text: &'static str, until: ApiVersion) -> Self {
        self.former_text = Some((text, until));
        self
    }

    /// Whether a text is valid in a version although no record has it.
    pub fn is_former_text(&self, version: ApiVersion, text: &str) -> bool {
        self.former_text.is_some_and(|(former, until)| former == text && version <= until)
    }

    /// The condition that the filter tests in a version.
    pub fn test_at(&self, version: ApiVersion) -> FilterTest {
        match (self.test, self.contains_since) {
            (FilterTest::Equals(path), Some(first)) if version >= first => FilterTest::Contains(path),
            (test, _) => test,
        }
    }

    /// Whether a version has the filter.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        version >= self.since && self.until.is_none_or(|last| version <= last)
    }

    /// The values of the filter's text in a version, at least one. The text of a filter that takes one value is that
    /// value, whatever commas and quotes it contains.
    pub fn values<'a>(&self, version: ApiVersion, text: &'a str) -> Vec<Cow<'a, str>> {
        if self.list.contain(version) { split_values(text) } else { vec![Cow::Borrowed(text)] }
    }

    /// The text of the filter with these values in a version; `None` for several values if the version takes only one.
    pub fn text(&self, version: ApiVersion, values: &[String]) -> Option<String> {
        match values {
            [blank] if blank.is_empty() => Some(String::new()),
            values if self.list.contain(version) => Some(join_values(values.iter().map(String::as_str))),
            [value] => Some(value.clone()),
            _ => None,
        }
    }

    /// Marks a filter that only exists for old programs. The SDK does not offer it.
    #[must_use]
    pub const fn legacy(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// Accepts the filter without applying it.
    #[must_use]
    pub const fn unapplied(mut self) -> Self {
        self.unapplied = true;
        self
    }

    /// Sets the first version in which letter case does not count.
    #[must_use]
    pub const fn ignores_case_since(mut self, version: ApiVersion) -> Self {
        self.ignores_case_since = Some(version);
        self
    }

    /// Takes each time for the end of its day, in UTC.
    #[must_use]
    pub const fn whole_day(mut self) -> Self {
        self.whole_day = true;
        self
    }
}
