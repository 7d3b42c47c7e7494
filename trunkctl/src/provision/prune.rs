//! The deletion of records that are no longer declared.

use didww_client::{ApiVersion, ResourceSpec, Verb};

use super::declaration::Declaration;
use super::mark::{ATTRIBUTE, Mark};
use crate::exit::{Exit, Failure};

/// The types whose records carry marks, and can therefore be deleted.
pub(super) fn with_marks(version: ApiVersion) -> impl Iterator<Item = &'static ResourceSpec> {
    didww_client::REGISTRY.iter().copied().filter(move |spec| {
        spec.since <= version && spec.has(Verb::Delete) && Mark::attribute(spec, version).is_some()
    })
}

/// Refuses to delete records that cannot be known to be the owner's.
pub(super) fn can_prune(declaration: &Declaration, version: ApiVersion) -> Result<(), Failure> {
    if declaration.owner.is_none() {
        let text = "--prune needs an `owner` in the declaration: only records with its mark are deleted";
        return Err(Failure::new(Exit::Unsafe, text));
    }
    let is_named_alone = |spec: &'static ResourceSpec| {
        Mark::attribute(spec, ApiVersion::NEWEST).is_some() && Mark::attribute(spec, version).is_none()
    };
    if with_marks(version).next().is_none()
        || declaration.entries.iter().any(|entry| is_named_alone(entry.spec))
    {
        let text = format!(
            "--prune is refused in {version}: its records have no `{ATTRIBUTE}`, so that the name is all by which a \
             record is known; ask for 2026-04-16 or newer"
        );
        return Err(Failure::new(Exit::Unsafe, text));
    }
    Ok(())
}
