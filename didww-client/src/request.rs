//! Construction of requests, without I/O.

use std::ops::Range;

use client_core::{Body, url_below};
use didww_types::{MEDIA_TYPE, Parameters, ResourceIdentifier, Sent, encode_component};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use crate::{Error, Exchange, NotSent, Reason};

const JSON_API: HeaderValue = HeaderValue::from_static(MEDIA_TYPE);

/// A request, relative to the client's base URL.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path below the base URL: percent-encoded, beginning with a slash.
    pub(crate) path: String,
    /// The range of the record's id in the path; empty if there is none.
    id: Range<usize>,
    pub(crate) query: String,
    pub(crate) body: Option<Body>,
    /// Headers of this request alone.
    pub(crate) headers: HeaderMap,
}

impl Request {
    /// A request with a percent-encoded path of the caller's choice.
    pub(crate) fn raw(method: Method, path: &str) -> Self {
        Self::new(method, path.to_owned())
    }

    fn new(method: Method, path: String) -> Self {
        Self { method, path, id: 0..0, query: String::new(), body: None, headers: HeaderMap::new() }
    }

    /// A request for the collection of a type.
    pub(crate) fn collection(method: Method, kind: &str) -> Self {
        Self::new(method, ["/", kind].concat())
    }

    /// A request for one record.
    pub(crate) fn record(method: Method, kind: &str, id: &str) -> Self {
        Self::below(method, kind, id, ["", ""])
    }

    /// A request for the linkage of a relationship.
    pub(crate) fn linkage(method: Method, kind: &str, id: &str, name: &str) -> Self {
        Self::below(method, kind, id, ["/relationships/", name])
    }

    /// A request for the related records of a relationship.
    pub(crate) fn related(method: Method, kind: &str, id: &str, name: &str) -> Self {
        Self::below(method, kind, id, ["/", name])
    }

    fn below(method: Method, kind: &str, id: &str, [between, name]: [&str; 2]) -> Self {
        let id = encode_component(id);
        let start = kind.len() + 2;
        Self {
            id: start..start + id.len(),
            ..Self::new(method, ["/", kind, "/", &id, between, name].concat())
        }
    }

    /// The path with `{id}` instead of the record's id, so that spans can be grouped by it.
    pub(crate) fn template(&self) -> String {
        match (self.path.get(..self.id.start), self.path.get(self.id.end..)) {
            (Some(before), Some(after)) if self.id.start > 0 => [before, "{id}", after].concat(),
            _ => self.path.clone(),
        }
    }

    /// Sets the query to these parameters, encoded, in place of any that it had.
    pub(crate) fn with_query(mut self, parameters: &Parameters) -> Self {
        self.query = parameters.to_query();
        self
    }

    /// Sets the body to a JSON:API document.
    pub(crate) fn with_body(mut self, body: &Value) -> Self {
        self.body = Some(Body { media_type: JSON_API, bytes: body.to_string().into() });
        self
    }

    /// Sets the body to a record: one to create without an id, one to update with an id.
    pub(crate) fn with_record(self, kind: &str, id: Option<&str>, sent: Sent) -> Self {
        let mut data = Map::new();
        if let Some(id) = id {
            data.insert("id".to_owned(), id.into());
        }
        data.insert("type".to_owned(), kind.into());
        if !sent.attributes.is_empty() {
            data.insert("attributes".to_owned(), Value::Object(sent.attributes));
        }
        if !sent.relationships.is_empty() {
            data.insert("relationships".to_owned(), Value::Object(sent.relationships));
        }
        self.with_body(&json!({ "data": data }))
    }

    /// Sets the body to the linkage of a to-many relationship.
    pub(crate) fn with_many(self, members: &[ResourceIdentifier]) -> Self {
        let members: Vec<Value> = members.iter().map(identifier).collect();
        self.with_body(&json!({ "data": members }))
    }

    /// Sets the body to the linkage of a to-one relationship.
    pub(crate) fn with_one(self, member: Option<&ResourceIdentifier>) -> Self {
        self.with_body(&json!({ "data": member.map(identifier) }))
    }

    /// The URL of the request below a base URL.
    ///
    /// An id such as `..` is refused: the URL would be that of a collection instead of a record.
    pub(crate) fn url(&self, base: &Url) -> Result<Url, Error> {
        url_below(base, &self.path, &self.query).ok_or_else(|| self.refused(Reason::Path))
    }

    /// The error of this request when it is not sent.
    pub(crate) fn refused(&self, reason: impl Into<Reason>) -> Error {
        let exchange = Exchange::unsent(&self.method, self.path.as_str());
        Error::NotSent(Box::new(NotSent::request(exchange, reason)))
    }
}

fn identifier(member: &ResourceIdentifier) -> Value {
    json!({ "type": member.kind, "id": member.id })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a161808-bb05-42b1-8398-7888abdfa9ef";

    fn base() -> Url {
        "https://api.didww.com/v3".parse().unwrap()
    }

    fn url(request: &Request) -> String {
        request.url(&base()).unwrap().to_string()
    }

    #[test]
    fn every_kind_of_request_has_its_url() {
        let urls = [
            Request::collection(Method::GET, "dids"),
            Request::record(Method::PATCH, "dids", ID),
            Request::linkage(Method::POST, "voice_out_trunks", ID, "dids"),
            Request::related(Method::GET, "voice_out_trunks", ID, "dids"),
            Request::raw(Method::GET, "/pops"),
        ]
        .map(|request| url(&request));
        let expected = [
            "/dids".to_owned(),
            format!("/dids/{ID}"),
            format!("/voice_out_trunks/{ID}/relationships/dids"),
            format!("/voice_out_trunks/{ID}/dids"),
            "/pops".to_owned(),
        ]
        .map(|path| format!("https://api.didww.com/v3{path}"));
        assert_eq!(urls, expected);
    }

    #[test]
    fn the_template_has_no_id_in_it() {
        let request = Request::linkage(Method::GET, "voice_out_trunks", ID, "dids");
        assert_eq!(request.template(), "/voice_out_trunks/{id}/relationships/dids");
    }

    #[test]
    fn the_query_is_written_as_the_service_writes_its_links() {
        let parameters = Parameters {
            sort: vec!["-created_at".to_owned()],
            include: vec!["dids".to_owned(), "default_did".to_owned()],
            number: Some(2),
            ..Parameters::default()
        };
        let request = Request::collection(Method::GET, "dids").with_query(&parameters);
        assert_eq!(
            url(&request),
            "https://api.didww.com/v3/dids?include=dids%2Cdefault_did&page%5Bnumber%5D=2&sort=-created_at"
        );
    }

    #[test]
    fn an_id_cannot_change_the_path() {
        for id in ["", ".", "..", "%2e%2e"] {
            let refused = Request::record(Method::DELETE, "dids", id).url(&base());
            match (id, refused) {
                ("%2e%2e", url) => assert_eq!(url.unwrap().path(), "/v3/dids/%252e%252e"),
                (_, refused) => assert!(matches!(refused, Err(Error::NotSent(_))), "{id}"),
            }
        }
        let escaped = Request::record(Method::GET, "dids", "a/b?c#d");
        assert_eq!(url(&escaped), "https://api.didww.com/v3/dids/a%2Fb%3Fc%23d");
    }

    #[test]
    fn a_raw_path_stays_below_the_base() {
        for path in
            ["pops", "", "/", "//evil.example/", "/../admin", "/a/%2e%2e/b", "@evil.example", "/a b", "/a?b"]
        {
            assert!(Request::raw(Method::GET, path).url(&base()).is_err(), "{path}");
        }
    }

    #[test]
    fn a_body_names_the_record_and_leaves_out_empty_members() {
        let body = |request: Request| serde_json::from_slice::<Value>(&request.body.unwrap().bytes).unwrap();
        let request = Request::record(Method::PATCH, "dids", ID);
        assert_eq!(
            body(request.clone().with_record("dids", Some(ID), Sent::default())),
            json!({"data": {"id": ID, "type": "dids"}})
        );
        assert_eq!(body(request.clone().with_one(None)), json!({"data": null}));
        let member = ResourceIdentifier { kind: "dids".to_owned(), id: ID.to_owned() };
        assert_eq!(body(request.with_many(&[member])), json!({"data": [{"type": "dids", "id": ID}]}));
    }
}
