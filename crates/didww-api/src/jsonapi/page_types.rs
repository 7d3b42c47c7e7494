//! The types of records that decide what a page shows: those that it shows or counts, and those through which its filters and its
//! order go.
//!
//! A link is changed by a write of the record that has it, or by the deletion of the other one, so it needs no type of its own.

use didww_types::{FilterTest, REGISTRY, ResourceSpec, Step, follow, related_attribute};
use trunk_store::ListQuery;

use super::context::RequestContext;
use super::include::{IncludeNode, own_nodes, relationship_targets};

/// The types of records that decide what a page shows, each once, the type that it lists first.
#[derive(Debug)]
pub(super) struct PageTypes(Vec<&'static ResourceSpec>);

impl PageTypes {
    /// Returns the types for a page with these records included. `None` if records of other accounts decide it too, or if it is
    /// not known which do.
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

    /// Adds what is shown of the records of a type: the records that are included, and those that are counted.
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
        // As the records are collected: each type has its own relationships of the names, which can lead elsewhere than those of the
        // type that has named them.
        for (relationship, children) in own_nodes(context, spec, include) {
            for target in relationship_targets(relationship) {
                self.add(spec, target)?;
                self.add_shown(context, target, children)?;
            }
        }
        Some(())
    }

    /// Adds what a path that ends with an attribute leads through.
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

    /// Adds a type to which records of another one lead.
    fn add(&mut self, from: &'static ResourceSpec, to: &'static ResourceSpec) -> Option<()> {
        if from.global && !to.global {
            // The records of all accounts can lead to a record that they share.
            return None;
        }
        if !self.0.iter().any(|known| known.name == to.name) {
            self.0.push(to);
        }
        Some(())
    }
}
