//! Bodies that are forms of several parts, `multipart/form-data` (RFC 7578).
//!
//! Bounds: [`MAX_PARTS`] parts, [`MAX_HEAD_BYTES`] of headers each. A file is not copied.

use bytes::Bytes;
use didww_types::{AttributeSpec, ErrorCode, FormSpec, ResourceSpec, Violation};
use serde_json::{Map, Value};
use trunk_rules::domain::{Refusal, WriteError};

use super::context::RequestContext;
use super::error::ApiError;

/// More parts than any declared form has.
const MAX_PARTS: usize = 12;
const MAX_HEAD_BYTES: usize = 4 << 10;

/// 400: the body is not a form of this type, with the API's text.
pub(crate) fn invalid_form() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "invalid params", "invalid params")
}

/// 422: the file is larger than the form allows.
pub(crate) fn too_big(form: &FormSpec) -> ApiError {
    let violation = Violation::TooBig(form.max_file_bytes >> 20);
    ApiError::from(WriteError::from(Refusal::attribute(form.file, violation)))
}

/// The parts of a form.
#[derive(Default)]
pub(super) struct Form {
    /// The text that is compared with the expected one.
    pub(super) checked: Option<String>,
    /// The parts of each record; only the older form can have several records.
    pub(super) records: Vec<FormRecord>,
    /// Whether it is the older form.
    pub(super) is_batch: bool,
}

/// A record of a form.
#[derive(Default)]
pub(super) struct FormRecord {
    /// The attributes that were sent, by name.
    pub(super) attributes: Map<String, Value>,
    /// The content of the file.
    pub(super) file: Option<Bytes>,
}

impl Form {
    /// Reads the form of a type.
    ///
    /// # Errors
    /// 400 if it is not a form, if it has another part than the declared ones or one of them twice, or the parts of two
    /// forms.
    pub(super) fn parse(
        context: &RequestContext<'_>,
        spec: &'static ResourceSpec,
        declared: &FormSpec,
        boundary: &str,
        body: &Bytes,
    ) -> Result<Self, ApiError> {
        let mut form = Self::default();
        let attributes = spec.attributes_at(context.version);
        let batch = declared.batch.filter(|batch| context.version <= batch.until);
        let mut is_batch = None;
        for Part { name, is_file, content } in parts(boundary, body).ok_or_else(invalid_form)? {
            let member =
                name.strip_prefix(spec.name).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
            let member = member.ok_or_else(invalid_form)?;
            if member == declared.check.name {
                if is_file || form.checked.replace(text(&content)?).is_some() {
                    return Err(invalid_form());
                }
                continue;
            }
            let in_list = batch.and_then(|batch| member.strip_prefix(batch.name)?.strip_prefix("][]["));
            if *is_batch.get_or_insert(in_list.is_some()) != in_list.is_some() {
                return Err(invalid_form());
            }
            let member = in_list.unwrap_or(member);
            let is_content = member == declared.file && is_file;
            let is_known = |known: &&AttributeSpec| known.name == member && known.create.allowed();
            if !is_content && (is_file || !attributes.iter().any(is_known)) {
                return Err(invalid_form());
            }
            let has = |record: &FormRecord| {
                if is_content { record.file.is_some() } else { record.attributes.contains_key(member) }
            };
            if form.records.last().is_none_or(has) {
                let most = batch.filter(|_| in_list.is_some()).map_or(1, |batch| batch.most);
                if form.records.len() == most {
                    return Err(invalid_form());
                }
                form.records.push(FormRecord::default());
            }
            if let Some(record) = form.records.last_mut() {
                if is_content {
                    record.file = Some(content);
                } else {
                    record.attributes.insert(member.to_owned(), Value::String(text(&content)?));
                }
            }
        }
        form.is_batch = is_batch == Some(true);
        Ok(form)
    }
}

/// The text of a part.
fn text(content: &[u8]) -> Result<String, ApiError> {
    std::str::from_utf8(content).map(str::to_owned).map_err(|_| invalid_form())
}

/// A part of a form.
struct Part {
    name: String,
    /// Whether the part has a file name.
    is_file: bool,
    content: Bytes,
}

/// Divides a body into its parts; `None` if it is truncated, or does not have this boundary.
fn parts(boundary: &str, body: &Bytes) -> Option<Vec<Part>> {
    let delimiter = format!("\r\n--{boundary}");
    let first = delimiter.get(2..)?;
    // Bytes before the first delimiter are ignored (RFC 2046 §5.1.1).
    let mut at = if body.starts_with(first.as_bytes()) {
        first.len()
    } else {
        find(body, delimiter.as_bytes())? + delimiter.len()
    };
    let mut parts = Vec::new();
    loop {
        let rest = body.get(at..)?;
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let rest = rest.get(padding..)?.strip_prefix(b"\r\n")?;
        let head_at = at + padding + 2;
        let head_length = find(rest.get(..rest.len().min(MAX_HEAD_BYTES))?, b"\r\n\r\n")?;
        let (name, is_file) = disposition(std::str::from_utf8(rest.get(..head_length)?).ok()?)?;
        let content_at = head_at + head_length + 4;
        let length = find(body.get(content_at..)?, delimiter.as_bytes())?;
        if parts.len() == MAX_PARTS {
            return None;
        }
        parts.push(Part { name, is_file, content: body.slice(content_at..content_at + length) });
        at = content_at + length + delimiter.len();
    }
}

/// The position of the first occurrence of a text in the bytes.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let (first, rest) = text.split_first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| byte == first)?;
        if bytes.get(at + 1..)?.starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Reads the name of a part, and whether it has a file name, from its headers.
fn disposition(head: &str) -> Option<(String, bool)> {
    let is_named = |line: &&str| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))
    };
    let (_, value) = head.split("\r\n").find(is_named)?.split_once(':')?;
    let value = value.trim();
    let (kind, mut rest) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut is_file) = (None, false);
    while !rest.trim().is_empty() {
        let (parameter, after) = rest.split_once('=')?;
        let (text, after) = parameter_value(after.trim_start())?;
        match parameter.trim().to_ascii_lowercase().as_str() {
            "name" => name = Some(text),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
        rest = after.trim_start().strip_prefix(';').unwrap_or_else(|| after.trim_start());
    }
    Some((name?, is_file))
}

/// Reads the value of a parameter, quoted or not, and returns what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end)?;
        return Some((value.trim().to_owned(), after));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, letter) in quoted.char_indices() {
        match letter {
            _ if escaped => {
                value.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, quoted.get(at + 1..)?)),
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Vec<(String, bool, String)>> {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let parts = parts("b", &Bytes::copy_from_slice(body.as_bytes()))?;
        Some(parts.into_iter().map(|part| (part.name, part.is_file, text(&part.content))).collect())
    }

    fn part(name: &str, is_file: bool, content: &str) -> (String, bool, String) {
        (name.to_owned(), is_file, content.to_owned())
    }

    #[test]
    fn the_parts_are_those_between_the_delimiters() {
        let body = "preamble\r\n--b \r\nContent-Disposition: form-data; name=\"a[b]\"\r\n\r\none\r\n--\r\n--b\r\n\
                    content-type: x/y\r\ncontent-disposition: form-data; filename=\"q\\\"; name=z.pdf\"; name=f\r\n\r\n\
                    \r\n--\r\n--b--\r\nepilogue";
        assert_eq!(read(body), Some(vec![part("a[b]", false, "one\r\n--"), part("f", true, "\r\n--")]));
        let empty = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b--";
        assert_eq!(read(empty), Some(vec![part("a", false, "")]));
        assert_eq!(read("--b--"), Some(Vec::new()));
    }

    #[test]
    fn a_body_that_is_cut_off_or_of_another_form_is_no_form() {
        let whole = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--b--";
        assert!(read(whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        for wrong in [
            "--c\r\nContent-Disposition: form-data; name=a\r\n\r\none\r\n--c--",
            "--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b--",
            "--b\r\nContent-Disposition: attachment; name=a\r\n\r\none\r\n--b--",
            "--b\r\nContent-Disposition: form-data; filename=a\r\n\r\none\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\none\r\n--b--",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\none\r\n";
        assert!(read(&format!("{}--b--", part.repeat(MAX_PARTS))).is_some());
        assert!(read(&format!("{}--b--", part.repeat(MAX_PARTS + 1))).is_none());
        let long = format!(
            "--b\r\nX: {}\r\nContent-Disposition: form-data; name=a\r\n\r\none\r\n--b--",
            "x".repeat(MAX_HEAD_BYTES)
        );
        assert!(read(&long).is_none());
    }
}
