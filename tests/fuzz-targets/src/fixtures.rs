//! Reads the recordings in `fixtures/`.

use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files below a folder of `fixtures/` whose names end so, in their order.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join("fixtures").join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("fixtures are beside the crates") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().map(|path| std::fs::read(path).expect("a fixture can be read")).collect()
}

/// Every JSON document.
pub(crate) fn json() -> Vec<Vec<u8>> {
    files(".", ".json")
}

/// The messages of RFC 4475 and RFC 5118, as they are sent.
pub(crate) fn sip_messages() -> Vec<Vec<u8>> {
    let texts = files("sip-torture", ".txt");
    texts.iter().map(|text| expanded(&String::from_utf8_lossy(text))).collect()
}

/// The session descriptions in the messages.
pub(crate) fn session_descriptions() -> Vec<Vec<u8>> {
    let messages = sip_messages();
    let body = |message: &Vec<u8>| {
        let start = message.windows(5).position(|window| window == b"\nv=0\r")?;
        Some(message[start + 1..].to_vec())
    };
    messages.iter().filter_map(body).collect()
}

/// The bytes of a text in the notation of RFC 4475 §2; see `fixtures/sip-torture/README.md`.
fn expanded(text: &str) -> Vec<u8> {
    let mut joined = String::new();
    let mut parts = text.split("<allOneLine>\n");
    joined.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (line, rest) = part.split_once("\n</allOneLine>").unwrap_or((part, ""));
        joined.push_str(&line.replace('\n', ""));
        joined.push_str(rest);
    }
    let mut repeated = String::new();
    let mut parts = joined.split("<repeat count=");
    repeated.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (inner, rest) = part.split_once("</repeat>").unwrap_or((part, ""));
        let (count, inner) = inner.split_once('>').unwrap_or(("1", inner));
        repeated.push_str(&inner.repeat(count.parse().unwrap_or(1)));
        repeated.push_str(rest);
    }
    let mut parts = repeated.split("<hex>");
    let mut bytes = parts.next().unwrap_or_default().replace('\n', "\r\n").into_bytes();
    for part in parts {
        let (digits, rest) = part.split_once("</hex>").unwrap_or(("", part));
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let value = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).ok();
        bytes.extend(digits.chunks(2).filter_map(value));
        bytes.extend(rest.replace('\n', "\r\n").bytes());
    }
    bytes
}
