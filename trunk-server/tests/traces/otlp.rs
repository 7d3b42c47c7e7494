//! Reads the spans of an export: protobuf, by the numbers of the fields in OpenTelemetry's `trace.proto` and
//! `common.proto`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// An exported span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub service: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for a root.
    pub parent: String,
    /// 1 internal, 2 server, 3 client.
    pub kind: u64,
    /// Whether its status is that of an error.
    pub has_failed: bool,
    pub attributes: BTreeMap<String, String>,
}

impl Span {
    /// An attribute as text; empty if the span has none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The spans of the body of an export.
pub fn spans(body: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in messages(body, 1) {
        let resource = messages(of_resource, 1).first().map(|resource| attributes(resource, 1));
        let service = resource.and_then(|mut resource| resource.remove("service.name")).unwrap_or_default();
        for of_scope in messages(of_resource, 2) {
            for span in messages(of_scope, 2) {
                let text = |number| messages(span, number).first().map_or("", |bytes| utf8(bytes)).to_owned();
                let id = |number| messages(span, number).first().map_or(String::new(), |bytes| hex(bytes));
                let status = messages(span, 15).first().and_then(|status| number(status, 3));
                spans.push(Span {
                    service: service.clone(),
                    name: text(5),
                    trace: id(1),
                    id: id(2),
                    parent: id(4),
                    kind: number(span, 6).unwrap_or_default(),
                    has_failed: status == Some(2),
                    attributes: attributes(span, 9),
                });
            }
        }
    }
    spans
}

/// Key and value of each attribute, whatever the type of the value.
fn attributes(message: &[u8], number_of_field: u64) -> BTreeMap<String, String> {
    let read = |attribute: &&[u8]| {
        let key = utf8(messages(attribute, 1).first()?).to_owned();
        let value = *messages(attribute, 2).first()?;
        let text = messages(value, 1).first().map(|bytes| utf8(bytes).to_owned());
        let boolean = || number(value, 2).map(|value| (value == 1).to_string());
        let integer = || number(value, 3).map(|value| value.to_string());
        Some((key, text.or_else(boolean).or_else(integer)?))
    };
    messages(message, number_of_field).iter().filter_map(read).collect()
}

/// The messages, texts or bytes of a field.
fn messages(message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let bytes = fields(message).into_iter().filter(|(number, _)| *number == wanted);
    bytes.filter_map(|(_, value)| if let Value::Bytes(bytes) = value { Some(bytes) } else { None }).collect()
}

/// The number of a field.
fn number(message: &[u8], wanted: u64) -> Option<u64> {
    fields(message).into_iter().find_map(|(number, value)| match value {
        Value::Number(value) if number == wanted => Some(value),
        _ => None,
    })
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)),
            1 => Value::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                Value::Bytes(take(&mut bytes, length))
            }
            5 => Value::Number(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap()).into()),
            other => panic!("no wire type of proto3: {other}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number of more than 64 bits")
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
