//! The communication platform of a world: storing it, and making it from the store.

mod load;
mod save;

use std::collections::{BTreeMap, BTreeSet};

use service_core::AttemptError;
use trunk_store::Change;
use uuid::Uuid;

use crate::world::naming::{derived, invalid};
use crate::world::platform::WorldPlatform;
use crate::{Control, ControlError};

impl Control {
    /// The changes that store the providers, customers, outbound configs and routes of a world. Existing objects are
    /// found by their ids, and set to the values of the file.
    ///
    /// # Errors
    /// If a value is not valid, or a route refers to a customer or provider that does not exist.
    pub(crate) async fn platform_changes(
        &self,
        world: &WorldPlatform,
    ) -> Result<Vec<Change>, AttemptError<ControlError>> {
        load::changes(&self.core, &self.platform, &Names::of(world)?, world).await
    }

    /// Loads the stored customers of a world into the directory.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn platform_loaded(&self, world: &WorldPlatform) -> Result<(), ControlError> {
        load::reload(&self.core, &self.platform, Names::of(world)?.customers.ids).await
    }

    /// The providers, customers, outbound configs and routes that are stored, with their secrets.
    ///
    /// # Errors
    /// If there are more than a world has, or the store fails.
    pub(crate) async fn saved_platform(&self) -> Result<WorldPlatform, ControlError> {
        save::saved(&self.core).await
    }
}

/// The ids of the objects of a kind in their order, and the labels by which others refer to them.
#[derive(Debug, Default)]
struct Named {
    ids: Vec<Uuid>,
    known: BTreeSet<Uuid>,
    labels: BTreeMap<String, Uuid>,
}

impl Named {
    /// Names objects, each of which may have an id and a label. An id that the file does not name follows from the
    /// label or the position, so that a second load finds the object.
    ///
    /// # Errors
    /// If two have one id or one label.
    fn of<'a>(
        kind: &'static str,
        objects: impl Iterator<Item = (Option<Uuid>, Option<&'a String>)>,
    ) -> Result<Self, ControlError> {
        let mut named = Self::default();
        for (position, (id, label)) in objects.enumerate() {
            let name = label.map_or_else(|| format!("#{position}"), |label| format!("={label}"));
            let id = id.unwrap_or_else(|| derived(&format!("world/platform/{kind}/{name}")));
            if !named.known.insert(id) {
                return Err(invalid(format!("has two {kind} with the id {id}")));
            }
            if let Some(label) = label
                && named.labels.insert(label.clone(), id).is_some()
            {
                return Err(invalid(format!("has two {kind} with the label `{label}`")));
            }
            named.ids.push(id);
        }
        Ok(named)
    }

    /// The id that a text names: that of the object with this label, or else the text itself.
    fn id(&self, name: &str) -> Option<Uuid> {
        self.labels.get(name).copied().or_else(|| Uuid::try_parse(name).ok())
    }
}

/// The objects of a world's platform with their ids.
struct Names {
    providers: Named,
    customers: Named,
    routes: Named,
}

impl Names {
    fn of(world: &WorldPlatform) -> Result<Self, ControlError> {
        Ok(Self {
            providers: Named::of(
                "providers",
                world.providers.iter().map(|one| (one.id, one.label.as_ref())),
            )?,
            customers: Named::of(
                "customers",
                world.customers.iter().map(|one| (one.id, one.label.as_ref())),
            )?,
            routes: Named::of("routes", world.routes.iter().map(|one| (one.id, one.label.as_ref())))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_the_kind_and_the_label_and_neither_stands_twice() {
        let (one, other) = ("a".to_owned(), "b".to_owned());
        let of = |kind: &'static str, labels: &[&String]| {
            Named::of(kind, labels.iter().map(|label| (None, Some(*label)))).map(|named| named.ids)
        };
        let ids = of("routes", &[&one, &other]).unwrap();
        assert_eq!(of("routes", &[&other, &one]).unwrap(), [ids[1], ids[0]]);
        assert_ne!(of("providers", &[&one]).unwrap(), [ids[0]]);
        let twice = of("routes", &[&one, &one]).unwrap_err().to_string();
        assert!(twice.contains("two routes with the id"), "{twice}");
        let named = Named::of("routes", [(Some(Uuid::from_u128(5)), Some(&one))].into_iter()).unwrap();
        assert_eq!((named.id("a"), named.id("c")), (Some(Uuid::from_u128(5)), None));
        let twice = [(Some(Uuid::from_u128(5)), Some(&one)), (Some(Uuid::from_u128(6)), Some(&one))];
        let twice = Named::of("routes", twice.into_iter()).unwrap_err().to_string();
        assert!(twice.contains("two routes with the label `a`"), "{twice}");
    }
}
