//! How members are read that the service's own programs read leniently.

use serde::{Deserialize, Deserializer};
use uuid::Uuid;
use wire_core::parsed;

/// `null` is the empty value, as for every member that the service reads.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// `""` is no value: the documents show it where the running service leaves the member out.
pub(super) fn not_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> From<&'a str>,
{
    struct Text<T>(Option<T>);

    impl<'de, T: for<'a> From<&'a str>> Deserialize<'de> for Text<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let read = |text: &str| Some(text).filter(|text| !text.is_empty()).map(T::from);
            parsed(deserializer, |text| Ok::<_, std::convert::Infallible>(Self(read(text))))
        }
    }

    Ok(Option::<Text<T>>::deserialize(deserializer)?.and_then(|text| text.0))
}

/// A text that is no UUID is [`ZERO`](super::ZERO), where the service binds the member as a text.
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

/// Whether a member that an id may be absent from is left out.
pub(super) fn is_zero(id: &Uuid) -> bool {
    id.is_nil()
}
