//! Refuses names that the client's API version does not have, before anything is sent.

use didww_types::{ApiVersion, Parameters, ResourceSpec, VersionError};

/// Checks that the version has the resource.
pub(super) fn resource(spec: &'static ResourceSpec, version: ApiVersion) -> Result<(), VersionError> {
    since(spec, version, spec.name, spec.since)
}

/// Checks that the version has the relationship.
pub(super) fn relationship(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    name: &str,
) -> Result<(), VersionError> {
    resource(spec, version)?;
    spec.relationship(name).map_or(Ok(()), |found| since(spec, version, name, found.since))
}

/// Checks that the version has every filter, include path, sort attribute and field of a query.
pub(super) fn parameters(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    parameters: &Parameters,
) -> Result<(), VersionError> {
    resource(spec, version)?;
    for (name, _) in &parameters.filters {
        if let Some(filter) = spec.filters.iter().find(|filter| filter.name == name) {
            since(spec, version, &format!("filter[{name}]"), filter.since)?;
        }
    }
    for path in &parameters.include {
        let name = path.split('.').next().unwrap_or(path);
        relationship(spec, version, name)?;
    }
    let sorts = parameters.sort.iter().map(|name| name.trim_start_matches('-'));
    let fields = parameters.fields.iter().flat_map(|(_, names)| names).map(String::as_str);
    for name in sorts.chain(fields) {
        relationship(spec, version, name)?;
        if let Some(attribute) = spec.attribute(name) {
            since(spec, version, name, attribute.since)?;
        }
    }
    Ok(())
}

fn since(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    member: &str,
    first: ApiVersion,
) -> Result<(), VersionError> {
    if version >= first {
        return Ok(());
    }
    let reason = format!("it exists since {first}");
    Err(VersionError { resource: spec.name, member: member.to_owned(), version, reason })
}
