//! Dotted paths through relationships, such as `dids.capacity_pool`: where they lead.
//!
//! A path can name types that no registry contains yet, because a declaration states what DIDWW documents. Such a path
//! leads nowhere.

use crate::{RelationshipSpec, ResourceSpec};

/// One relationship of a path.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The type that declares the relationship.
    pub owner: &'static ResourceSpec,
    /// The relationship, which the owner declares.
    pub relationship: &'static RelationshipSpec,
    /// The type of the records to which the step leads.
    pub target: &'static ResourceSpec,
    /// Whether the step leads from the members of the relationship to its owners.
    pub inverse: bool,
    /// Whether it leads to the newest of these owners alone, which is the member of an inverse relationship that is
    /// to-one.
    pub newest: bool,
}

/// Follows a dotted path of relationships from a type. A name `a<types` leads to the `types` whose relationship `a`
/// contains the record. Returns `None` if a name is not a relationship of the type that the
/// path has reached, or if one of the types is not in the registry.
pub fn follow(registry: &[&'static ResourceSpec], from: &str, path: &str) -> Option<Vec<Step>> {
    let find = |name: &str| registry.iter().copied().find(|spec| spec.name == name);
    let mut owner = find(from)?;
    let mut steps = Vec::new();
    for name in path.split('.') {
        let inverse_of = |declaring: &'static ResourceSpec, name: &str| {
            let relationship = declaring.relationship(name)?;
            Some(Step { owner: declaring, relationship, target: declaring, inverse: true, newest: false })
        };
        let step = if let Some((name, declaring)) = name.split_once('<') {
            inverse_of(find(declaring)?, name).filter(|step| step.relationship.target == owner.name)?
        } else {
            let relationship = owner.relationship(name)?;
            let target = find(relationship.target)?;
            match relationship.inverse {
                Some(name) => Step { newest: !relationship.many, ..inverse_of(target, name)? },
                None => Step { owner, relationship, target, inverse: false, newest: false },
            }
        };
        owner = step.target;
        steps.push(step);
    }
    Some(steps)
}

/// Follows a dotted path of relationships that ends with what an index of the type at its end has: an attribute, or one
/// of the [other paths](crate::FilterTest::Equals) of an index. Returns `None` if the relationships lead nowhere, or if
/// the type does not have the attribute.
pub fn related_attribute(
    registry: &[&'static ResourceSpec],
    from: &str,
    path: &'static str,
) -> Option<(Vec<Step>, &'static str)> {
    let (relationships, attribute) = path.rsplit_once('.')?;
    let steps = follow(registry, from, relationships)?;
    let target = steps.last()?.target;
    plain_names(attribute).all(|name| target.attribute(name).is_some()).then_some((steps, attribute))
}

/// The names of the attributes of which an index path consists: `name` of `name~`, `npa` and `nxx` of `npa+nxx`.
pub fn plain_names(path: &str) -> impl Iterator<Item = &str> {
    path.trim_end_matches('~').split('+')
}
