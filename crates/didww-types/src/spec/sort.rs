//! The declaration of a sort criterion that is not an attribute of its type.

use crate::ApiVersion;

/// A sort criterion with a name of its own, such as `country.name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SortSpec {
    /// The name on the wire.
    pub name: &'static str,
    /// The path of the sort key: an attribute, or to-one relationships and an attribute of the related type.
    pub by: &'static str,
    /// The last version that has the criterion; `None` if the newest version has it.
    pub until: Option<ApiVersion>,
}

impl SortSpec {
    /// Declares a criterion whose name is the path of its sort key.
    pub const fn of(name: &'static str) -> Self {
        Self { name, by: name, until: None }
    }

    /// Sets the path of the sort key.
    #[must_use]
    pub const fn by(mut self, path: &'static str) -> Self {
        self.by = path;
        self
    }

    /// Sets the last version that has the criterion.
    #[must_use]
    pub const fn until(mut self, version: ApiVersion) -> Self {
        self.until = Some(version);
        self
    }

    /// Whether a version has the criterion, if it has the type.
    pub fn exists_in(&self, version: ApiVersion) -> bool {
        self.until.is_none_or(|last| version <= last)
    }
}
