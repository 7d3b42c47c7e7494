//! Paths below `/v3`: the declared resource, and the endpoint of it.

use didww_types::{ResourceSpec, find};

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

fn percent_decode(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
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
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }
}
