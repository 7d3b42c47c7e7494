//! Bodies of several parts, `multipart/form-data` (RFC 7578).

use std::fmt;

use bytes::Bytes;
use reqwest::header::HeaderValue;

/// A form of text fields and files, in memory. `Debug` prints the names of the parts without their contents.
#[derive(Clone, Default)]
pub struct Multipart {
    parts: Vec<Part>,
}

#[derive(Clone)]
struct Part {
    name: String,
    /// The name and the media type of a file; `None` for a text field.
    file: Option<(String, String)>,
    content: Bytes,
}

impl Multipart {
    /// Creates a form without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text field, after the parts that were added before it.
    #[must_use]
    pub fn text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.parts.push(Part { name: name.into(), file: None, content: text.into().into() });
        self
    }

    /// Adds a file. A media type that HTTP does not allow is an error when the request is sent:
    /// [`Reason::Header`](crate::Reason::Header).
    #[must_use]
    pub fn file(
        mut self,
        name: impl Into<String>,
        file_name: impl Into<String>,
        media_type: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        let file = Some((file_name.into(), media_type.into()));
        self.parts.push(Part { name: name.into(), file, content: content.into() });
        self
    }

    /// Returns the media type with its boundary, and the body; `None` if the media type of a file is not valid.
    pub(crate) fn encode(&self) -> Option<(String, Bytes)> {
        let boundary = self.boundary();
        let mut body = Vec::with_capacity(self.parts.iter().map(|part| part.content.len() + 256).sum());
        for part in &self.parts {
            let name = quoted(&part.name);
            let file = match &part.file {
                Some((file_name, media_type)) => {
                    HeaderValue::from_str(media_type).ok()?;
                    format!("; filename={}\r\nContent-Type: {media_type}", quoted(file_name))
                }
                None => String::new(),
            };
            let head = format!("--{boundary}\r\nContent-Disposition: form-data; name={name}{file}");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(&part.content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Some((format!("multipart/form-data; boundary={boundary}"), body.into()))
    }

    /// Returns the first numbered boundary that no content contains, so that none can end its part.
    fn boundary(&self) -> String {
        let mut number = 0_u64;
        loop {
            let boundary = format!("didww-client-part-{number}");
            if !self.parts.iter().any(|part| contains(&part.content, boundary.as_bytes())) {
                return boundary;
            }
            number += 1;
        }
    }
}

fn contains(content: &[u8], searched: &[u8]) -> bool {
    content.windows(searched.len()).any(|window| window == searched)
}

/// Quotes a name as HTML forms do: a quotation mark and line breaks are percent-encoded.
fn quoted(name: &str) -> String {
    let escaped = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("\"{escaped}\"")
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|part| &part.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_part_by_part() {
        let form =
            Multipart::new().text("a[]", "one").file("b", "x.bin", "application/octet-stream", vec![0, 255]);
        let (media_type, body) = form.encode().unwrap();
        assert_eq!(media_type, "multipart/form-data; boundary=didww-client-part-0");
        let mut expected =
            b"--didww-client-part-0\r\nContent-Disposition: form-data; name=\"a[]\"\r\n\r\none\r\n\
            --didww-client-part-0\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x.bin\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n"
                .to_vec();
        expected.extend_from_slice(&[0, 255]);
        expected.extend_from_slice(b"\r\n--didww-client-part-0--\r\n");
        assert_eq!(body, expected);
        assert_eq!(format!("{form:?}"), r#"["a[]", "b"]"#);
    }

    #[test]
    fn neither_a_content_nor_a_name_can_end_its_part() {
        let form = Multipart::new().text("a\"\r\nX: y", "--didww-client-part-0\r\ndidww-client-part-1--");
        let (media_type, body) = form.encode().unwrap();
        assert!(media_type.ends_with("boundary=didww-client-part-2"));
        assert!(String::from_utf8_lossy(&body).contains("name=\"a%22%0D%0AX: y\"\r\n"));
        let forged = Multipart::new().file("a", "b", "text/plain\r\nX: y", Bytes::new());
        assert!(forged.encode().is_none());
    }
}
