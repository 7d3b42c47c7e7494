//! Declares a resource that the SDK does not know, and uses it like the SDK's own: typed requests, filters, sorts,
//! bodies, partial updates and retries.
//!
//! `cargo run -p trunk-examples --example declare_a_resource`
//!
//! With `DIDWW_BASE_URL` and `DIDWW_API_KEY` it lists the countries of that service. The server of this workspace has
//! some if it was started with `--reference-data demo`.

use didww_client::{Client, Error, Extra, Id, Resource, TryStreamExt as _};
use trunk_examples::{Outcome, Service};

/// A country in which numbers can be rented. The fields are the attributes that this program uses; others are kept in
/// `extra`.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "countries", since = "2017-09-18", verbs(list, get), crate = "didww_client")]
#[filter(name = "id", id, list, value = Id<Country>)]
pub struct Country {
    /// The country's id, a UUID that relationships refer to.
    pub id: Id<Country>,
    /// The name in English.
    #[attr(filter)]
    pub name: String,
    /// The country calling code, without a plus.
    #[attr(filter)]
    pub prefix: String,
    /// The code of two letters (ISO 3166-1).
    #[attr(filter)]
    pub iso: String,
    /// Attributes that are not declared here.
    #[extra]
    pub extra: Extra,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let service = Service::from_environment().await?;
    match lithuanian(&service.client).await {
        Ok(countries) => {
            for country in countries {
                println!("{} +{}", country.name, country.prefix);
            }
        }
        Err(error @ Error::NotFound(_)) => println!("this service has no countries: {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Lists the countries with the code `LT`, from all pages.
async fn lithuanian(client: &Client) -> Result<Vec<Country>, Error> {
    let countries = client.api::<Country>();
    countries.list().filter(CountryFilter::iso("LT")).stream().try_collect().await
}

#[cfg(test)]
mod tests {
    use didww_client::{ApiVersion, DecodeError, ResourceObject};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_service_without_reference_data_has_an_empty_list() {
        let service = Service::in_process().await.unwrap();
        assert_eq!(lithuanian(&service.client).await.unwrap(), []);
    }

    #[test]
    fn a_record_is_decoded_and_keeps_what_is_not_declared() {
        let object = json!({"id": "1", "type": "countries", "attributes": {
            "name": "Lithuania", "prefix": "370", "iso": "LT", "capital": "Vilnius"}});
        let object: ResourceObject = serde_json::from_value(object).unwrap();
        let country = Country::decode_at(ApiVersion::NEWEST, object).unwrap();
        assert_eq!((country.prefix.as_str(), &country.extra["capital"]), ("370", &json!("Vilnius")));
        let nameless = ResourceObject { kind: "countries".to_owned(), ..ResourceObject::default() };
        let error: DecodeError = Country::decode(nameless).unwrap_err();
        assert_eq!(error.path(), "attributes.name");
    }
}
