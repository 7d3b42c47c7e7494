//! Whole requests to DIDWW's API: paths, headers, queries and bodies, through every layer behind the listener.

use axum::body::Body;
use didww_types::{ApiVersion, Document, ErrorDocument, MEDIA_TYPE, REGISTRY};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use serde_json::Value;

use crate::{fixtures, query, server};

/// Recorded requests, reads with every query of the target `query`, and requests for tokens.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = fixtures::files("programs", ".http");
    let mint = r#"{"aud":["api.didww.com"],"scope":"read:x","expires_in":60}"#;
    let linkage = r#"{"data":[]}"#;
    let empty = r#"{"data":{}}"#;
    let json = format!("content-type: {MEDIA_TYPE}\n\n");
    let trunk = server::trunk();
    for version in ApiVersion::ALL {
        for body in fixtures::files(".", ".request.json") {
            let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
            let Some(kind) = parsed.pointer("/data/type").and_then(Value::as_str) else { continue };
            let start = match parsed.pointer("/data/id").and_then(Value::as_str) {
                Some(_) if kind == "voice_out_trunks" => format!("PATCH /v3/{kind}/{trunk}"),
                Some(id) => format!("PATCH /v3/{kind}/{id}"),
                None => format!("POST /v3/{kind}"),
            };
            let body = match parsed.pointer("/data/id").and_then(Value::as_str) {
                Some(id) => String::from_utf8_lossy(&body).replace(id, &trunk),
                None => String::from_utf8_lossy(&body).into_owned(),
            };
            let head = format!("{start}\nx-didww-api-version: {version}\n{json}");
            seeds.push([head, body].concat().into_bytes());
        }
        for spec in REGISTRY {
            for query in query::seeds().iter().step_by(5) {
                let query = String::from_utf8_lossy(query).replace('"', "%22");
                let head = format!("GET /v3/{}?{query}\nx-didww-api-version: {version}\n\n", spec.name);
                seeds.push(head.into_bytes());
            }
        }
    }
    for request in [
        format!("GET /v3/voice_out_trunks/{trunk}/relationships/dids\naccept: */*\n\n"),
        format!("PATCH /v3/voice_out_trunks/{trunk}/relationships/dids\n{json}{linkage}"),
        format!("GET /v3/x/../voice%5Fout_trunks//{trunk}/emergency_dids?include=a\n\n"),
        format!("POST /v3/voice_out_trunks\nidempotency-key: \"a\"\n{json}{empty}"),
        format!("POST /token\ncontent-type: application/json\n\n{mint}"),
        "POST /v3/encrypted_files\nx-didww-api-version: 2026-11-19\ncontent-type: multipart/form-data; boundary=b\n\n\
         --b\r\nContent-Disposition: form-data; name=\"encrypted_files[file]\"; filename=a\r\n\r\nx\r\n--b\r\n\
         Content-Disposition: form-data; name=\"encrypted_files[encryption_fingerprint]\"\r\n\r\nx\r\n--b--"
            .to_owned(),
        "GET /openapi/2026-11-19.json\n\n".to_owned(),
        "GET /v3/lookup/prices?filter[number]=18005550123&filter%5Bsrc_country_iso%5D=CA&page[size]=1\n\
         host: api-vin.test:443\nx-didww-api-version: 2026-11-19\n\n"
            .to_owned(),
        "GET http://api-sms.test/v3/sms_in/lookup/prices?filter[dst_number]=447700900123\n\
         x-didww-api-version: 2026-11-19\n\n"
            .to_owned(),
        "OPTIONS /v3/dids\norigin: http://a\naccess-control-request-method: GET\n\n".to_owned(),
        "DELETE /v3/voice_out_trunks/00000000-0000-0000-0000-000000000000\n\n".to_owned(),
    ] {
        seeds.push(request.into_bytes());
    }
    seeds
}

/// No request makes the server fail, and every answer is a document of its kind.
pub fn api_request(data: &[u8]) {
    let Some(request) = read(data) else { return };
    let is_of_the_api = request.uri().path().starts_with("/v3/");
    let (status, headers, body) = server::answer(request);
    assert!(!status.is_server_error(), "{status}: {}", String::from_utf8_lossy(&body));
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if body.is_empty() || !media_type.contains("json") {
        return;
    }
    let document: Value = serde_json::from_slice(&body).unwrap();
    if status.is_success() && is_of_the_api {
        assert!(Document::<Value>::parse(&body).is_ok(), "{document}");
    } else if is_of_the_api && status != StatusCode::UNAUTHORIZED {
        let errors = serde_json::from_value::<ErrorDocument>(document).unwrap().errors;
        assert!(!errors.is_empty());
    }
}

/// A request from a start line without the protocol's version, or with it, headers, and a body behind an empty line.
/// What it lacks to be authenticated is added.
fn read(data: &[u8]) -> Option<Request<Body>> {
    let (mut lines, mut rest) = (Vec::new(), data);
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, after) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 1..]));
        rest = after;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut words = lines.first()?.split(|byte| *byte == b' ');
    let mut request =
        Request::builder().method(words.next()?).uri(words.next()?).body(Body::from(rest.to_vec())).ok()?;
    let headers = request.headers_mut();
    for line in &lines[1..] {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        headers.append(HeaderName::from_bytes(&line[..colon]).ok()?, value);
    }
    if headers.get("x-didww-api-version").is_some_and(|version| version == "2026-11-19") {
        let bearer = HeaderValue::try_from(format!("Bearer {}", server::token())).ok()?;
        headers.entry(header::AUTHORIZATION).or_insert(bearer);
    }
    headers.entry("api-key").or_insert(HeaderValue::from_static(server::API_KEY));
    Some(request)
}
