//! The lab's interface to this server: the account of a request, the error format of each API, and the end of the
//! server.

use std::sync::Arc;

use didww_api::Api;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use http_listener::Response;
use lab::Surroundings;
use service_base::boxed::Boxed;
use token_service::is_token_path;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The server as a lab uses it.
#[derive(Debug)]
pub(super) struct ServerSurroundings(Arc<Api>);

impl ServerSurroundings {
    pub(super) fn new(api: Arc<Api>) -> Self {
        Self(api)
    }
}

impl Surroundings for ServerSurroundings {
    fn account<'a>(&'a self, request: &'a mut Parts) -> Boxed<'a, Option<Uuid>> {
        Box::pin(async move {
            // The platform's tokens are not DIDWW's.
            let is_of_didww = request.uri.path().starts_with("/v3/") || is_token_path(request.uri.path());
            if is_of_didww { didww_api::account_of(&self.0, request).await } else { None }
        })
    }

    fn refusal(&self, request: &Parts, status: StatusCode) -> Response {
        let (path, id) = (request.uri.path(), self.0.core.ids.request().to_string());
        let mut response = if is_token_path(path) {
            token_service::refusal(status)
        } else {
            of_an_api(request, status, &id)
        };
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    fn stopping(&self) -> Boxed<'_, ()> {
        Box::pin(self.0.core.stopping())
    }
}

#[cfg(feature = "voipbin")]
fn of_an_api(request: &Parts, status: StatusCode, id: &str) -> Response {
    let path = request.uri.path();
    if ["/v1.0/", "/v1/", "/auth/"].iter().any(|base| path.starts_with(*base)) {
        voipbin_platform::refusal(status, id)
    } else {
        didww_api::refusal(request, status)
    }
}

#[cfg(not(feature = "voipbin"))]
fn of_an_api(request: &Parts, status: StatusCode, _id: &str) -> Response {
    didww_api::refusal(request, status)
}
