//! What a path below `/v3` names.

use didww_types::{ResourceSpec, find};

/// A resource and a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The resource's type name in the path.
    pub kind: &'static str,
    /// The place.
    pub place: Place,
}

/// A place in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
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
    /// Reads the path that follows `/v3/`; `None` when nothing declared has it.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let decode = |segment: &str| -> Option<String> {
            let text = percent_decode(segment)?;
            if text.is_empty() { None } else { Some(text) }
        };
        let mut segments = path.strip_suffix('/').unwrap_or(path).split('/');
        let spec = find(segments.next()?)?;
        let place = match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (None, ..) => Place::Collection,
            (Some(id), None, ..) => Place::Record(decode(id)?),
            (Some(id), Some("relationships"), Some(name), None) => {
                Place::Relationship(decode(id)?, decode(name)?)
            }
            (Some(id), Some(name), None, _) if name != "relationships" => {
                Place::Related(decode(id)?, decode(name)?)
            }
            _ => return None,
        };
        Some(Self { kind: spec.name, place })
    }

    /// The resource's declaration.
    pub(crate) fn spec(&self) -> Option<&'static ResourceSpec> {
        find(self.kind)
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
    fn every_form_of_path_is_read() {
        let place = |path: &str| Target::parse(path).map(|target| target.place);
        assert_eq!(place("dids"), Some(Place::Collection));
        assert_eq!(place("dids/"), Some(Place::Collection));
        assert_eq!(place("dids/1"), Some(Place::Record("1".into())));
        assert_eq!(place("dids/1/order"), Some(Place::Related("1".into(), "order".into())));
        assert_eq!(
            place("dids/1/relationships/order"),
            Some(Place::Relationship("1".into(), "order".into()))
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
            assert_eq!(place(path), None, "{path}");
        }
    }
}
