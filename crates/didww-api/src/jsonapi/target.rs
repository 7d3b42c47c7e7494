//! Paths below `/v3`: the declared resource, and the endpoint of it.

use didww_types::{ResourceSpec, find};
use percent_encoding::percent_decode_str;

/// A parsed path.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The resource whose type name is the first segment.
    pub spec: &'static ResourceSpec,
    /// The endpoint that the further segments name.
    pub endpoint: Endpoint,
}

/// An endpoint of the resource `T`. Ids and names are percent-decoded and not validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/T`
    Collection,
    /// `/T/{id}`
    Record(String),
    /// `/T/{id}/relationships/{name}`
    Relationship(String, String),
    /// `/T/{id}/{name}`
    Related(String, String),
}

impl Target {
    /// Parses the part of a path after `/v3/`. Returns `None` if its first segment is no declared resource, if an id or a
    /// name is empty or not valid percent-encoded UTF-8, or if it has too many segments.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let decode = |segment: &str| -> Option<String> {
            let text = percent_decode(segment)?;
            if text.is_empty() { None } else { Some(text) }
        };
        let mut segments = path.strip_suffix('/').unwrap_or(path).split('/');
        let spec = find(segments.next()?)?;
        let endpoint = match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (None, ..) => Endpoint::Collection,
            (Some(id), None, ..) => Endpoint::Record(decode(id)?),
            (Some(id), Some("relationships"), Some(name), None) => {
                Endpoint::Relationship(decode(id)?, decode(name)?)
            }
            (Some(id), Some(name), None, _) if name != "relationships" => {
                Endpoint::Related(decode(id)?, decode(name)?)
            }
            _ => return None,
        };
        Some(Self { spec, endpoint })
    }
}

/// Decodes a segment; `None` if it is not valid. The decoder itself would leave a `%` without two digits as it is.
fn percent_decode(segment: &str) -> Option<String> {
    let begins_with_digits = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let is_valid = segment.split('%').skip(1).all(begins_with_digits);
    let text = is_valid.then(|| percent_decode_str(segment).decode_utf8())?.ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_path_is_parsed() {
        let endpoint = |path: &str| Target::parse(path).map(|target| target.endpoint);
        assert_eq!(endpoint("dids"), Some(Endpoint::Collection));
        assert_eq!(endpoint("dids/"), Some(Endpoint::Collection));
        assert_eq!(endpoint("dids/1"), Some(Endpoint::Record("1".into())));
        assert_eq!(endpoint("dids/%31%C3%A4%25"), Some(Endpoint::Record("1\u{e4}%".into())));
        assert_eq!(endpoint("dids/1/order"), Some(Endpoint::Related("1".into(), "order".into())));
        assert_eq!(
            endpoint("dids/1/relationships/order"),
            Some(Endpoint::Relationship("1".into(), "order".into()))
        );
        for path in [
            "",
            "nothing",
            "dids//",
            "dids/1/relationships",
            "dids/1/a/b",
            "dids/1/relationships/a/b",
            "dids/%zz",
            "dids/%4",
            "dids/1%",
            "dids/%ff",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }
}
