//! Decoding of JSON as Go does it, where that differs from serde: an array is not a struct, `null` is a
//! struct without members, the names of a struct's members are read in any case, of a member that occurs twice the last
//! one counts, and half of a surrogate pair is U+FFFD, as are bytes that are not UTF-8.
//!
//! serde decodes an array into a struct, member by member in their order, so that `{"source":[]}` would be an
//! empty source. A deserializer that wraps another one prevents this for every struct of a body at any depth.
//! serde itself decodes the members of a `#[serde(flatten)]` field, so a flattened struct must not contain
//! another struct.

mod lower_case;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;

use lower_case::LowerCase;

/// Decodes JSON as the service does: an array is not accepted for an object, `null` is an empty one, and the last of
/// several members with one name counts. `Source` is the member `source`; the names in a map, such as those of
/// variables, are kept. Text that is not Unicode is replaced by U+FFFD.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::{CallCreate, from_json};
/// assert!(from_json::<CallCreate>(br#"{"source":null}"#).is_ok());
/// assert!(from_json::<CallCreate>(br#"{"source":[]}"#).is_err());
/// assert!(from_json::<CallCreate>(br#"{"anonymous":"yes","anonymous":"no"}"#).is_ok());
/// ```
///
/// # Errors
/// Returns an error when the text is not JSON, does not have the shape of `T`, or continues after the value.
pub fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match T::deserialize(Decoder { inner: &mut deserializer, is_body: true }) {
        Ok(read) => {
            deserializer.end()?;
            Ok(read)
        }
        Err(error) if error.is_data() && !error.to_string().starts_with("duplicate field") => Err(error),
        Err(error) => read_what_serde_refuses(bytes).ok_or(error),
    }
}

/// Decodes a text in which a member occurs twice, or that is not Unicode. A `Value` keeps the last of several members.
fn read_what_serde_refuses<'a, T: Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    let value: Value = serde_json::from_str(&with_replacements(bytes)?).ok()?;
    T::deserialize(Decoder { inner: value, is_body: true }).ok()
}

/// The text with U+FFFD in place of each byte that is not UTF-8, and its escape in place of those of lone surrogates.
/// `None` for a text that ends in an escape, which is no JSON.
fn with_replacements(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        let (kept, length) = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (escape.get(..12)?, 12),
            (Some(_), _) => ("\\ufffd", 6),
            (None, _) => (escape.get(..2)?, 2),
        };
        replaced.push_str(plain);
        replaced.push_str(kept);
        rest = escape.get(length..)?;
    }
    replaced.push_str(rest);
    Some(replaced)
}

/// The surrogate whose escape a text begins with.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..=0xdfff).contains(unit))
}

/// A wrapper of a deserializer that decodes structs only from objects and `null`.
struct Decoder<D> {
    inner: D,
    /// Whether it decodes a whole body, which is a struct of the service. Here it can be a map: serde decodes a struct
    /// with a flattened field as one.
    is_body: bool,
}

impl<D> Decoder<D> {
    fn of_part(inner: D) -> Self {
        Self { inner, is_body: false }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Decoder<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Object { visitor, is_struct: true })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Object { visitor, is_struct: self.is_body })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Strict(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Strict(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, Strict(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    // In JSON the text determines the type of a value, so these all forward to `deserialize_any`.
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier
    }
}

/// A wrapper of a part of a deserializer, whose values a [`Decoder`] decodes.
struct Strict<T>(T);

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
        self.0.visit_some(Decoder::of_part(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Decoder::of_part(deserializer))
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
        self.0.deserialize(Decoder::of_part(deserializer))
    }
}

/// A wrapper of the visitor of a struct or map. It accepts an object, or `null` as an object without members.
struct Object<V> {
    visitor: V,
    is_struct: bool,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_map(NoMembers(std::marker::PhantomData))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        if self.is_struct {
            self.visitor.visit_map(Members(members))
        } else {
            self.visitor.visit_map(Strict(members))
        }
    }
}

/// The members of a struct.
struct Members<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(LowerCase(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Strict(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
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
    use serde_json::json;

    use super::*;
    use crate::{
        ActionBody, Address, CallCreate, LoginBody, OutboundConfigCreate, OutboundConfigPatch, ProviderBody,
        ProviderCallCreate, ProviderSetup, RouteCreate, RouteUpdate, ZERO,
    };

    fn read<T: for<'a> Deserialize<'a>>(value: &Value) -> Result<T, String> {
        from_json(value.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    /// Asserts that a body round-trips, and that an array is refused in place of it and of each of its
    /// objects.
    fn assert_objects_only<T: Serialize + for<'a> Deserialize<'a> + PartialEq + Debug>(
        body: &T,
        objects: &[&str],
    ) {
        let json = serde_json::to_value(body).unwrap();
        assert_eq!(read::<T>(&json).as_ref(), Ok(body));
        for pointer in objects {
            for list in [json!([]), json!([""]), json!(["", "", "", "", "", "", "", ""])] {
                let mut wrong = json.clone();
                let object = wrong.pointer_mut(pointer).unwrap();
                assert!(object.is_object(), "{pointer}");
                *object = list;
                assert!(read::<T>(&wrong).is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn an_array_is_refused_for_every_object_of_every_request() {
        let address = || Address::tel("+14155551234").target_name("A");
        let actions = || [ActionBody::talk("Hello", "en-US"), ActionBody::goto(ZERO, 2)];
        let objects =
            ["", "/source", "/destinations/0", "/destinations/1", "/actions/0", "/actions/1/option"];
        assert_objects_only(
            &ProviderCallCreate::new(ZERO, [address(), address()]).source(address()).actions(actions()),
            &objects,
        );
        assert_objects_only(
            &CallCreate::new([address(), address()]).source(address()).actions(actions()),
            &objects,
        );
        let mut provider = ProviderBody::sip("A", "carrier.example.com");
        provider.tech_headers = [("X-A", "1")].into_iter().collect();
        assert_objects_only(&provider, &["", "/tech_headers"]);
        assert_objects_only(
            &ProviderSetup { carrier: "didww".to_owned(), ..ProviderSetup::default() },
            &["", "/credentials"],
        );
        let patch = || OutboundConfigPatch::default().destination_whitelist(["us", "gb"]).name("A");
        assert_objects_only(&patch(), &[""]);
        assert_objects_only(&OutboundConfigCreate::from(patch()), &[""]);
        assert_objects_only(&RouteUpdate::new("+1", ZERO), &[""]);
        assert_objects_only(&RouteCreate { customer_id: ZERO, route: RouteUpdate::new("+1", ZERO) }, &[""]);
        assert_objects_only(&LoginBody { username: "a".to_owned(), password: "b".to_owned().into() }, &[""]);
    }

    #[test]
    fn null_is_an_object_without_members() {
        let body = json!({ "source": null, "destinations": [null], "actions": null });
        let read: CallCreate = read(&body).unwrap();
        assert_eq!((read.source, read.destinations), (None, vec![Address::default()]));
        assert_eq!(from_json::<RouteUpdate>(b"null").unwrap(), RouteUpdate::default());
    }

    #[test]
    fn null_is_an_empty_text_in_lists_and_maps_too() {
        let call: CallCreate = read(&json!({ "variables": { "Name": null, "b": "c" } })).unwrap();
        assert_eq!((call.variables["Name"].as_str(), call.variables["b"].as_str()), ("", "c"));
        let list = json!({ "destination_whitelist": ["us", null] });
        let patch: OutboundConfigPatch = read(&list).unwrap();
        let create: OutboundConfigCreate = read(&list).unwrap();
        for patch in [patch, create.config] {
            assert_eq!(patch.destination_whitelist.unwrap(), ["us", ""]);
        }
        for body in [json!({ "variables": { "a": 1 } }), json!({ "variables": [null] })] {
            assert!(read::<CallCreate>(&body).is_err(), "{body}");
        }
        let none: OutboundConfigPatch = read(&json!({ "destination_whitelist": null })).unwrap();
        assert_eq!(none, OutboundConfigPatch::default());
    }

    #[test]
    fn of_a_member_that_occurs_twice_the_last_one_counts() {
        let text = br#"{"source":{"target":"-"},"source":{"type":"sip","type":"tel","target":"+1"},"destinations":[],
            "destinations":[{"target":"a","target":"b"}]}"#;
        let read: CallCreate = from_json(text).unwrap();
        assert_eq!(read.source, Some(Address::tel("+1")));
        assert_eq!(read.destinations, [Address { target: "b".to_owned(), ..Address::default() }]);
        let route: RouteCreate = from_json(br#"{"priority":1,"customer_id":"x","priority":2}"#).unwrap();
        assert_eq!((route.customer_id, route.route.priority), (ZERO, 2));
        for text in [r#"{"destinations":[],"destinations":5}"#, r#"{"source":{},"source":[]}"#] {
            let error = from_json::<CallCreate>(text.as_bytes()).unwrap_err();
            assert!(error.is_data() && error.line() == 1, "{error}");
        }
    }

    #[test]
    fn the_names_of_members_are_read_in_any_case_and_those_in_maps_are_kept() {
        let text =
            br#"{"Source":{"Type":"tel","TARGET":"+1"},"Destinations":[{"type":"tel","Target_Name":"B"}],
            "Actions":[{"Type":"talk","Option":{"Text":"Hello"}}],"Variables":{"Name":"Ann"}}"#;
        let read: CallCreate = from_json(text).unwrap();
        assert_eq!(read.source, Some(Address::tel("+1")));
        assert_eq!(read.destinations, [Address::tel("").target_name("B")]);
        let action = &read.actions[0];
        assert_eq!((action.kind.as_str(), &action.option["Text"]), ("talk", &json!("Hello")));
        assert_eq!(read.variables["Name"], "Ann");
        // serde decodes these as maps, and the text a second time.
        let text = br#"{"Hostname":"a","Hostname":"h","TECH_HEADERS":{"X-A":"1"}}"#;
        let provider: ProviderBody = from_json(text).unwrap();
        assert_eq!((provider.hostname.as_str(), provider.tech_headers["X-A"].as_str()), ("h", "1"));
        let route: RouteCreate = from_json(br#"{"Priority":2,"Target":"all"}"#).unwrap();
        assert_eq!((route.route.priority, route.route.target.as_str()), (2, "all"));
    }

    #[test]
    fn what_is_not_unicode_is_replaced() {
        let name = |text: &[u8]| from_json::<RouteUpdate>(text).map(|read| read.name).ok();
        for (text, read) in [
            (r#"{"name":"a\ud83d\ude00b"}"#, "a\u{1f600}b"),
            (r#"{"name":"a\ud83db"}"#, "a\u{fffd}b"),
            (r#"{"name":"\uDE00\uD83D"}"#, "\u{fffd}\u{fffd}"),
            (r#"{"name":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (r#"{"name":"\\ud83d\ud83d\n"}"#, "\\ud83d\u{fffd}\n"),
        ] {
            assert_eq!(name(text.as_bytes()).as_deref(), Some(read), "{text}");
        }
        assert_eq!(name(b"{\"name\":\"a\xffb\"}").as_deref(), Some("a\u{fffd}b"));
        // Each byte of a character that was cut, as Go does.
        assert_eq!(name(b"{\"name\":\"a\xe2\x82\"}").as_deref(), Some("a\u{fffd}\u{fffd}"));
        for text in [r#"{"name":"\ud83d"#, r#"{"name":"\"#, r#"{"name":"\ud8"}"#, "{\u{fffd}}"] {
            assert_eq!(name(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_json_or_continues_after_it_is_refused() {
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
        fn a_value_without_structs_is_decoded_as_by_serde(value in any_value()) {
            let text = value.to_string();
            prop_assert_eq!(from_json::<Value>(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
