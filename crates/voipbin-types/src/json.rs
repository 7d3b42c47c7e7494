//! Encoding of JSON as Go does it.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Encodes JSON as the service does: compact, with `<`, `>`, `&`, U+2028 and U+2029 as escapes.
///
/// The signature of a webhook is computed over these bytes.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// assert_eq!(voipbin_client::types::to_json(&"<a & b>")?, br#""\u003ca \u0026 b\u003e""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// Returns an error only when the value's `Serialize` does, for example for a map with keys that are not
/// texts.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(1_024);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter))?;
    Ok(bytes)
}

struct GoFormatter;

/// Whether a text may have a character that is written as an escape. Hardly any has one. No byte ends the loop early, so
/// that many are compared at once. U+2028 and U+2029 begin with the byte 0xE2.
fn may_have_special(text: &str) -> bool {
    let is = |byte: u8, special: u8| u8::from(byte == special);
    let found = text
        .bytes()
        .fold(0, |found, byte| found | is(byte, b'<') | is(byte, b'>') | is(byte, b'&') | is(byte, 0xe2));
    found != 0
}

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        if !may_have_special(text) {
            return writer.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = tail.chars();
            if let Some(special) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(special))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn special_characters_are_escapes_wherever_they_are(text in "[a-z<>&\u{2027}-\u{202a}é€\"\u{1}]{0,40}") {
            let written = String::from_utf8(to_json(&text).unwrap()).unwrap();
            prop_assert!(!written.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{}", written);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }

    #[test]
    fn each_special_character_alone_is_an_escape_and_its_neighbours_are_not() {
        for (text, json) in [
            ("<", r#""\u003c""#),
            (">", r#""\u003e""#),
            ("&", r#""\u0026""#),
            ("\u{2028}", r#""\u2028""#),
            ("\u{2029}", r#""\u2029""#),
            ("\u{2027}\u{202a}€é", "\"\u{2027}\u{202a}€é\""),
            ("plain", "\"plain\""),
            ("", "\"\""),
        ] {
            assert_eq!(String::from_utf8(to_json(text).unwrap()).unwrap(), json, "{text:?}");
        }
    }
}
