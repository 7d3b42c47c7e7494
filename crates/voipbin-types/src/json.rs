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
    let mut bytes = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter))?;
    Ok(bytes)
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
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
