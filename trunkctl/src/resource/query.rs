//! Filters, sort criteria and included relationships of a list, checked against the declaration before they are sent.

use didww_client::{ApiVersion, FilterSpec, Kind, Parameters, ResourceSpec, find, split_values};

use super::words;
use crate::exit::Failure;
use crate::near::is_like;

/// The values of `--filter` that can be completed: names, and each text of an enumeration.
pub(super) fn filter_words(spec: &'static ResourceSpec) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for filter in spec.filters.iter().filter(|filter| !filter.legacy) {
        match filter.kind {
            Kind::Enumeration(texts) => {
                words.extend(texts.iter().map(|text| format!("{}={text}", filter.name)));
            }
            Kind::Boolean => {
                words.extend(["true", "false"].map(|text| format!("{}={text}", filter.name)));
            }
            _ => words.push(format!("{}=", filter.name)),
        }
    }
    words
}

/// The values of `--sort`.
pub(super) fn sort_words(spec: &'static ResourceSpec) -> Vec<String> {
    let names = spec.attributes.iter().filter(|attribute| attribute.sort).map(|attribute| attribute.name);
    let names = names.chain(spec.sorts.iter().map(|sort| sort.name));
    names.flat_map(|name| [name.to_owned(), format!("-{name}")]).collect()
}

/// The values of `--include`.
pub(super) fn include_words(spec: &'static ResourceSpec) -> Vec<String> {
    let shown = spec.relationships.iter().filter(|relationship| !relationship.write_only);
    let names = shown.map(|relationship| relationship.name);
    names.chain(spec.nested_includes.iter().map(|include| include.path)).map(str::to_owned).collect()
}

/// Makes the parameters of `NAME=VALUE` filters, of which several with one name are a list.
///
/// # Errors
/// For a name that the version does not have, and a list or a value that a filter does not accept.
pub(super) fn filters(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    given: &[String],
    parameters: &mut Parameters,
) -> Result<(), Failure> {
    let mut values: Vec<(&'static FilterSpec, Vec<String>)> = Vec::new();
    for text in given {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--filter {text}: expected NAME=VALUE, such as {}", example(spec)))
        })?;
        let filter = spec.filters_at(version).find(|filter| filter.name == name);
        let filter = filter.ok_or_else(|| unknown_filter(spec, version, name))?;
        let several = if filter.list.contain(version) {
            split_values(value).iter().map(|value| value.clone().into_owned()).collect()
        } else {
            vec![value.to_owned()]
        };
        if let Kind::Enumeration(texts) = filter.kind
            && let Some(wrong) =
                several.iter().find(|value| !value.is_empty() && !texts.contains(&value.as_str()))
        {
            let right = words::of_kind(&filter.kind);
            return Err(Failure::usage(format!("--filter {name}={wrong}: {name} is {right}")));
        }
        match values.iter_mut().find(|(known, _)| known.name == name) {
            Some((_, present)) => present.extend(several),
            None => values.push((filter, several)),
        }
    }
    for (filter, values) in values {
        let text = filter.text(version, &values).ok_or_else(|| {
            Failure::usage(format!("--filter {}: in {version} the filter takes one value", filter.name))
        })?;
        parameters.filters.push((filter.name.to_owned(), text));
    }
    Ok(())
}

fn example(spec: &'static ResourceSpec) -> String {
    filter_words(spec).into_iter().find(|word| !word.ends_with('=')).unwrap_or_else(|| "id=ID".to_owned())
}

fn unknown_filter(spec: &'static ResourceSpec, version: ApiVersion, name: &str) -> Failure {
    if let Some(filter) = spec.filters.iter().find(|filter| filter.name == name) {
        let exists = match filter.until.filter(|last| version > *last) {
            Some(last) => format!("exists up to {last}"),
            None => format!("exists since {}", filter.since),
        };
        return Failure::usage(format!("--filter {name}: {exists}, and requests ask for {version}"));
    }
    let known: Vec<&str> =
        spec.filters_at(version).filter(|filter| !filter.legacy).map(|filter| filter.name).collect();
    Failure::usage(format!("--filter {name}: {} have no such filter; {}", spec.name, suggested(&known, name)))
}

/// Makes the parameters of sort criteria.
///
/// # Errors
/// For a name by which the type cannot be sorted.
pub(super) fn sort(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    given: &[String],
    parameters: &mut Parameters,
) -> Result<(), Failure> {
    let known: Vec<&str> = spec.sorts_at(version).collect();
    for text in given {
        let name = text.strip_prefix('-').unwrap_or(text);
        if !known.contains(&name) {
            let right = suggested(&known, name);
            return Err(Failure::usage(format!(
                "--sort {text}: {} are not sorted by it; {right}",
                spec.name
            )));
        }
        parameters.sort.push(text.clone());
    }
    Ok(())
}

/// Makes the parameter of included relationships.
///
/// # Errors
/// For a path through relationships that the version does not have.
pub(super) fn include(
    spec: &'static ResourceSpec,
    version: ApiVersion,
    given: &[String],
    parameters: &mut Parameters,
) -> Result<(), Failure> {
    for path in given {
        let mut owner = Some(spec);
        for name in path.split('.') {
            let Some(known) = owner else { break };
            let found = super::body::relationship(known, version, name).ok_or_else(|| {
                let names: Vec<&str> =
                    known.relationships_at(version).map(|relationship| relationship.name).collect();
                let right = suggested(&names, name);
                Failure::usage(format!(
                    "--include {path}: {} have no relationship {name}; {right}",
                    known.name
                ))
            })?;
            owner = find(found.target);
        }
        parameters.include.push(spec.include_at(version, path));
    }
    Ok(())
}

fn suggested(known: &[&str], name: &str) -> String {
    let like: Vec<&str> = known.iter().copied().filter(|known| is_like(known, name)).collect();
    if like.is_empty() {
        format!("known are {}", known.join(", "))
    } else {
        format!("is {} meant?", like.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunks(filter: &[&str], version: ApiVersion) -> Result<Vec<(String, String)>, String> {
        let spec = find("voice_out_trunks").unwrap();
        let mut parameters = Parameters::default();
        let given: Vec<String> = filter.iter().map(|text| (*text).to_owned()).collect();
        filters(spec, version, &given, &mut parameters).map_err(|failure| failure.text)?;
        Ok(parameters.filters)
    }

    #[test]
    fn a_name_with_a_comma_is_one_value() {
        let one = trunks(&["name=Sales, North"], ApiVersion::NEWEST).unwrap();
        assert_eq!(one, [("name".to_owned(), "Sales, North".to_owned())]);
        let two = trunks(&["name=a,b", "name=\"c,d\""], ApiVersion::V2022_05_10).unwrap();
        assert_eq!(two, [("name".to_owned(), "a,b,\"c,d\"".to_owned())]);
    }

    #[test]
    fn what_is_not_declared_is_refused_with_what_is() {
        let refused = |filter| trunks(&[filter], ApiVersion::NEWEST).unwrap_err();
        assert!(refused("stauts=active").contains("is status meant?"));
        assert!(refused("status=open").contains("one of active, blocked"));
        assert!(refused("status").contains("NAME=VALUE"));
        let old = trunks(&["authentication_method.type=twilio"], ApiVersion::V2022_05_10).unwrap_err();
        assert!(old.contains("exists since 2026-04-16"), "{old}");
    }

    #[test]
    fn what_ended_is_refused_with_its_last_version() {
        let spec = find("did_groups").unwrap();
        let given = ["did_group_type.id=1".to_owned()];
        let refused = filters(spec, ApiVersion::NEWEST, &given, &mut Parameters::default()).unwrap_err();
        assert!(refused.text.contains("exists up to 2026-04-16"), "{}", refused.text);
        let trunks = find("voice_in_trunks").unwrap();
        let given = ["pop".to_owned()];
        let refused = include(trunks, ApiVersion::NEWEST, &given, &mut Parameters::default()).unwrap_err();
        assert!(!refused.text.contains("is pop meant?"), "{}", refused.text);
        assert!(include(trunks, ApiVersion::V2026_04_16, &given, &mut Parameters::default()).is_ok());
    }

    #[test]
    fn every_criterion_of_the_version_sorts() {
        let spec = find("did_groups").unwrap();
        let sorted = |version, name: &str| {
            let mut parameters = Parameters::default();
            sort(spec, version, &[name.to_owned()], &mut parameters).map(|()| parameters.sort)
        };
        assert_eq!(sorted(ApiVersion::NEWEST, "-country.name").unwrap(), ["-country.name"]);
        assert!(sorted(ApiVersion::V2026_04_16, "did_group_type.name").is_ok());
        assert!(sorted(ApiVersion::NEWEST, "did_group_type.name").is_err());
        assert!(sort_words(spec).contains(&"-country.name".to_owned()));
    }
}
