//! The declaration of a filter.

use std::borrow::Cow;

use crate::csv::join_values;
use crate::{ApiVersion, Kind, split_values};

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
    /// Whether the attribute is 0 equals the value. Null is not 0.
    Zero(&'static str),
    /// Whether the first attribute is greater than the second one equals the value.
    Exceeds(&'static str, &'static str),
    /// The member of this name of the record's `meta` equals the value. An absent one is false, or 0.
    Meta(&'static str),
    /// The number of this name in the record's `meta` is the value or more. An absent one is 0.
    MetaAtLeast(&'static str),
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
    /// Whether the filter accepts several values, separated by commas, of which one must match, or every one: see `every`.
    pub list: Lasting,
    /// The first version in which a record must match every one of several values, and no longer any of them; `None` if
    /// no version does so.
    pub every: Option<ApiVersion>,
    /// Whether an empty value matches null and empty values.
    pub blank: Lasting,
    /// The first version that has the filter.
    pub since: ApiVersion,
    /// The last version that has the filter; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
    /// Whether each value must be the id of a record of the account, where the corrected rules hold: see
    /// [`ApiVersion::has_corrected_rules`]. The value of another filter may be the id of no record.
    pub owned: bool,
    /// Whether the filter only exists for old programs. The SDK does not offer it.
    pub legacy: bool,
}

impl FilterSpec {
    /// Declares a filter that accepts one value and that every version has.
    pub const fn of(name: &'static str, test: FilterTest, kind: Kind) -> Self {
        Self {
            name,
            test,
            kind,
            list: Lasting::Never,
            every: None,
            blank: Lasting::Never,
            since: ApiVersion::V2017_09_18,
            until: None,
            owned: false,
            legacy: false,
        }
    }

    /// Accepts several values, separated by commas, of which one must match.
    #[must_use]
    pub const fn list(mut self, lasting: Lasting) -> Self {
        self.list = lasting;
        self
    }

    /// Requires a record to match every one of several values, from a version on.
    #[must_use]
    pub const fn every(mut self, since: ApiVersion) -> Self {
        self.every = Some(since);
        self
    }

    /// Whether a record must match every one of several values in a version, and not just one of them.
    pub fn needs_every_value(&self, version: ApiVersion) -> bool {
        self.every.is_some_and(|since| version >= since)
    }

    /// Makes an empty value match null and empty values.
    #[must_use]
    pub const fn blank(mut self, lasting: Lasting) -> Self {
        self.blank = lasting;
        self
    }

    /// Sets the first version that has the filter.
    #[must_use]
    pub const fn since(mut self, version: ApiVersion) -> Self {
        self.since = version;
        self
    }

    /// Requires each value to be the id of a record of the account.
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

    /// Whether a version has the filter.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        version >= self.since && self.until.is_none_or(|last| version <= last)
    }

    /// The values of the filter's text in a version, at least one. The text of a filter that takes one value is that
    /// value, whatever commas and quotes it contains.
    pub fn values<'a>(&self, version: ApiVersion, text: &'a str) -> Vec<Cow<'a, str>> {
        if self.list.at(version) { split_values(text) } else { vec![Cow::Borrowed(text)] }
    }

    /// The text of the filter with these values in a version; `None` for several values if the version takes only one.
    pub fn text(&self, version: ApiVersion, values: &[String]) -> Option<String> {
        match values {
            values if self.list.at(version) => Some(join_values(values.iter().map(String::as_str))),
            [] => Some(String::new()),
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
}

/// The versions, counted from the first that has a filter, in which the filter has an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// None.
    Never,
    /// All.
    Always,
    /// Those up to this one.
    Until(ApiVersion),
}

impl Lasting {
    /// Whether a version is one of them.
    pub fn at(self, version: ApiVersion) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Until(last) => version <= last,
        }
    }
}
