//! Finds the session description in a message's body (RFC 3261 §7.4 and §8.2.3, RFC 5621).
//!
//! The description is the body itself or one part of a `multipart` body. An optional part
//! (`handling=optional`, common for ISUP) is skipped; a required part of an unknown type refuses the message.
//! The description itself is not parsed here.
//!
//! Bounds: 16 parts in total, two levels of multipart bodies, 32 headers for each part.

mod parameters;

use rsipstack::sip::{Header, Headers};

use parameters::{parameter, token};

/// The supported content types: the value of `Accept`.
pub const ACCEPT: &str = "application/sdp, multipart/mixed";

/// Maximum number of parts in all multipart bodies of a message.
const MAX_PARTS: usize = 16;
/// Maximum nesting of multipart bodies.
const MAX_DEPTH: usize = 2;
/// Maximum number of headers of a part.
const MAX_PART_HEADERS: usize = 32;
/// Maximum length of a boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY_LENGTH: usize = 70;

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefusal {
    /// The content type, which is the field, is not supported.
    #[error("the body, or a required part of it, has the unsupported type `{0}`")]
    Type(String),
    /// The content is compressed or otherwise encoded; the field is the encoding.
    #[error("the body, or a required part of it, has the unsupported encoding `{0}`")]
    Encoding(String),
    /// A required session description has a disposition, which is the field, other than `session`.
    #[error("the body, or a required part of it, has the unsupported disposition `{0}`")]
    Disposition(String),
    /// The body cannot be parsed; the field is the reason.
    #[error("{0}")]
    Malformed(&'static str),
}

impl BodyRefusal {
    /// The status code of the response to a request with this body: 415, or 400 if the body is malformed.
    pub const fn code(&self) -> u16 {
        match self {
            Self::Type(_) | Self::Encoding(_) | Self::Disposition(_) => 415,
            Self::Malformed(_) => 400,
        }
    }

    /// The header of that response that lists the supported values.
    pub const fn header(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Type(_) | Self::Disposition(_) => Some(("Accept", ACCEPT)),
            Self::Encoding(_) => Some(("Accept-Encoding", "identity")),
            Self::Malformed(_) => None,
        }
    }
}

/// The session description in a message; `None` if the message has none.
///
/// A body without `Content-Type` is a description if it begins with `v=0`: some user agents omit the header.
pub fn session_description<'a>(
    headers: &'a Headers,
    body: &'a [u8],
) -> Result<Option<&'a [u8]>, BodyRefusal> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let mut entity = Entity::default();
    for header in headers.iter() {
        match header {
            Header::ContentType(_) if entity.kind.is_some() => {
                return Err(BodyRefusal::Malformed("Content-Type occurs twice"));
            }
            Header::ContentType(_) => entity.kind = Some(header.value()),
            Header::ContentEncoding(_) => entity.encoding = Some(header.value()),
            Header::ContentDisposition(_) => entity.disposition = Some(header.value()),
            _ => {}
        }
    }
    Reader { parts: 0 }.read(&entity, body, 0)
}

/// The content headers of a body or of a part.
#[derive(Debug, Clone, Copy, Default)]
struct Entity<'a> {
    kind: Option<&'a str>,
    encoding: Option<&'a str>,
    transfer_encoding: Option<&'a str>,
    disposition: Option<&'a str>,
    has_id: bool,
}

impl Entity<'_> {
    /// Whether an unsupported entity may be ignored. A part with a `Content-ID` and no disposition belongs to
    /// a header that refers to it (RFC 5621 §8), such as `Geolocation`; no supported header does.
    fn is_optional(&self, depth: usize) -> bool {
        match self.disposition {
            None => depth > 0 && self.has_id && !self.is_session(),
            Some(value) => match parameter(value, "handling") {
                Some(handling) => handling.eq_ignore_ascii_case("optional"),
                None => token(value).eq_ignore_ascii_case("by-reference"),
            },
        }
    }

    fn is_session(&self) -> bool {
        self.kind.is_some_and(|kind| token(kind).eq_ignore_ascii_case("application/sdp"))
    }
}

struct Reader {
    parts: usize,
}

impl Reader {
    fn read<'a>(
        &mut self,
        entity: &Entity<'a>,
        body: &'a [u8],
        depth: usize,
    ) -> Result<Option<&'a [u8]>, BodyRefusal> {
        match self.read_required(entity, body, depth) {
            Err(_) if entity.is_optional(depth) => Ok(None),
            result => result,
        }
    }

    fn read_required<'a>(
        &mut self,
        entity: &Entity<'a>,
        body: &'a [u8],
        depth: usize,
    ) -> Result<Option<&'a [u8]>, BodyRefusal> {
        for encoding in entity.encoding.into_iter().flat_map(|value| value.split(',')) {
            if !encoding.trim().eq_ignore_ascii_case("identity") {
                return Err(BodyRefusal::Encoding(encoding.trim().to_owned()));
            }
        }
        if let Some(encoding) = entity.transfer_encoding
            && !["7bit", "8bit", "binary"].iter().any(|known| encoding.trim().eq_ignore_ascii_case(known))
        {
            return Err(BodyRefusal::Encoding(encoding.trim().to_owned()));
        }
        let Some(kind) = entity.kind else {
            let is_description = body.trim_ascii_start().starts_with(b"v=0");
            return if is_description { Ok(Some(body)) } else { Err(BodyRefusal::Type("none".to_owned())) };
        };
        if entity.is_session() {
            return match entity.disposition.map(token) {
                Some(other) if !other.eq_ignore_ascii_case("session") => {
                    Err(BodyRefusal::Disposition(other.to_owned()))
                }
                _ => Ok(Some(body)),
            };
        }
        let subtype = token(kind).split_once('/').filter(|(top, _)| top.eq_ignore_ascii_case("multipart"));
        let Some((_, subtype)) = subtype else { return Err(BodyRefusal::Type(token(kind).to_owned())) };
        if depth >= MAX_DEPTH {
            return Err(BodyRefusal::Malformed("multipart bodies are nested more than two levels deep"));
        }
        let parts = self.split(kind, body)?;
        if subtype.eq_ignore_ascii_case("alternative") {
            self.alternative(&parts, depth + 1)
        } else if subtype.eq_ignore_ascii_case("related") {
            let start = parameter(kind, "start");
            let named = |part: &&&[u8]| id_of(part).is_some_and(|id| Some(id) == start.as_deref());
            let root = start.as_ref().and_then(|_| parts.iter().find(named)).or(parts.first());
            root.map_or(Ok(None), |root| self.part(root, depth + 1))
        } else {
            // An unknown subtype is treated as `mixed` (RFC 2046 §5.1.7).
            self.mixed(&parts, depth + 1)
        }
    }

    /// Every part must be supported or optional, and at most one is a description.
    fn mixed<'a>(&mut self, parts: &[&'a [u8]], depth: usize) -> Result<Option<&'a [u8]>, BodyRefusal> {
        let mut found = None;
        for part in parts {
            if let Some(session) = self.part(part, depth)?
                && found.replace(session).is_some()
            {
                return Err(BodyRefusal::Malformed("the body has two session descriptions"));
            }
        }
        Ok(found)
    }

    /// The last supported part is used.
    fn alternative<'a>(&mut self, parts: &[&'a [u8]], depth: usize) -> Result<Option<&'a [u8]>, BodyRefusal> {
        let mut best = Ok(None);
        for part in parts {
            match self.part(part, depth) {
                Ok(Some(session)) => best = Ok(Some(session)),
                Err(why) if matches!(best, Ok(None)) => best = Err(why),
                _ => {}
            }
        }
        best
    }

    fn part<'a>(&mut self, part: &'a [u8], depth: usize) -> Result<Option<&'a [u8]>, BodyRefusal> {
        let (entity, body) = split_part(part)?;
        self.read(&entity, body, depth)
    }

    /// The parts of a multipart body, with their headers. Text before the first and after the last delimiter
    /// is ignored; the last delimiter may be missing.
    fn split<'a>(&mut self, kind: &str, body: &'a [u8]) -> Result<Vec<&'a [u8]>, BodyRefusal> {
        let boundary = parameter(kind, "boundary")
            .filter(|boundary| (1..=MAX_BOUNDARY_LENGTH).contains(&boundary.len()))
            .ok_or(BodyRefusal::Malformed("a multipart body has no usable boundary"))?;
        let (mut parts, mut begin, mut at) = (Vec::new(), None, 0);
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            if let Some(is_last) = delimiter(line, boundary.as_bytes()) {
                if let Some(begin) = begin {
                    self.count_part()?;
                    parts.push(without_line_end(body.get(begin..at).unwrap_or_default()));
                }
                begin = (!is_last).then_some(at + line.len());
                if is_last {
                    break;
                }
            }
            at += line.len();
        }
        if let Some(rest) = begin.and_then(|begin| body.get(begin..)).filter(|rest| !rest.is_empty()) {
            self.count_part()?;
            parts.push(rest);
        }
        if parts.is_empty() {
            return Err(BodyRefusal::Malformed("a multipart body has no part"));
        }
        Ok(parts)
    }

    fn count_part(&mut self) -> Result<(), BodyRefusal> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(BodyRefusal::Malformed("a multipart body has more than 16 parts"));
        }
        Ok(())
    }
}

/// `None` if the line is not a delimiter, else whether it is the closing one.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Splits a part into its content headers and its body.
fn split_part(part: &[u8]) -> Result<(Entity<'_>, &[u8]), BodyRefusal> {
    let mut entity = Entity::default();
    let (mut at, mut lines) = (0, 0);
    while let Some(rest) = part.get(at..).filter(|rest| !rest.is_empty()) {
        let length = header_length(rest);
        let header = rest.get(..length).unwrap_or_default();
        at += length;
        if header.trim_ascii().is_empty() {
            break;
        }
        lines += 1;
        if lines > MAX_PART_HEADERS {
            return Err(BodyRefusal::Malformed("a part of the body has more than 32 headers"));
        }
        let Some((name, value)) = std::str::from_utf8(header).ok().and_then(|text| text.split_once(':'))
        else {
            return Err(BodyRefusal::Malformed("a part of the body has an invalid header"));
        };
        let value = Some(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" | "c" => entity.kind = value,
            "content-encoding" | "e" => entity.encoding = value,
            "content-transfer-encoding" => entity.transfer_encoding = value,
            "content-disposition" => entity.disposition = value,
            "content-id" => entity.has_id = true,
            _ => {}
        }
    }
    Ok((entity, part.get(at..).unwrap_or_default()))
}

/// The length of the first header with its continuation lines.
fn header_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if length > 0 && !matches!(line.first(), Some(b' ' | b'\t')) {
            break;
        }
        length += line.len();
        if line.trim_ascii().is_empty() {
            break;
        }
    }
    length
}

/// The `Content-ID` of a part, with its angle brackets.
fn id_of(part: &[u8]) -> Option<&str> {
    let mut rest = part;
    for _ in 0..MAX_PART_HEADERS {
        let (header, further) = rest.split_at_checked(header_length(rest))?;
        let (name, value) = std::str::from_utf8(header).ok()?.split_once(':')?;
        if name.trim().eq_ignore_ascii_case("content-id") {
            return Some(value.trim());
        }
        rest = further;
    }
    None
}

#[cfg(test)]
mod tests;
