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

/// Checks that the version has every include path, sort attribute and field of a query. Returns the query with the names
/// of the version.
pub(super) fn parameters(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    parameters: &Parameters,
) -> Result<Parameters, VersionError> {
    resource(spec, version)?;
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
    let mut named = parameters.clone();
    for path in &mut named.include {
        *path = spec.path_at(version, path);
    }
    for (_, names) in named.fields.iter_mut().filter(|(kind, _)| kind == spec.name) {
        for name in names {
            *name = spec.path_at(version, name);
        }
    }
    Ok(named)
}

/// Returns the text of a filter with these values in the version.
pub(super) fn filter(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    name: &'static str,
    values: &[String],
) -> Result<String, VersionError> {
    let member = format!("filter[{name}]");
    let Some(filter) = spec.filters.iter().find(|filter| filter.name == name) else {
        return Ok(values.join(","));
    };
    since(spec, version, &member, filter.since)?;
    let refuse = |reason| VersionError { resource: spec.name, member: member.clone(), version, reason };
    if let Some(last) = filter.until.filter(|last| version > *last) {
        return Err(refuse(format!("it exists until {last}")));
    }
    if values.is_empty() && !filter.blank.contain(version) {
        return Err(refuse("it takes no empty value".to_owned()));
    }
    filter.text(version, values).ok_or_else(|| refuse("it takes one value".to_owned()))
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
