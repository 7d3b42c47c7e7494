//! Files of members and declarations: TOML, YAML or JSON.

mod distinct;

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use self::distinct::Distinct;
use crate::exit::Failure;

/// Maximum number of bytes of a file.
const MAX_BYTES: u64 = 64 << 20;
/// Maximum number of values that the aliases of a YAML file repeat: aliases of aliases could fill the memory.
const MAX_REPEATED: usize = 2_000_000;
/// The member as which the parser of TOML presents a date without quotes.
const TOML_DATE: &str = "$__toml_private_datetime";

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
    let extension = extension.to_ascii_lowercase();
    parse(text, &extension).map_err(|problem| Failure::usage(format!("{}: {problem}", spoken(path))))
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
    // Editors of Windows mark UTF-8 at its beginning.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = match extension {
        "toml" => {
            let mut value = toml::from_str(text).map_err(|error| error.to_string())?;
            dates_as_texts(&mut value);
            value
        }
        "json" => {
            let Distinct(value) = serde_json::from_str(text).map_err(|error| error.to_string())?;
            value
        }
        _ => yaml(text, MAX_REPEATED)?,
    };
    match value {
        Value::Object(members) => Ok(members),
        _ => Err("it should be an object: members with their values".to_owned()),
    }
}

/// Reads YAML 1.2, in which `no` and `on` are texts, and aliases repeat at most this many values.
fn yaml(text: &str, most_repeated: usize) -> Result<Value, String> {
    // The limits of the parser are for small files of strangers: a file of many trunks has more values, and names one
    // policy in all of them. Its length limits all but what aliases repeat.
    let most = text.len().saturating_mul(2).saturating_add(most_repeated);
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_events: most,
            max_nodes: most,
            max_aliases: most,
            max_anchors: most,
            max_merge_keys: most,
            max_recorded_anchor_events: most,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: most_repeated },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Replaces the dates of TOML by their texts, which they are in the other formats.
fn dates_as_texts(value: &mut Value) {
    if let Some(date) = value.get_mut(TOML_DATE).map(Value::take) {
        *value = date;
        return;
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(dates_as_texts),
        Value::Array(items) => items.iter_mut().for_each(dates_as_texts),
        _ => {}
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
        for path in ["a.toml", "A.TOML"] {
            assert_eq!(members(path, "[a.b]\nc = 1\n").unwrap()["a"], json!({"b": {"c": 1}}), "{path}");
        }
    }

    #[test]
    fn words_of_yaml_that_are_no_booleans_any_more_are_texts() {
        let read = parse("country: no\nanswer: yes\nlong: 12345678901234567890123\n", "yaml").unwrap();
        assert_eq!((&read["country"], &read["answer"]), (&json!("no"), &json!("yes")));
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_in_every_format() {
        for (text, extension) in [
            (r#"{"dids": {"1": {"a": 1}}, "dids": {"2": {}}}"#, "json"),
            (r#"{"dids": {"1": {}, "2": [{"a": 1, "a": 2}]}}"#, "json"),
            (r#"{"dids": {"1": {}}, "dids": {"2": {}}}"#, ""),
            ("dids:\n  '1': {}\ndids:\n  '2': {}\n", "yaml"),
            ("[dids.1]\n[dids.1]\n", "toml"),
        ] {
            assert!(parse(text, extension).is_err(), "{extension}: {text}");
        }
        let problem = parse("{\n\"dids\": 1,\n\"dids\": 2}", "json").unwrap_err();
        assert!(problem.contains("duplicate key `dids`") && problem.contains("line 3"), "{problem}");
        let values = json!({"a": [null, true, -1, 1, 0.5, "t\u{1f4de}", {}], "b": {"a": 1}});
        assert_eq!(Value::Object(parse(&values.to_string(), "json").unwrap()), values);
    }

    #[test]
    fn a_mark_of_the_encoding_is_no_part_of_the_text() {
        let texts = [("a = 1", "toml"), ("a: 1", "yaml"), (r#"{"a": 1}"#, "json"), ("a: 1", "")];
        for (text, extension) in texts {
            let read = parse(&format!("\u{feff}{text}\r\n"), extension).unwrap();
            assert_eq!(Value::Object(read), json!({"a": 1}), "{extension}");
        }
    }

    #[test]
    fn a_date_is_a_text_with_and_without_quotes() {
        let toml = "[a]\nb = 1970-01-31\nc = [{ d = 2026-04-08T06:57:33.304Z }]\n";
        let read = parse(toml, "toml").unwrap();
        assert_eq!(read["a"], json!({"b": "1970-01-31", "c": [{"d": "2026-04-08T06:57:33.304Z"}]}));
    }

    #[test]
    fn one_policy_can_be_that_of_as_many_trunks_as_a_file_has() {
        const TRUNKS: usize = 11_000;
        let prefixes = "'1', ".repeat(20);
        let mut text = "policy: &policy {status: active, dst_prefixes: ['44']}\ntrunks:\n".to_owned();
        for number in 0..TRUNKS {
            let line = format!("  trunk {number}: {{<<: *policy, prefixes: [{prefixes}]}}\n");
            text.push_str(&line);
        }
        let read = parse(&text, "yaml").unwrap();
        assert_eq!(read["trunks"].as_object().unwrap().len(), TRUNKS);
        assert_eq!(read["trunks"]["trunk 10999"]["dst_prefixes"], json!(["44"]));
    }

    #[test]
    fn aliases_of_aliases_end() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for number in 1..9 {
            let before = format!("*a{}, ", number - 1).repeat(10);
            let line = format!("a{number}: &a{number} [{before}]\n");
            text.push_str(&line);
        }
        assert!(yaml(&text, 1_000).is_err(), "a thousand million values");
    }
}
