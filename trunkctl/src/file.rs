//! Files of members and declarations: TOML, YAML or JSON.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::exit::Failure;

/// Maximum number of bytes of a file.
const MAX_BYTES: u64 = 64 << 20;

/// Reads a file with an object. `-` is standard input, which may be JSON or YAML.
///
/// # Errors
/// When it cannot be read, or is not an object in the format of its extension.
pub(crate) fn object(path: &str) -> Result<Map<String, Value>, Failure> {
    members(path, &text(path)?)
}

/// Reads a file whose text is parsed later. `-` is standard input.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn text(path: &str) -> Result<String, Failure> {
    read(path).map_err(|error| Failure::usage(format!("{} cannot be read: {error}", spoken(path))))
}

/// Reads the object in the text of a file.
///
/// # Errors
/// When it is not an object in the format of the file's extension.
pub(crate) fn members(path: &str, text: &str) -> Result<Map<String, Value>, Failure> {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    parse(text, extension).map_err(|problem| Failure::usage(format!("{}: {problem}", spoken(path))))
}

/// A file's name in errors.
fn spoken(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

/// Reads a file as text. `-` is standard input.
pub(crate) fn read(path: &str) -> std::io::Result<String> {
    if path == "-" {
        read_at_most(std::io::stdin().lock(), MAX_BYTES)
    } else {
        read_at_most(std::fs::File::open(path)?, MAX_BYTES)
    }
}

/// Reads a text of at most this many bytes. A longer one is an error: the beginning of a declaration is another
/// declaration.
fn read_at_most(from: impl Read, most: u64) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(most.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= most) {
        Ok(text)
    } else {
        Err(std::io::Error::other(format!("it has more than {most} bytes")))
    }
}

/// Reads a text in the format of a file's extension; YAML, of which JSON is a part, for an unknown one.
fn parse(text: &str, extension: &str) -> Result<Map<String, Value>, String> {
    let value: Value = match extension {
        "toml" => toml::from_str(text).map_err(|error| error.to_string())?,
        "json" => serde_json::from_str(text).map_err(|error| error.to_string())?,
        _ => {
            // YAML 1.2, in which `no` and `on` are texts.
            let options = serde_saphyr::options! { strict_booleans: true };
            serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?
        }
    };
    match value {
        Value::Object(members) => Ok(members),
        _ => Err("it should be an object: members with their values".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_that_is_too_long_is_refused_instead_of_cut() {
        assert_eq!(read_at_most(&b"a: 1\n"[..], 5).unwrap(), "a: 1\n");
        let refused = read_at_most(&b"a: 1\nb: 2\n"[..], 9).unwrap_err().to_string();
        assert!(refused.contains("more than 9 bytes"), "{refused}");
    }

    #[test]
    fn the_three_formats_say_the_same() {
        let expected = json!({"name": "Berlin", "capacity_limit": 10, "rtp_ping": true, "callback_url": null,
            "dst_prefixes": ["44", "49"]});
        let yaml = "name: Berlin\ncapacity_limit: 10\nrtp_ping: true\ncallback_url: null\n\
                    dst_prefixes: ['44', \"49\"]\n";
        let json = expected.to_string();
        for (text, extension) in
            [(yaml, "yaml"), (yaml, "yml"), (&json, "json"), (&json, ""), (&json, "yaml")]
        {
            assert_eq!(Value::Object(parse(text, extension).unwrap()), expected, "{extension}");
        }
        let toml =
            "name = \"Berlin\"\ncapacity_limit = 10\nrtp_ping = true\ndst_prefixes = [\"44\", \"49\"]\n";
        assert_eq!(parse(toml, "toml").unwrap()["dst_prefixes"], expected["dst_prefixes"]);
        assert!(parse("- a\n", "yaml").unwrap_err().contains("object"));
    }

    #[test]
    fn words_of_yaml_that_are_no_booleans_any_more_are_texts() {
        let read = parse("country: no\nanswer: yes\nlong: 12345678901234567890123\n", "yaml").unwrap();
        assert_eq!((&read["country"], &read["answer"]), (&json!("no"), &json!("yes")));
    }
}
