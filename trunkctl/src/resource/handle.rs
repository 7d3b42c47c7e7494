//! The attribute by which people identify a record, such as a trunk's name or a DID's number, and look-ups of ids by
//! it.

use didww_client::{
    ApiVersion, AttributeSpec, Client, FilterSpec, FilterTest, Method, ResourceObject, ResourceSpec,
    TryStreamExt as _, Verb,
};

use crate::exit::{Exit, Failure};
use crate::service_error::failure;

/// The attribute that names the records of a type, and the filter that finds a record by it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Handle {
    /// The attribute.
    pub attribute: &'static AttributeSpec,
    /// The filter that compares it, if the type has one.
    pub filter: Option<&'static FilterSpec>,
    /// Whether the service refuses a second record with the same value.
    pub is_unique: bool,
}

impl Handle {
    /// The handle of a type: its unique attribute, else its name.
    pub(crate) fn of(spec: &'static ResourceSpec, version: ApiVersion) -> Option<Self> {
        let attributes = || spec.attributes.iter().filter(|attribute| attribute.exists_in(version));
        let unique = attributes().find(|attribute| attribute.unique || attribute.unique_everywhere);
        let attribute = unique.or_else(|| attributes().find(|attribute| attribute.name == "name"))?;
        let filter =
            spec.filters_at(version).find(|filter| filter.test == FilterTest::Equals(attribute.name));
        Some(Self { attribute, filter, is_unique: unique.is_some() })
    }

    /// The value of a record.
    pub(crate) fn value<'a>(&self, record: &'a ResourceObject) -> Option<&'a str> {
        record.attributes.get(self.attribute.name)?.as_str()
    }
}

/// Whether a text is an id: a UUID.
pub(crate) fn is_id(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The id that a text names: the text itself if it is an id, else the id of the only record with this handle.
///
/// # Errors
/// When there is no such record, or more than one, or the request fails.
pub(crate) async fn resolve(
    client: &Client,
    spec: &'static ResourceSpec,
    text: &str,
) -> Result<String, Failure> {
    let version = client.api_version();
    let handle = Handle::of(spec, version).filter(|_| spec.has(Verb::List));
    let (Some(handle), false) = (handle, is_id(text)) else { return Ok(text.to_owned()) };
    let name = handle.attribute.name;
    let mut request = client.raw(Method::GET, &format!("/{}", spec.path_at(version)));
    if let Some(filter) = handle.filter
        && let Some(value) = filter.text(version, &[text.to_owned()])
    {
        request = request.query(&format!("filter[{}]", filter.name), &value);
    }
    let found: Vec<ResourceObject> =
        request.records().try_collect().await.map_err(|error| failure(&error))?;
    // A filter may search in the text, or take a comma for a separator.
    let mut same = found.iter().filter(|record| handle.value(record) == Some(text));
    match (same.next(), same.next()) {
        (Some(record), None) => Ok(record.id.clone()),
        (None, _) => Err(Failure::new(
            Exit::NotFound,
            format!("there is no record of {} with {name} `{text}`", spec.name),
        )),
        (Some(_), Some(_)) => Err(Failure::new(
            Exit::Invalid,
            format!("several records of {} have {name} `{text}`: name one by its id", spec.name),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_from_names() {
        assert!(is_id("0a161808-bb05-42b1-8398-7888abdfa9ef"));
        for text in
            ["", "Berlin", "37061498222", "0a161808-bb05-42b1-8398-7888abdfa9eg", "-----", "a-b-c-d-e"]
        {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn trunks_are_named_by_their_name_and_numbers_by_their_number() {
        let handle = |kind| Handle::of(didww_client::find(kind).unwrap(), ApiVersion::NEWEST).unwrap();
        assert_eq!(handle("voice_out_trunks").attribute.name, "name");
        assert!(handle("voice_out_trunks").is_unique && handle("voice_out_trunks").filter.is_some());
        assert_eq!(handle("dids").attribute.name, "number");
        assert!(!handle("capacity_pools").is_unique);
    }
}
