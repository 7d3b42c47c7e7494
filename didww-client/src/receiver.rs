//! Callbacks as an argument of an axum handler.

use std::fmt;

use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use didww_types::callback::{Callback, CallbackError, Received, receive};
use didww_types::{SIGNATURE_HEADER, Secret};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};

/// The settings for verifying callbacks, as a part of the router's state: the configured URL, and the secrets.
///
/// `Debug` prints no secret.
#[derive(Clone)]
pub struct CallbackReceiver {
    url: String,
    secrets: Vec<Secret>,
}

impl CallbackReceiver {
    /// A receiver of the callbacks for a URL, exactly as it was configured at DIDWW, with the account's callback
    /// secret.
    pub fn new(url: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { url: url.into(), secrets: vec![secret.into()] }
    }

    /// Accepts the signatures of a further secret: the old one, while the secret is rotated.
    #[must_use]
    pub fn or_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secrets.push(secret.into());
        self
    }
}

impl fmt::Debug for CallbackReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackReceiver")
            .field("url", &self.url)
            .field("secrets", &self.secrets.len())
            .finish()
    }
}

/// A callback whose signature is right: the last argument of an axum handler, for GET and POST.
///
/// Its state is a [`CallbackReceiver`], or contains one (`FromRef`). A request with another signature is answered with
/// 401, one that is signed and cannot be read with 422, and a body over axum's limit with 413. DIDWW repeats a callback
/// that is not answered with 2xx within 60 seconds, so a handler should respond before long work, and must tolerate the
/// same callback twice.
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use didww_client::callback::Callback;
/// use didww_client::{CallbackReceiver, SignedCallback};
///
/// async fn on_callback(SignedCallback(callback): SignedCallback) {
///     match callback {
///         Callback::Trunks(events) => println!("{} trunks changed", events.len()),
///         Callback::Order(order) => println!("{} is {}", order.id, order.status),
///         other => println!("{other:?}"),
///     }
/// }
///
/// let receiver = CallbackReceiver::new("https://example.com/didww", "callback secret");
/// let router: Router = Router::new().route("/didww", post(on_callback).get(on_callback)).with_state(receiver);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SignedCallback(pub Callback);

impl<S> FromRequest<S> for SignedCallback
where
    CallbackReceiver: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let receiver = CallbackReceiver::from_ref(state);
        let is_get = request.method() == Method::GET;
        let query = request.uri().query().unwrap_or_default().to_owned();
        let media_type = header(request.headers(), CONTENT_TYPE.as_str());
        let signature = header(request.headers(), SIGNATURE_HEADER);
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        let request =
            Received { is_get, query: &query, media_type: &media_type, body: &body, signature: &signature };
        match receive(&receiver.secrets, &receiver.url, request) {
            Ok(callback) => Ok(Self(callback)),
            Err(error) => Err((status(&error), error.to_string()).into_response()),
        }
    }
}

fn status(error: &CallbackError) -> StatusCode {
    match error {
        CallbackError::Body(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::UNAUTHORIZED,
    }
}

/// The text of a header; empty if the header is absent, or is not text.
fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
