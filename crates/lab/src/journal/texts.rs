//! The texts of an entry, one after the other in one piece of memory.
//!
//! An entry that is overwritten keeps its memory for the texts of the next one.

use http::HeaderMap;

/// The texts of an entry as they were received, with their secrets. In the order of the fields that state their ends.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    path: usize,
    query: usize,
    request_headers: usize,
    response_headers: usize,
    /// After it comes the start of the request's body, to the end.
    response_body: usize,
}

/// The unit in bytes in which memory is reserved, so that an entry with a few bytes more than the one before fits into
/// its memory.
const STEP: usize = 128;

impl Texts {
    /// Replaces all texts by those of the head of a request. A request without a query has an empty one here.
    pub(super) fn begin(&mut self, path: &str, query: &str, headers: &HeaderMap) {
        self.bytes.clear();
        self.reserve(path.len() + query.len());
        self.bytes.extend_from_slice(path.as_bytes());
        self.path = self.bytes.len();
        self.bytes.extend_from_slice(query.as_bytes());
        self.query = self.bytes.len();
        self.push_lines(headers);
        self.request_headers = self.bytes.len();
        (self.response_headers, self.response_body) = (self.bytes.len(), self.bytes.len());
    }

    /// Adds the headers of the answer and the start of its body, once, after [`begin`](Self::begin).
    pub(super) fn push_answer(&mut self, headers: &HeaderMap, body: &[u8]) {
        self.push_lines(headers);
        self.response_headers = self.bytes.len();
        self.reserve(body.len());
        self.bytes.extend_from_slice(body);
        self.response_body = self.bytes.len();
    }

    /// Adds the start of the request's body, after everything else.
    pub(super) fn push_request_body(&mut self, body: &[u8]) {
        self.reserve(body.len());
        self.bytes.extend_from_slice(body);
    }

    /// Frees what a longer entry left, so that little of the memory that the journal counts is unused.
    pub(super) fn trim(&mut self) {
        if self.bytes.capacity() - self.bytes.len() > self.bytes.len() / 4 + 2 * STEP {
            self.bytes.shrink_to_fit();
        }
    }

    /// Frees all memory that is unused.
    #[cfg(test)]
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// The bytes that the texts take.
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn path(&self) -> &str {
        self.text(0, self.path)
    }

    pub(super) fn query(&self) -> &str {
        self.text(self.path, self.query)
    }

    /// Lines `name: value`.
    pub(super) fn request_headers(&self) -> &[u8] {
        self.part(self.query, self.request_headers)
    }

    /// Lines `name: value`.
    pub(super) fn response_headers(&self) -> &[u8] {
        self.part(self.request_headers, self.response_headers)
    }

    pub(super) fn response_body(&self) -> &[u8] {
        self.part(self.response_headers, self.response_body)
    }

    pub(super) fn request_body(&self) -> &[u8] {
        self.part(self.response_body, self.bytes.len())
    }

    fn part(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    fn text(&self, from: usize, to: usize) -> &str {
        // It was a text.
        std::str::from_utf8(self.part(from, to)).unwrap_or_default()
    }

    /// Adds headers as lines. They are copied, because a value would keep the whole buffer that it was read into.
    /// Room is made line by line, and almost always there is enough: adding all lengths up before takes a third as long
    /// as the copy.
    fn push_lines(&mut self, headers: &HeaderMap) {
        for (name, value) in headers {
            let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
            self.reserve(name.len() + value.len() + 3);
            self.bytes.extend_from_slice(name);
            self.bytes.extend_from_slice(b": ");
            // No value has the sign of a line's end.
            self.bytes.extend_from_slice(value);
            self.bytes.push(b'\n');
        }
    }

    fn reserve(&mut self, bytes: usize) {
        if self.bytes.capacity() - self.bytes.len() < bytes {
            self.bytes.reserve_exact(bytes.next_multiple_of(STEP));
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{ACCEPT, CONTENT_TYPE};

    use super::*;

    fn head() -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("a"))])
    }

    fn answer() -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("b: c"))])
    }

    #[test]
    fn each_text_is_found_where_the_one_before_ends() {
        let mut texts = Texts::default();
        texts.begin("/path", "que=ry", &head());
        assert_eq!(
            (texts.response_headers(), texts.response_body(), texts.request_body()),
            (&b""[..], &b""[..], &b""[..])
        );
        texts.push_answer(&answer(), b"answered");
        texts.push_request_body(b"sent");
        assert_eq!((texts.path(), texts.query()), ("/path", "que=ry"));
        assert_eq!(texts.request_headers(), b"accept: a\n");
        assert_eq!(texts.response_headers(), b"content-type: b: c\n");
        assert_eq!((texts.response_body(), texts.request_body()), (&b"answered"[..], &b"sent"[..]));
    }

    #[test]
    fn a_later_entry_takes_the_memory_over_and_has_no_text_of_the_one_before() {
        let mut texts = Texts::default();
        texts.begin("/longer/path", "query", &head());
        texts.push_answer(&answer(), b"an answer");
        texts.push_request_body(b"a body");
        let (place, size) = (texts.bytes.as_ptr(), texts.size());
        texts.begin("/path", "", &HeaderMap::new());
        texts.trim();
        assert_eq!((texts.path(), texts.query()), ("/path", ""));
        for left in
            [texts.request_headers(), texts.response_headers(), texts.response_body(), texts.request_body()]
        {
            assert!(left.is_empty());
        }
        assert_eq!((texts.bytes.as_ptr(), texts.size()), (place, size));
    }

    #[test]
    fn what_a_much_longer_entry_left_is_freed() {
        let mut texts = Texts::default();
        texts.begin("/path", "", &HeaderMap::new());
        texts.push_request_body(&[b'x'; 16 << 10]);
        texts.begin("/path", "", &HeaderMap::new());
        texts.trim();
        assert!(texts.size() <= 3 * STEP, "{}", texts.size());
        assert_eq!(texts.path(), "/path");
    }
}
