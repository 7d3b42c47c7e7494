//! A price file: the rows of a plan as CSV, compressed, and the responses with it.
//!
//! A copy is current by its date alone: there is no entity tag, and `If-None-Match` is ignored.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use didww_types::Timestamp;
use didww_types::prices::{PriceRow, header_line, line};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::headers;

/// The last second of the year 9999, the last one that a date of HTTP can state.
const LAST_SECOND: u64 = 253_402_300_799;

/// The price file of a plan. Clones share the content.
#[derive(Debug, Clone)]
pub(crate) struct PriceFile {
    /// The name by which a browser stores it.
    name: &'static str,
    /// The compressed file; `None` if it could not be made.
    pub(super) content: Option<Bytes>,
    /// Since when it has this content.
    changed_at: Timestamp,
}

impl PriceFile {
    /// Makes the file of these prices. `changed_at` is when they took effect.
    pub(super) fn new<P: PriceRow>(name: &'static str, prices: &[P], changed_at: Timestamp) -> Self {
        let content = compress(prices).inspect_err(|error| {
            tracing::error!(name, %error, "a price file could not be compressed");
        });
        Self { name, content: content.ok().map(Bytes::from), changed_at }
    }

    /// Builds the response with the file, or 304 if the client's copy is current. `assigned_at` is when the account
    /// received the plan, since which the client's copy may be that of another plan.
    pub(super) fn respond(&self, assigned_at: Timestamp, request: &Parts, runtime: Duration) -> Response {
        let modified = date(self.changed_at.max(assigned_at));
        let held = request.headers.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
        let held = held.and_then(|text| httpdate::parse_http_date(text).ok());
        let is_current = held.is_some_and(|held| held >= modified);
        let status = if is_current { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = headers::respond(status, Bytes::new(), request, runtime);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
        headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
        // A name is a constant, and dates are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", self.name)) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        if let Ok(value) = HeaderValue::from_str(&httpdate::fmt_http_date(modified)) {
            headers.insert(header::LAST_MODIFIED, value);
        }
        if is_current {
            // A body whose length is not known: the router would state that of an empty one, and the file is longer.
            *response.body_mut() = Body::from_stream(stream::empty::<Result<Bytes, Infallible>>());
            return response;
        }
        let content = self.content.clone().unwrap_or_default();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        if request.method == Method::GET {
            *response.body_mut() = Body::from(content);
        }
        response
    }
}

fn compress<P: PriceRow>(prices: &[P]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(header_line::<P>().as_bytes())?;
    for price in prices {
        encoder.write_all(line(price).as_bytes())?;
    }
    encoder.finish()
}

/// A time in whole seconds, as a date of HTTP has it.
fn date(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.as_unix_millis().div_euclid(1_000)).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use http::Request;

    use super::*;

    struct Row(&'static str);

    impl PriceRow for Row {
        const COLUMNS: &'static [&'static str] = &["Country", "Rate"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), "0.1".to_owned()]
        }
    }

    fn file() -> PriceFile {
        let changed_at = "2026-11-29T12:00:00.500Z".parse().unwrap();
        PriceFile::new("a_prices.csv.gz", &[Row("Spain"), Row("Korea, Republic of")], changed_at)
    }

    fn answered(assigned_at: &str, method: &str, held: Option<&str>) -> Response {
        let request = Request::builder().method(method).uri("/v3/prices.csv.gz");
        let request = match held {
            Some(held) => request.header(header::IF_MODIFIED_SINCE, held).header(header::IF_NONE_MATCH, "*"),
            None => request,
        };
        let (parts, ()) = request.body(()).unwrap().into_parts();
        file().respond(assigned_at.parse().unwrap(), &parts, Duration::ZERO)
    }

    #[test]
    fn the_rows_are_compressed_behind_their_header() {
        let mut text = String::new();
        let content = file().content.unwrap();
        GzDecoder::new(content.as_ref()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "Country,Rate\nSpain,0.1\n\"Korea, Republic of\",0.1\n");
    }

    #[test]
    fn the_date_is_the_later_one_of_the_file_and_the_account() {
        let old = "2020-01-01T00:00:00.000Z";
        let response = answered(old, "GET", None);
        assert_eq!(response.headers()[header::LAST_MODIFIED], "Sun, 29 Nov 2026 12:00:00 GMT");
        assert!(!response.headers().contains_key(header::ETAG));
        let response = answered("2026-12-01T00:00:00.000Z", "HEAD", None);
        assert_eq!(response.headers()[header::LAST_MODIFIED], "Tue, 01 Dec 2026 00:00:00 GMT");
        let length = file().content.unwrap().len().to_string();
        assert_eq!(response.headers()[header::CONTENT_LENGTH], length.as_str());
        for (held, status) in [
            ("Sun, 29 Nov 2026 12:00:00 GMT", 304),
            ("Sun, 29 Nov 2026 12:00:01 GMT", 304),
            ("Sun, 29 Nov 2026 11:59:59 GMT", 200),
            ("yesterday", 200),
        ] {
            let response = answered(old, "GET", Some(held));
            assert_eq!(response.status(), status, "{held}");
            let has_length = response.headers().contains_key(header::CONTENT_LENGTH);
            assert_eq!(has_length, status == 200, "{held}");
        }
    }

    #[test]
    fn a_time_that_no_date_can_state_is_the_nearest_one() {
        for (millis, expected) in
            [(i64::MIN, "Thu, 01 Jan 1970 00:00:00 GMT"), (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT")]
        {
            assert_eq!(httpdate::fmt_http_date(date(Timestamp::from_unix_millis(millis))), expected);
        }
    }
}
