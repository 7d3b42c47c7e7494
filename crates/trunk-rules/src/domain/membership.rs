//! The members of a relationship.

/// How the members of a relationship are determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// They are linked one by one.
    Linked,
    /// They are all records of the target type whose attributes have these values. The names are
    /// [`attribute_name`](didww_types::ResourceSpec::attribute_name)s.
    Matching(&'static [(&'static str, bool)]),
    /// The member is the fixed record with this id, or there is none.
    Fixed(Option<&'static str>),
}
