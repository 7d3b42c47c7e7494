//! The members of a page of records that a plan needs. The rest of the text is skipped, and takes no memory.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use didww_client::{
    ApiVersion, CollectionMeta, Document, PageLinks, RelationshipObject, ResourceObject, ResourceSpec,
};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::mark::ATTRIBUTE;

/// The members that are read of each record, beside its id and type.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    attributes: Vec<&'static str>,
    relationships: Vec<&'static str>,
}

impl Projection {
    /// A projection to these members, the name of a record, and its mark. `None` if answers of the version have other
    /// names than the declaration of the type: then the whole records are needed. An answer of a newer version has the
    /// names too.
    pub(super) fn of<'a>(
        spec: &'static ResourceSpec,
        version: ApiVersion,
        members: impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        if spec.needs_conversion(version) {
            return None;
        }
        let named = spec.attributes.iter().filter(|attribute| {
            attribute.unique || attribute.unique_everywhere || ["name", ATTRIBUTE].contains(&attribute.name)
        });
        let mut attributes: Vec<&'static str> = named.map(|attribute| attribute.name).collect();
        let mut relationships = Vec::new();
        for member in members {
            // Thousands of records declare the same few members.
            if attributes.contains(&member) || relationships.contains(&member) {
                continue;
            }
            attributes.extend(spec.attribute(member).map(|attribute| attribute.name));
            relationships.extend(spec.relationship(member).map(|relationship| relationship.name));
        }
        Some(Self { attributes, relationships })
    }

    /// Whether every member of another one is read.
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.attributes.iter().all(|name| self.attributes.contains(name))
            && other.relationships.iter().all(|name| self.relationships.contains(name))
    }

    /// Reads the text of a page. `None` if it is malformed: the caller decodes the whole page for the error.
    pub(super) fn read(&self, body: &[u8]) -> Option<Document<Vec<ResourceObject>>> {
        // Skipped texts are not decoded, so this is not checked later.
        let text = std::str::from_utf8(body).ok()?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let page = Page(self).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(page)
    }
}

/// A name, read as its position among these; `None` if it is none of them.
struct Position<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Position<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Position<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// A document with a list of records.
struct Page<'p>(&'p Projection);

impl<'de> DeserializeSeed<'de> for Page<'_> {
    type Value = Document<Vec<ResourceObject>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Page<'_> {
    type Value = Document<Vec<ResourceObject>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut data, mut meta, mut links) = (None, CollectionMeta::default(), PageLinks::default());
        while let Some(position) = members.next_key_seed(Position(&["data", "meta", "links"]))? {
            match position {
                Some(0) => data = Some(members.next_value_seed(Records(self.0))?),
                Some(1) => meta = members.next_value()?,
                Some(2) => links = members.next_value()?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        let data = data.ok_or_else(|| A::Error::missing_field("data"))?;
        Ok(Document { data, included: Vec::new(), meta, links })
    }
}

/// The records of a page.
struct Records<'p>(&'p Projection);

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = Vec<ResourceObject>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = Vec<ResourceObject>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::new();
        while let Some(record) = items.next_element_seed(Record(self.0))? {
            records.push(record);
        }
        Ok(records)
    }
}

/// A record.
struct Record<'p>(&'p Projection);

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = ResourceObject;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = ResourceObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        const NAMES: [&str; 4] = ["id", "type", "attributes", "relationships"];
        let mut record = ResourceObject::default();
        while let Some(position) = members.next_key_seed(Position(&NAMES))? {
            match position {
                Some(0) => record.id = members.next_value()?,
                Some(1) => record.kind = members.next_value()?,
                Some(2) => {
                    let seed: Kept<'_, Map<String, Value>, Value> = Kept::of(&self.0.attributes);
                    record.attributes = members.next_value_seed(seed)?;
                }
                Some(3) => {
                    let seed: Kept<'_, BTreeMap<String, RelationshipObject>, RelationshipObject> =
                        Kept::of(&self.0.relationships);
                    record.relationships = members.next_value_seed(seed)?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(record)
    }
}

/// An object, of which the members with these names are kept.
struct Kept<'n, C, V> {
    names: &'n [&'static str],
    kept: PhantomData<fn() -> (C, V)>,
}

impl<'n, C, V> Kept<'n, C, V> {
    fn of(names: &'n [&'static str]) -> Self {
        Self { names, kept: PhantomData }
    }
}

impl<'de, C, V> DeserializeSeed<'de> for Kept<'_, C, V>
where
    C: Default + Extend<(String, V)>,
    V: Deserialize<'de>,
{
    type Value = C;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<C, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, C, V> Visitor<'de> for Kept<'_, C, V>
where
    C: Default + Extend<(String, V)>,
    V: Deserialize<'de>,
{
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<C, A::Error> {
        let mut kept = C::default();
        while let Some(position) = members.next_key_seed(Position(self.names))? {
            match position.and_then(|position| self.names.get(position)) {
                Some(name) => kept.extend([((*name).to_owned(), members.next_value::<V>()?)]),
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trunks(members: &[&str]) -> Projection {
        let spec = didww_client::find("voice_out_trunks").unwrap();
        Projection::of(spec, ApiVersion::NEWEST, members.iter().copied()).unwrap()
    }

    fn page() -> Value {
        let method = json!({"type": "credentials_and_ip", "attributes": {"username": "u", "password": "p"}});
        let linkage = json!({"links": {"self": "https://x/1"}, "data": [{"type": "dids", "id": "7"}]});
        json!({
            "data": [{"id": "1", "type": "voice_out_trunks", "meta": {"a": [1, {"b": null}]},
                "attributes": {"name": "Berlin \u{1f4de}", "rtp_ping": true, "capacity_limit": null, "unknown": [1.5],
                    "external_reference_id": "4711", "authentication_method": method},
                "relationships": {"dids": linkage, "default_did": {"data": null}}}],
            "included": [{"id": "7", "type": "dids"}],
            "meta": {"total_records": 3, "api_version": "2026-11-19"},
            "links": {"next": "https://x/v3/voice_out_trunks?page%5Bnumber%5D=2"},
        })
    }

    #[test]
    fn what_is_kept_is_what_decoding_the_whole_page_yields() {
        let text = page().to_string();
        let read = trunks(&["capacity_limit", "dids", "nothing", "dids"]).read(text.as_bytes()).unwrap();
        let mut whole = Document::<Vec<ResourceObject>>::parse(text.as_bytes()).unwrap();
        whole.included.clear();
        let record = &mut whole.data[0];
        record.meta = None;
        record
            .attributes
            .retain(|name, _| ["name", "external_reference_id", "capacity_limit"].contains(&name.as_str()));
        record.relationships.retain(|name, _| name == "dids");
        assert_eq!(read, whole);
        assert_eq!(read.data[0].attributes.len(), 3);
        assert_eq!(read.data[0].relationships.len(), 1);
    }

    #[test]
    fn a_page_that_is_not_as_it_should_be_is_left_to_whole_decoding() {
        let of = |text: &[u8]| trunks(&["dids"]).read(text);
        let text = page().to_string();
        assert!(of(text.as_bytes()).is_some());
        let (cut, longer) = (&text.as_bytes()[..text.len() - 1], format!("{text}x"));
        let mut broken = text.clone().into_bytes();
        let at = text.find("4711").unwrap();
        broken[at] = 0xff;
        let refused: [&[u8]; 7] =
            [cut, longer.as_bytes(), &broken, b"{}", b"[]", br#"{"data":{}}"#, br#"{"data":[{"id":1}]}"#];
        for refused in refused {
            assert!(of(refused).is_none(), "{}", String::from_utf8_lossy(refused));
            assert!(Document::<Vec<ResourceObject>>::parse(refused).is_err());
        }
    }

    #[test]
    fn a_projection_contains_those_of_fewer_members() {
        let more = trunks(&["rtp_ping", "dids"]);
        assert!(more.contains(&trunks(&["dids"])) && more.contains(&trunks(&["rtp_ping", "name"])));
        assert!(!trunks(&["dids"]).contains(&more) && !trunks(&["rtp_ping"]).contains(&more));
    }

    #[test]
    fn versions_with_other_names_need_whole_records() {
        let spec = didww_client::find("voice_out_trunks").unwrap();
        assert!(Projection::of(spec, ApiVersion::V2022_05_10, std::iter::empty()).is_none());
        assert!(Projection::of(spec, ApiVersion::NEWEST, std::iter::empty()).is_some());
    }
}
