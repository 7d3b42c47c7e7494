//! JSON as Go reads it, where that differs from serde: a list is no struct, and `null` is one without members.
//!
//! serde reads a list into a struct, member by member in their order, so that `{"source":[]}` would name an empty
//! source. One deserializer around another sees to every struct of a body, however deep. Members that come by
//! `#[serde(flatten)]` are read by serde itself: a struct that is flattened must hold no other.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// Reads JSON as the service does.
///
/// ```
/// use voipbin_types::{CallCreate, from_json};
/// assert!(from_json::<CallCreate>(br#"{"source":null}"#).is_ok());
/// assert!(from_json::<CallCreate>(br#"{"source":[]}"#).is_err());
/// ```
///
/// # Errors
/// When it is no JSON, or not what the type says.
pub fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = T::deserialize(Strict(&mut deserializer))?;
    deserializer.end()?;
    Ok(read)
}

/// A deserializer, or a part of one, whose structs are objects.
struct Strict<T>(T);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Object(visitor))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Strict(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Strict(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }

    // JSON says itself what a value is.
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.0.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.0.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.0.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.0.visit_f64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.0.visit_str(value)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.0.visit_borrowed_str(value)
    }

    fn visit_string<E: Error>(self, value: String) -> Result<V::Value, E> {
        self.0.visit_string(value)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Strict(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Strict(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Strict(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(members))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Strict(deserializer))
    }
}

/// What a struct or a map is read by: an object's members, or none.
struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_map(NoMembers(std::marker::PhantomData))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Strict(members))
    }
}

struct NoMembers<E>(std::marker::PhantomData<E>);

impl<'de, E: Error> MapAccess<'de> for NoMembers<E> {
    type Error = E;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, _seed: S) -> Result<Option<S::Value>, E> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, _seed: S) -> Result<S::Value, E> {
        Err(E::custom("there is no member"))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        ActionBody, Address, CallCreate, LoginBody, OutboundConfigCreate, OutboundConfigPatch, ProviderBody,
        ProviderCallCreate, ProviderSetup, RouteCreate, RouteUpdate, ZERO,
    };

    fn read<T: for<'a> Deserialize<'a>>(value: &Value) -> Result<T, String> {
        from_json(value.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    /// Checks that a body is read as it was written, and that no list stands for it or for one of its objects.
    fn holds<T: Serialize + for<'a> Deserialize<'a> + PartialEq + Debug>(body: &T, objects: &[&str]) {
        let whole = serde_json::to_value(body).unwrap();
        assert_eq!(read::<T>(&whole).as_ref(), Ok(body));
        for pointer in objects {
            for list in [json!([]), json!([""]), json!(["", "", "", "", "", "", "", ""])] {
                let mut wrong = whole.clone();
                let object = wrong.pointer_mut(pointer).unwrap();
                assert!(object.is_object(), "{pointer}");
                *object = list;
                assert!(read::<T>(&wrong).is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn no_list_stands_for_an_object_in_any_request() {
        let near = || Address::tel("+14155551234").target_name("A");
        let actions = || [ActionBody::talk("Hello", "en-US"), ActionBody::goto(ZERO, 2)];
        let objects =
            ["", "/source", "/destinations/0", "/destinations/1", "/actions/0", "/actions/1/option"];
        holds(&ProviderCallCreate::new(ZERO, [near(), near()]).source(near()).actions(actions()), &objects);
        holds(&CallCreate::new(near(), [near(), near()]).actions(actions()), &objects);
        let mut provider = ProviderBody::sip("A", "carrier.example.com");
        provider.tech_headers = [("X-A", "1")].into_iter().collect();
        holds(&provider, &["", "/tech_headers"]);
        holds(
            &ProviderSetup { carrier: "didww".to_owned(), ..ProviderSetup::default() },
            &["", "/credentials"],
        );
        let patch = || OutboundConfigPatch::default().destination_whitelist(["us", "gb"]).name("A");
        holds(&patch(), &[""]);
        holds(&OutboundConfigCreate::from(patch()), &[""]);
        holds(&RouteUpdate::new("+1", ZERO), &[""]);
        holds(&RouteCreate { customer_id: ZERO, route: RouteUpdate::new("+1", ZERO) }, &[""]);
        holds(&LoginBody { username: "a".to_owned(), password: "b".to_owned().into() }, &[""]);
    }

    #[test]
    fn null_is_an_object_without_members() {
        let body = json!({ "source": null, "destinations": [null], "actions": null });
        let read: CallCreate = read(&body).unwrap();
        assert_eq!((read.source, read.destinations), (None, vec![Address::default()]));
        assert_eq!(from_json::<RouteUpdate>(b"null").unwrap(), RouteUpdate::default());
    }

    #[test]
    fn what_is_no_json_or_goes_on_behind_it_is_refused() {
        for text in ["", "x", "{", "{}x", "{} {}", "1", "\"\""] {
            assert!(from_json::<CallCreate>(text.as_bytes()).is_err(), "{text}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("\\PC{0,4}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_holds_no_struct_is_read_as_ever(value in any_value()) {
            let text = value.to_string();
            prop_assert_eq!(from_json::<Value>(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
