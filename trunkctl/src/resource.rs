//! The commands of resources, made from the registry: no type has code of its own here.

mod arguments;
mod body;
mod handle;
mod query;
mod record;
mod run;
mod suggested;
mod value;
mod words;

use didww_client::{Access, REGISTRY, ResourceSpec, Verb};

pub(crate) use arguments::{command, has_command};
pub(crate) use body::{Body, Write};
pub(crate) use handle::{Handle, is_id, resolve};
pub(crate) use record::{identifiers, linked};
pub(crate) use run::run;
pub(crate) use words::right;

/// The name of a type or member as a command or flag: with hyphens.
pub(crate) fn flag(name: &str) -> String {
    name.replace('_', "-")
}

/// The type of a command.
pub(crate) fn named(command: &str) -> Option<&'static ResourceSpec> {
    didww_client::find(&command.replace('-', "_")).filter(|spec| !is_operation(spec))
}

/// An operation on a record that the API has as a type of its own, such as
/// `voice_out_trunk_regenerate_credentials`: it can only be created, and its only member is the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// Its name below the type of the record, such as `regenerate_credentials`.
    pub name: &'static str,
    /// Its type.
    pub spec: &'static ResourceSpec,
    /// The relationship to the record.
    pub relationship: &'static str,
}

/// Whether a type is an operation on records of another one.
pub(crate) fn is_operation(spec: &ResourceSpec) -> bool {
    REGISTRY.iter().any(|owner| operations(owner).any(|operation| operation.spec.name == spec.name))
}

/// The operations on the records of a type.
pub(crate) fn operations(owner: &'static ResourceSpec) -> impl Iterator<Item = Operation> {
    REGISTRY.iter().copied().filter_map(move |spec| {
        let [relationship] = spec.relationships else { return None };
        let is_of_owner = relationship.target == owner.name && relationship.create == Access::Required;
        let only_created = spec.verbs == [Verb::Create] && spec.attributes.is_empty();
        let name = spec.name.strip_prefix(relationship.name)?.strip_prefix('_')?;
        (is_of_owner && only_created).then_some(Operation { name, spec, relationship: relationship.name })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rotation_of_credentials_is_an_operation_on_trunks_and_no_command_of_its_own() {
        let trunks = named("voice-out-trunks").unwrap();
        let names: Vec<&str> = operations(trunks).map(|operation| operation.name).collect();
        assert_eq!(names, ["regenerate_credentials"]);
        assert!(named("voice-out-trunk-regenerate-credentials").is_none());
    }
}
