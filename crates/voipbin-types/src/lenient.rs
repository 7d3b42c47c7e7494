//! Decoding of members for which the service's own programs are lenient.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use uuid::Uuid;
use wire_core::parsed;

/// Decodes `null` as the empty value, as the service does for every member.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Like [`or_default`], for a list of texts and for each of them.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let texts = Option::<Vec<Option<String>>>::deserialize(deserializer)?;
    Ok(texts.map(|texts| texts.into_iter().map(Option::unwrap_or_default).collect()))
}

/// Like [`or_default`], for texts by their names and for each of them.
pub(super) fn named_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let texts: BTreeMap<String, Option<String>> = or_default(deserializer)?;
    Ok(texts.into_iter().map(|(name, text)| (name, text.unwrap_or_default())).collect())
}

/// Decodes `""` as an absent value: the service's documents show it where the running service omits the
/// member.
pub(super) fn not_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> From<&'a str>,
{
    struct Text<T>(Option<T>);

    impl<'de, T: for<'a> From<&'a str>> Deserialize<'de> for Text<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = |text: &str| Some(text).filter(|text| !text.is_empty()).map(T::from);
            parsed(deserializer, |text| Ok::<_, std::convert::Infallible>(Self(value(text))))
        }
    }

    Ok(Option::<Text<T>>::deserialize(deserializer)?.and_then(|text| text.0))
}

/// Decodes a text that is not a UUID as [`ZERO`](super::ZERO), for members that the service itself declares
/// as texts.
pub(super) fn uuid_or_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    struct Loose(Uuid);

    impl<'de> Deserialize<'de> for Loose {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            parsed(deserializer, |text| {
                Ok::<_, std::convert::Infallible>(Self(Uuid::try_parse(text).unwrap_or_default()))
            })
        }
    }

    Ok(Option::<Loose>::deserialize(deserializer)?.map_or(Uuid::nil(), |loose| loose.0))
}

/// Whether an optional member is omitted on the wire: an id of zeros, or the number 0.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
