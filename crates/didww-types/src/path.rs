//! Dotted paths through relationships, such as `dids.capacity_pool`: where they lead.
//!
//! A path can name types that no registry contains yet, because a declaration states what DIDWW documents. Such a path
//! leads nowhere.

use crate::{AttributeSpec, RelationshipSpec, ResourceSpec};

/// One relationship of a path.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The type that declares the relationship.
    pub owner: &'static ResourceSpec,
    /// The relationship that leads from the owner to the target.
    pub relationship: &'static RelationshipSpec,
    /// The type of the related records.
    pub target: &'static ResourceSpec,
}

/// Follows a dotted path of relationships from a type. Returns `None` if a name is no relationship of the type that the
/// path has reached, or if one of the types is not in the registry.
pub fn follow(registry: &[&'static ResourceSpec], from: &str, path: &str) -> Option<Vec<Step>> {
    let find = |name: &str| registry.iter().copied().find(|spec| spec.name == name);
    let mut owner = find(from)?;
    let mut steps = Vec::new();
    for name in path.split('.') {
        let relationship = owner.relationship(name)?;
        let target = find(relationship.target)?;
        steps.push(Step { owner, relationship, target });
        owner = target;
    }
    Some(steps)
}

/// Follows a dotted path of relationships that ends with an attribute. Returns `None` if the relationships lead nowhere,
/// or if the type at their end does not have the attribute.
pub fn related_attribute(
    registry: &[&'static ResourceSpec],
    from: &str,
    path: &str,
) -> Option<(Vec<Step>, &'static AttributeSpec)> {
    let (relationships, attribute) = path.rsplit_once('.')?;
    let steps = follow(registry, from, relationships)?;
    let attribute = steps.last()?.target.attribute(attribute)?;
    Some((steps, attribute))
}
