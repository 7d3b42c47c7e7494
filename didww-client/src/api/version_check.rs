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

/// Checks that the version has the attribute or the relationship. A relationship of older versions can have the name of
/// the attribute that replaced it: then the version has one of both.
fn field(spec: &'static ResourceSpec, version: ApiVersion, name: &str) -> Result<(), VersionError> {
    let attribute = spec.attribute(name);
    let attribute = attribute.map(|found| within(spec, version, name, (found.since, found.until)));
    let relationship = spec.relationship(name);
    let relationship = relationship.map(|found| within(spec, version, name, (found.since, found.until)));
    match (attribute, relationship) {
        (Some(Ok(())), _) | (_, Some(Ok(()))) | (None, None) => Ok(()),
        (Some(refused), _) | (None, Some(refused)) => refused,
    }
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
        field(spec, version, name)?;
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

#[cfg(test)]
mod tests {
    use didww_types::Resource as _;
    use didww_types::resources::{DidGroup, VoiceInTrunk};

    use super::*;

    fn fields(
        spec: &'static ResourceSpec,
        version: ApiVersion,
        names: &[&str],
    ) -> Result<Parameters, VersionError> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let selected = Parameters { fields: vec![(spec.name.to_owned(), names)], ..Parameters::default() };
        parameters(spec, version, &selected)
    }

    #[test]
    fn a_field_that_was_a_relationship_and_is_an_attribute_now_can_be_selected_in_every_version() {
        for version in ApiVersion::ALL {
            let named = fields(VoiceInTrunk::SPEC, version, &["name", "pop"]).unwrap();
            assert_eq!(named.fields[0].1, ["name", "pop"], "{version}");
        }
    }

    #[test]
    fn a_field_that_the_version_lacks_is_refused_with_the_versions_that_have_it() {
        let (before, newest) = (ApiVersion::V2026_04_16, ApiVersion::V2026_11_19);
        for (version, name, reason) in [
            (before, "number_type", "it exists since 2026-11-19"),
            (newest, "did_group_type", "it exists until 2026-04-16"),
        ] {
            let refused = fields(DidGroup::SPEC, version, &["prefix", name]).unwrap_err();
            assert_eq!((refused.member.as_str(), refused.reason.as_str()), (name, reason));
        }
    }
}
