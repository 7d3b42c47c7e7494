//! Answers with the exchanges of a recording.
//!
//! A request is answered by an exchange with the same method, path, query and body; parameters of the query may be in
//! another order, and secrets are compared in their masked form. If both state a version of the API, it must be the
//! same. Of several exchanges, each answers once, in the order of the recording; the last one answers all further
//! requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body as ResponseBody;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use http_listener::{plain_json, read_body};
use serde_json::json;
use url::form_urlencoded;

use crate::exchange::{Exchange, RecordedRequest, RecordedResponse, VERSION};
use crate::listen::{limits, unread};

/// The parameters of a query in the order of their names. Several values of one name keep their order.
type Parameters = Vec<(String, String)>;

struct Replay {
    exchanges: Vec<Exchange>,
    /// The parsed parameters of their queries. They are parsed once: a program that polls sends the same request
    /// thousands of times.
    parameters: Vec<Parameters>,
    /// The positions of the exchanges, by path.
    at_path: HashMap<String, Vec<usize>>,
    /// Whether each exchange has answered already.
    used: Mutex<Vec<bool>>,
}

/// A router that answers with these exchanges.
pub fn replay(exchanges: impl IntoIterator<Item = Exchange>) -> Router {
    let replay = Replay::new(exchanges.into_iter().collect());
    Router::new().fallback(answer).with_state(Arc::new(replay))
}

async fn answer(State(replay): State<Arc<Replay>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read_body(body, limits().body()).await {
        Ok(body) => body,
        Err(error) => return unread(&error),
    };
    let requested = RecordedRequest::new(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query(),
        &parts.headers,
        &body,
    );
    if let Some(exchange) = replay.find(&requested) {
        return response(&exchange.response);
    }
    let near = replay.near(&requested);
    let error = format!("no recorded exchange answers {}; {near}", requested.line());
    plain_json(StatusCode::NOT_FOUND, &json!({ "error": error }))
}

impl Replay {
    fn new(exchanges: Vec<Exchange>) -> Self {
        let parameters = exchanges.iter().map(|one| parameters(&one.request)).collect();
        let mut at_path: HashMap<String, Vec<usize>> = HashMap::new();
        for (position, one) in exchanges.iter().enumerate() {
            at_path.entry(one.request.path.clone()).or_default().push(position);
        }
        let used = Mutex::new(vec![false; exchanges.len()]);
        Self { exchanges, parameters, at_path, used }
    }

    /// The exchange that answers a request: the first matching one that has not answered yet, else the last.
    fn find(&self, requested: &RecordedRequest) -> Option<&Exchange> {
        let wanted = parameters(requested);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        for position in self.at_path.get(&requested.path).into_iter().flatten() {
            let at_position =
                (self.exchanges.get(*position), self.parameters.get(*position), used.get_mut(*position));
            let (Some(exchange), Some(own), Some(used)) = at_position else { continue };
            if *own != wanted || !is_match(&exchange.request, requested) {
                continue;
            }
            last = Some(exchange);
            if !*used {
                *used = true;
                break;
            }
        }
        last
    }

    /// The most similar exchanges of the recording, for the error.
    fn near(&self, requested: &RecordedRequest) -> String {
        let positions = self.at_path.get(&requested.path).into_iter().flatten();
        let exchanges = positions.filter_map(|position| self.exchanges.get(*position));
        let at_path: Vec<&RecordedRequest> = exchanges.map(|one| &one.request).collect();
        let of_method: Vec<&RecordedRequest> =
            at_path.iter().copied().filter(|one| one.method == requested.method).collect();
        let wanted = parameters(requested);
        if let Some(other) = of_method.iter().find(|one| parameters(one) == wanted) {
            let what = if other.body == requested.body { "version of the API" } else { "body" };
            return format!("it has the request with another {what}");
        }
        if let Some(other) = of_method.first().or(at_path.first()) {
            return format!("it has {}", other.line());
        }
        "it has no request of this path".to_owned()
    }
}

/// Whether a recorded request with the same path and parameters matches the received one.
fn is_match(recorded: &RecordedRequest, requested: &RecordedRequest) -> bool {
    let versions = (recorded.headers.get(VERSION), requested.headers.get(VERSION));
    let is_same_version = match versions {
        (Some(recorded), Some(requested)) => recorded == requested,
        _ => true,
    };
    recorded.method == requested.method && recorded.body == requested.body && is_same_version
}

fn parameters(request: &RecordedRequest) -> Parameters {
    let query = request.query.as_deref().unwrap_or_default();
    let mut pairs: Parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    // Stable: several values of one name keep their order.
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs
}

fn response(recorded: &RecordedResponse) -> Response {
    let Ok(status) = StatusCode::from_u16(recorded.status) else {
        let error = format!("the recording has the status {}", recorded.status);
        return plain_json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": error }));
    };
    let body = match recorded.body.as_ref().map(crate::exchange::Body::bytes) {
        None => Vec::new(),
        Some(Some(bytes)) => bytes,
        Some(None) => {
            let error = "the recording does not have the body of this answer";
            return plain_json(StatusCode::NOT_IMPLEMENTED, &json!({ "error": error }));
        }
    };
    let mut response = Response::new(ResponseBody::from(body));
    *response.status_mut() = status;
    for (name, value) in &recorded.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn request(method: &str, path: &str, query: Option<&str>, body: &[u8]) -> RecordedRequest {
        RecordedRequest::new(method, path, query, &HeaderMap::new(), body)
    }

    fn recorded(status: u16, request: RecordedRequest) -> Exchange {
        Exchange::new(request, RecordedResponse::new(status, &HeaderMap::new(), b""))
    }

    fn of(exchanges: Vec<Exchange>) -> Replay {
        Replay::new(exchanges)
    }

    fn status(replay: &Replay, requested: &RecordedRequest) -> Option<u16> {
        replay.find(requested).map(|exchange| exchange.response.status)
    }

    #[tokio::test]
    async fn a_body_that_is_one_byte_too_long_is_refused_as_such() {
        let longest = limits().body().max_bytes;
        for (length, status) in
            [(longest, StatusCode::NOT_FOUND), (longest + 1, StatusCode::PAYLOAD_TOO_LARGE)]
        {
            let request = http::Request::post("/a").body(ResponseBody::from(vec![b'1'; length])).unwrap();
            assert_eq!(answer(State(Arc::new(of(Vec::new()))), request).await.status(), status);
        }
    }

    #[test]
    fn repeated_requests_are_answered_in_the_order_of_the_recording_and_the_last_goes_on() {
        let list = || request("GET", "/v3/dids", None, b"");
        let replay = of(vec![recorded(200, list()), recorded(201, list()), recorded(202, list())]);
        let statuses: Vec<_> = (0..5).map(|_| status(&replay, &list())).collect();
        assert_eq!(statuses, [Some(200), Some(201), Some(202), Some(202), Some(202)]);
    }

    #[test]
    fn method_path_query_and_body_decide_and_secrets_do_not() {
        let replay =
            of(vec![recorded(200, request("POST", "/a", Some("x=1&y=2"), br#"{"password":"one","n":1}"#))]);
        let ask = |method, path, query, body: &[u8]| status(&replay, &request(method, path, query, body));
        let body = br#"{"n":1,"password":"other"}"#;
        assert_eq!(ask("POST", "/a", Some("y=2&x=1"), body), Some(200));
        assert_eq!(ask("PUT", "/a", Some("y=2&x=1"), body), None);
        assert_eq!(ask("POST", "/b", Some("y=2&x=1"), body), None);
        assert_eq!(ask("POST", "/a", Some("y=2"), body), None);
        assert_eq!(ask("POST", "/a", Some("y=2&x=1"), br#"{"n":2,"password":"one"}"#), None);
    }

    #[test]
    fn several_values_of_one_parameter_keep_their_order_and_each_path_has_its_own_exchanges() {
        let of_path = |path: &str, query: &str| request("GET", path, Some(query), b"");
        let replay = of(vec![
            recorded(200, of_path("/a", "x=1&x=2&y=3")),
            recorded(201, of_path("/b", "x=1&x=2&y=3")),
            recorded(202, of_path("/a", "x=2&x=1&y=3")),
        ]);
        assert_eq!(status(&replay, &of_path("/a", "y=3&x=2&x=1")), Some(202));
        assert_eq!(status(&replay, &of_path("/a", "x=1&y=3&x=2")), Some(200));
        assert_eq!(status(&replay, &of_path("/b", "x=1&x=2&y=3")), Some(201));
        assert_eq!(status(&replay, &of_path("/c", "x=1&x=2&y=3")), None);
    }

    #[test]
    fn a_request_without_an_answer_is_helped_with_what_is_near() {
        let replay = of(vec![recorded(200, request("POST", "/a", None, b"{}"))]);
        assert_eq!(replay.near(&request("POST", "/a", None, b"[]")), "it has the request with another body");
        assert_eq!(replay.near(&request("GET", "/a", None, b"")), "it has POST /a");
        assert_eq!(replay.near(&request("GET", "/b", None, b"")), "it has no request of this path");
    }
}
