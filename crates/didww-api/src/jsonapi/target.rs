//! Paths below `/v3`: the declared resource, and its endpoint.
//!
//! Paths are compared as URLs are (RFC 3986 §6.2.2), and as by DIDWW: unnecessary percent-encoding, dot segments and
//! repeated slashes make no difference. An encoded slash is part of its segment, and letter case counts.

use std::borrow::Cow;

use didww_types::is_path;
use percent_encoding::percent_decode_str;
use uuid::Uuid;

/// A path below `/v3`, split and decoded; its ids and names are not validated.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The first segment: the path of a declared resource in at least one version.
    pub resource: String,
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
    /// Parses a path. Returns `None` if it is not below `/v3`, if the next segment is not the path of a resource in any
    /// version, if a segment is not valid percent-encoded UTF-8, or if there are too many segments.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let segments = segments(path)?;
        let mut segments = segments.iter().map(AsRef::as_ref);
        segments.next().filter(|version| *version == "v3")?;
        let resource = segments.next().filter(|segment| is_path(segment))?.to_owned();
        let endpoint = match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (None, ..) => Endpoint::Collection,
            (Some(id), None, ..) => Endpoint::Record(id.to_owned()),
            (Some(id), Some("relationships"), Some(name), None) => {
                Endpoint::Relationship(id.to_owned(), name.to_owned())
            }
            (Some(id), Some(name), None, _) if name != "relationships" => {
                Endpoint::Related(id.to_owned(), name.to_owned())
            }
            _ => return None,
        };
        Some(Self { resource, endpoint })
    }
}

/// Returns the decoded segments of a path, without empty and dot segments.
fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut segments = Vec::with_capacity(5);
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let segment = percent_decode(segment)?;
        match &*segment {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    Some(segments)
}

/// Decodes a segment; `None` if it is not valid. The decoder itself would leave a `%` without two digits as it is.
fn percent_decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let begins_with_digits = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let is_valid = segment.split('%').skip(1).all(begins_with_digits);
    is_valid.then(|| percent_decode_str(segment).decode_utf8())?.ok()
}

/// Parses a hyphenated UUID, the only form that the API accepts. Returns `None` for any other text.
pub(super) fn parse_id(id: &str) -> Option<Uuid> {
    if id.len() == 36 { Uuid::try_parse(id).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_path_is_parsed() {
        let endpoint = |path: &str| Target::parse(&format!("/v3/{path}")).map(|target| target.endpoint);
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
            "Dids",
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

    #[test]
    fn paths_are_compared_as_urls_are() {
        let endpoint = |path: &str| Target::parse(path).map(|target| target.endpoint);
        for path in [
            "/v3/dids",
            "//v3/dids",
            "/v3//dids",
            "/v3/dids//",
            "/v3/%64ids",
            "/%76%33/dids/",
            "/v3/./dids",
            "/v3/pops/../dids",
            "/x/../v3/dids/.",
            "/v3/dids/1/..",
            "/v3/%2e/dids",
            "/../v3/dids",
        ] {
            assert_eq!(endpoint(path), Some(Endpoint::Collection), "{path}");
        }
        let related = Some(Endpoint::Related("1".into(), "order".into()));
        for path in ["/v3/dids//1/order", "/v3/dids/%31/./order/", "//v3//dids/1//order//"] {
            assert_eq!(endpoint(path), related, "{path}");
        }
        assert_eq!(endpoint("/v3/dids/a%2Fb"), Some(Endpoint::Record("a/b".into())));
        assert_eq!(endpoint("/v3/dids/%252e"), Some(Endpoint::Record("%2e".into())));
        for path in ["/dids", "/v3", "/v3/..", "/v3/../dids", "/v3%2Fdids", "/V3/dids", "/v3dids", "v3/../"] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }
}
