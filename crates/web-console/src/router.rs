//! The router of the page and its files.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::assets::{Asset, find};

/// The templates of the paths, for the metrics of the listener.
pub const PATHS: [&str; 3] = ["/console", "/console/", "/console/{*file}"];

/// The content security policy: the page may load its own files, and send requests to its own server. It cannot
/// evaluate code, be framed or send data elsewhere, and a text cannot become markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    // A cached file is revalidated by its tag each time: a new release of the server has other files at the same paths.
    (header::CACHE_CONTROL, "no-cache"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    ),
];

/// Builds the router: the page at `/console/`, its files below, and 404 for every other path there.
pub fn router() -> Router {
    let [bare, page, file] = PATHS;
    Router::new()
        .route(bare, get(to_the_page))
        .route(page, get(async |headers: HeaderMap| serve("", &headers)))
        .route(file, get(async |Path(path): Path<String>, headers: HeaderMap| serve(&path, &headers)))
}

/// Redirects to the page with a trailing slash, because its files have relative paths.
async fn to_the_page(uri: Uri) -> Response {
    let place = format!("{}/", uri.path());
    secured((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, place)]).into_response())
}

fn serve(path: &str, request: &HeaderMap) -> Response {
    let Some(asset) = find(path) else {
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        let text = "the console has no such file; its page is at /console/\n";
        return secured((StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, kind)], text).into_response());
    };
    let tag = asset.tag();
    let mut response = if has(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let Asset { kind, text, .. } = asset;
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
    };
    response.headers_mut().extend(HeaderValue::from_str(&tag).ok().map(|tag| (header::ETAG, tag)));
    secured(response)
}

/// Whether the client has the file with this tag.
fn has(request: &HeaderMap, tag: &str) -> bool {
    let sent = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == tag || value == "*")
}

fn secured(mut response: Response) -> Response {
    let headers = HEADERS.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::all;

    fn sent(tag: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, tag.parse().unwrap())])
    }

    #[test]
    fn a_file_that_the_client_has_is_not_sent_again() {
        for asset in all() {
            let first = serve(asset.path, &HeaderMap::new());
            assert_eq!(first.status(), 200);
            assert_eq!(first.headers()[header::CONTENT_TYPE], asset.kind);
            let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
            for form in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
                let again = serve(asset.path, &sent(&form));
                assert_eq!(
                    (again.status().as_u16(), again.headers()[header::ETAG].to_str().unwrap()),
                    (304, &*tag)
                );
                assert_eq!(again.headers()[header::CACHE_CONTROL], "no-cache");
            }
            assert_eq!(serve(asset.path, &sent("\"other\"")).status(), 200);
        }
    }

    #[test]
    fn an_unknown_path_is_404_as_plain_text() {
        for path in ["nothing.js", "index.html", "../Cargo.toml", "views", "views/"] {
            let response = serve(path, &HeaderMap::new());
            assert_eq!(response.status(), 404, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }

    #[test]
    fn the_policy_permits_the_pages_own_files_alone() {
        let response = serve("", &HeaderMap::new());
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        for loose in ["unsafe", "data:", "blob:", "http", "*"] {
            assert!(!policy.contains(loose), "{policy}");
        }
    }
}
