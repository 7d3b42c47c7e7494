//! The notation of RFC 4475 §2, in which the messages are stored; see `fixtures/sip-torture/README.md`.

use std::path::Path;

/// The bytes of a message.
pub fn expanded(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sip-torture");
    let files = ["rfc4475", "rfc5118"].map(|rfc| folder.join(rfc).join(format!("{name}.txt")));
    let file = files.iter().find(|file| file.exists()).unwrap_or_else(|| panic!("{name} has no file"));
    expand(&std::fs::read_to_string(file).unwrap())
}

fn expand(text: &str) -> Vec<u8> {
    let joined = replaced(text, "<allOneLine>\n", "\n</allOneLine>", |_, lines| lines.replace('\n', ""));
    let repeated = replaced(&joined, "<repeat count=", "</repeat>", |_, inner| {
        let (count, repeated) = inner.split_once('>').unwrap();
        repeated.repeat(count.parse().unwrap())
    });
    let mut bytes = Vec::new();
    let mut parts = repeated.split("<hex>");
    bytes.extend(parts.next().unwrap().replace('\n', "\r\n").bytes());
    for part in parts {
        let (digits, rest) = part.split_once("</hex>").unwrap();
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let value = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        bytes.extend(digits.chunks(2).map(value));
        bytes.extend(rest.replace('\n', "\r\n").bytes());
    }
    bytes
}

/// Replaces each text between two marks, with the marks.
fn replaced(text: &str, from: &str, to: &str, with: impl Fn(&str, &str) -> String) -> String {
    let (mut result, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(from) {
        let (inner, further) = after.split_once(to).unwrap();
        result.push_str(before);
        result.push_str(&with(from, inner));
        rest = further;
    }
    result + rest
}

/// The value of the first header with one of these names, without spaces; for `branch`, that parameter of the
/// first `Via`.
pub fn ending_of(message: &[u8], names: [&str; 2]) -> Option<String> {
    let text = String::from_utf8_lossy(message).replace("\r\n ", " ").replace("\r\n\t", " ");
    let value = |names: [&str; 2]| {
        text.lines().take_while(|line| !line.is_empty()).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_named = names.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
            is_named.then(|| value.split_whitespace().collect::<String>())
        })
    };
    if names[0] != "branch" {
        return value(names);
    }
    let via = value(["Via", "v"])?;
    let (_, branch) = via.split_once("branch=")?;
    Some(branch.split([';', ',']).next()?.to_owned())
}

#[test]
fn the_notation_stands_for_the_bytes_of_the_rfc() {
    let text =
        "A: <allOneLine>\nx<repeat count=3>ab</repeat>\n<hex>20</hex>y\n</allOneLine>\n<hex>00\nFF</hex>\n";
    assert_eq!(expand(text), b"A: xababab y\r\n\x00\xff\r\n");
}

#[test]
fn all_messages_of_both_rfcs_are_there_and_as_long_as_they_say() {
    for (rfc, count) in [("rfc4475", 49), ("rfc5118", 12)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sip-torture").join(rfc);
        let names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names.len(), count, "{rfc}");
        for name in names {
            let bytes = expanded(&name);
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            // These four are about a length that is not that of the body.
            if ["clerr", "ncl", "mcl01", "dblreq"].contains(&name.as_str()) {
                continue;
            }
            if let Some(length) = ending_of(&bytes, ["Content-Length", "l"]) {
                assert_eq!(length, (bytes.len() - end).to_string(), "{name}");
            }
        }
    }
}
