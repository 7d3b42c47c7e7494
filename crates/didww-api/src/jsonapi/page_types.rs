//! The types of records on which a page depends: those that it shows or counts, and those on the paths of its filters
//! and its sort criteria.
//!
//! A link is changed by a write of the record that has it, or by the deletion of the other one, so it needs no type of
//! its own.

use didww_types::{FilterTest, REGISTRY, ResourceSpec, Step, follow, related_attribute};
use trunk_store::ListQuery;

use super::context::RequestContext;
use super::include::{IncludeNode, own_nodes, relationship_targets};

/// The types of records on which a page depends, each once, the listed type first.
#[derive(Debug)]
pub(super) struct PageTypes(Vec<&'static ResourceSpec>);

impl PageTypes {
    /// Returns the types for a page with these records included. `None` if the page also depends on records of other
    /// accounts, or on unknown ones.
    pub(super) fn of(
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        query: &ListQuery,
        include: &[IncludeNode],
    ) -> Option<Self> {
        let mut types = Self(vec![spec]);
        types.add_shown(context, spec, include)?;
        for condition in &query.conditions {
            match condition.test {
                FilterTest::Linked(path) | FilterTest::RelatedMeta(path, _) => {
                    types.add_steps(spec, &follow(REGISTRY, spec.name, path).unwrap_or_default())?;
                }
                FilterTest::Related(path) | FilterTest::RelatedEvery(path) => {
                    types.add_path(spec, path)?;
                }
                FilterTest::Id
                | FilterTest::Equals(_)
                | FilterTest::Contains(_)
                | FilterTest::Zero(_)
                | FilterTest::Exceeds(..)
                | FilterTest::Meta(_)
                | FilterTest::MetaAtLeast(_)
                | FilterTest::MetaStated(_)
                | FilterTest::CreatedFrom
                | FilterTest::CreatedUntil => {}
                _ => return None,
            }
        }
        for order in query.order.iter().filter(|order| order.attribute.contains('.')) {
            types.add_path(spec, order.attribute)?;
        }
        Some(types)
    }

    pub(super) fn as_slice(&self) -> &[&'static ResourceSpec] {
        &self.0
    }

    /// Adds the types of the records that are included or counted for the records of a type.
    fn add_shown(
        &mut self,
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        include: &[IncludeNode],
    ) -> Option<()> {
        for counted in context.rules.counted(spec) {
            let relationship = spec.relationship(counted.relationship)?;
            for target in relationship_targets(relationship) {
                self.add(spec, target)?;
            }
        }
        // As in collecting the records: each type has its own relationships with these names, whose targets can differ
        // from those of the type that named them.
        for (relationship, children) in own_nodes(context, spec, include) {
            for target in relationship_targets(relationship) {
                self.add(spec, target)?;
                self.add_shown(context, target, children)?;
            }
        }
        Some(())
    }

    /// Adds the types on a path that ends with an attribute.
    fn add_path(&mut self, spec: &'static ResourceSpec, path: &'static str) -> Option<()> {
        let steps = related_attribute(REGISTRY, spec.name, path).map(|(steps, _)| steps);
        self.add_steps(spec, &steps.unwrap_or_default())
    }

    fn add_steps(&mut self, spec: &'static ResourceSpec, steps: &[Step]) -> Option<()> {
        let mut from = spec;
        for step in steps {
            self.add(from, step.target)?;
            if !step.inverse {
                for target in relationship_targets(step.relationship) {
                    self.add(from, target)?;
                }
            }
            from = step.target;
        }
        Some(())
    }

    /// Adds the target type of a relationship.
    fn add(&mut self, from: &'static ResourceSpec, to: &'static ResourceSpec) -> Option<()> {
        if from.global && !to.global {
            // Records of all accounts can link to a record that they share.
            return None;
        }
        if !self.0.iter().any(|known| known.name == to.name) {
            self.0.push(to);
        }
        Some(())
    }
}
