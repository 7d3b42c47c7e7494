//! Refuses names that the client's API version does not have, before anything is sent.

use didww_types::{ApiVersion, Parameters, ResourceSpec, VersionError, find};

/// Checks that the version has the resource.
pub(super) fn resource(spec: &'static ResourceSpec, version: ApiVersion) -> Result<(), VersionError> {
    within(spec, version, spec.name, (spec.since, spec.until))
}

/// Checks that the version has the relationship.
pub(super) fn relationship(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    name: &str,
) -> Result<(), VersionError> {
    resource(spec, version)?;
    spec.relationship(name).map_or(Ok(()), |found| within(spec, version, name, (found.since, found.until)))
}

/// Checks that the version has every relationship of an include path, as far as its types are declared.
fn include(spec: &'static ResourceSpec, version: ApiVersion, path: &str) -> Result<(), VersionError> {
    let mut owner = Some(spec);
    for name in path.split('.') {
        let Some(declared) = owner else { break };
        relationship(declared, version, name)?;
        owner = declared.relationship(name).and_then(|relationship| find(relationship.target));
    }
    Ok(())
}

/// Checks that the version has every include path, sort attribute and field of a query. Returns the query with the
/// names of the version.
pub(super) fn parameters(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    parameters: &Parameters,
) -> Result<Parameters, VersionError> {
    resource(spec, version)?;
    for path in &parameters.include {
        include(spec, version, path)?;
    }
    let sorts = parameters.sort.iter().map(|name| name.trim_start_matches('-'));
    let fields = parameters.fields.iter().flat_map(|(_, names)| names).map(String::as_str);
    for name in sorts.clone() {
        if let Some(sort) = spec.sorts.iter().find(|sort| sort.name == name) {
            within(spec, version, name, (spec.since, sort.until))?;
        }
    }
    for name in sorts.chain(fields) {
        relationship(spec, version, name)?;
        if let Some(attribute) = spec.attribute(name) {
            within(spec, version, name, (attribute.since, attribute.until))?;
        }
    }
    let mut named = parameters.clone();
    for path in &mut named.include {
        *path = spec.include_at(version, path);
    }
    for (kind, names) in named.fields.iter_mut().filter(|(kind, _)| kind == spec.name) {
        spec.name_at(version).clone_into(kind);
        for name in names {
            *name = spec.include_at(version, name);
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
    within(spec, version, &member, (filter.since, filter.until))?;
    let refuse =
        |reason: &str| VersionError { resource: spec.name, member, version, reason: reason.to_owned() };
    // An empty text would select the records without a value, and not none or all of them.
    if values.is_empty() {
        return Err(refuse("it needs a value"));
    }
    if values.iter().any(String::is_empty) && !filter.blank.contain(version) {
        return Err(refuse("it takes no empty value"));
    }
    filter.text(version, values).ok_or_else(|| refuse("it takes one value"))
}

/// Checks that a version is not before the first and not after the last one that has a member.
fn within(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    member: &str,
    (first, last): (ApiVersion, Option<ApiVersion>),
) -> Result<(), VersionError> {
    let reason = match last {
        _ if version < first => format!("it exists since {first}"),
        Some(last) if version > last => format!("it exists until {last}"),
        _ => return Ok(()),
    };
    Err(VersionError { resource: spec.name, member: member.to_owned(), version, reason })
}
