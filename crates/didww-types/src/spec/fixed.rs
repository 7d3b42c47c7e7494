//! Records that every server has.

/// A record that a text of an attribute of another type identifies, such as the group type `Local` for `local`.
///
/// Newer versions have the attribute, and older ones a relationship to the record, so that neither may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedRecord {
    /// The text of the attribute.
    pub key: &'static str,
    /// The record's id, a UUID.
    pub id: &'static str,
    /// The record's attribute `name`.
    pub name: &'static str,
}
