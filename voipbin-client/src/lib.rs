//! A typed, asynchronous SDK for the outbound side of VoIPBIN's API (`/v1.0`): outbound configs, providers,
//! routes, provider calls and calls.
//!
//! ```
//! # #[cfg(not(feature = "rustls"))]
//! # fn main() {}
//! # #[cfg(feature = "rustls")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::{method, path_regex}};
//! # use serde_json::json;
//! # let server = MockServer::start().await;
//! # let id = "4dbeabd6-f397-4375-95d2-a38411e07ed1";
//! # let answers = [
//! #     ("POST", "/providers$", json!({"id": id})),
//! #     ("PUT", "/outbound_config$", json!({"id": id})),
//! #     ("POST", "/providercalls$", json!({"id": id, "call_ids": [id]})),
//! #     ("GET", "/calls/", json!({"id": id, "status": "hangup", "hangup_reason": "busy"})),
//! #     ("GET", "/providercalls$", json!({"result": [], "next_page_token": ""})),
//! #     ("DELETE", "/providers/", json!({"error": {"message": "The provider was not found.",
//! #         "reason": "PROVIDER_NOT_FOUND", "request_id": "req_A", "status": "NOT_FOUND"}})),
//! # ];
//! # for (verb, path, body) in answers {
//! #     let status = if verb == "DELETE" { 404 } else { 200 };
//! #     Mock::given(method(verb)).and(path_regex(path))
//! #         .respond_with(ResponseTemplate::new(status).set_body_json(body)).mount(&server).await;
//! # }
//! use std::time::Duration;
//! use voipbin_client::types::{ActionBody, Address, OutboundConfigPatch, ProviderBody, ProviderCallCreate};
//! use voipbin_client::types::{ErrorReason, HangupReason};
//! use voipbin_client::{Client, TryStreamExt as _};
//!
//! # let builder = Client::builder().base_url(format!("{}/v1.0", server.uri()));
//! # #[cfg(any())]
//! let builder = Client::builder();
//! let client = builder.token("your token").build()?;
//!
//! // Countries that may be called: with none, every call to a telephone number is refused.
//! client.outbound_config().update(OutboundConfigPatch::default().destination_whitelist(["kr"])).await?;
//!
//! // A provider, and a call through it and no other.
//! let provider = client.providers().create(ProviderBody::sip("Berlin", "sip.example.com")).await?;
//! let body = ProviderCallCreate::new(provider.id, [Address::tel("+821012345678")])
//!     .source(Address::tel("+14155551234"))
//!     .actions([ActionBody::talk("Hello", "en-US"), ActionBody::hangup()]);
//! let placed = client.provider_calls().create(body).await?;
//!
//! // The record does not follow its calls; each call tells how it ends.
//! for id in placed.call_ids {
//!     let call = client.calls().wait_until_hung_up(id, Duration::from_secs(90)).await?;
//!     if call.hangup_reason == Some(HangupReason::Busy) {
//!         println!("busy");
//!     }
//! }
//!
//! // All records, page by page.
//! let mut placed = client.provider_calls().list().provider(provider.id).stream();
//! while let Some(record) = placed.try_next().await? {
//!     println!("{}", record.id);
//! }
//!
//! // What is refused says why.
//! if let Err(error) = client.providers().delete(provider.id).await {
//!     assert_eq!(error.reason(), Some(&ErrorReason::ProviderNotFound));
//!     println!("{error}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it does for you
//!
//! - **Time.** Every request has a timeout. It can be set, and cannot be switched off.
//! - **Repetition.** [`RetryPolicy`] says what is sent again and when. What places a call or makes a record is
//!   sent again only where it cannot have taken effect.
//! - **Rate.** The clones of a client together stay within the requests a second that VoIPBIN allows a customer.
//! - **Pages.** Lists are streams; one that would not come to its end is left.
//! - **Tolerance.** Unknown members do no harm, unknown texts of enumerations are kept. Providers and routes keep
//!   unknown members too, because an update replaces them whole.
//! - **Secrets.** Passwords, tokens and keys are in no `Debug`, error, log or span, although an access key travels
//!   in the URL.
//! - **Traces.** One [`tracing`](https://docs.rs/tracing) span a request: method, path, status, attempts and the
//!   service's request id.
//!
//! Webhooks are checked and read by [`webhook`].
//!
//! # Features
//!
//! `http` (default) is the client; without it there are [`types`] and [`webhook`] alone. `rustls` (default) makes
//! HTTPS clients with rustls, ring and the platform's certificates. ring becomes the process's provider only if
//! there is none yet. Without it, bring a client: `ClientBuilder::http_client`.
//!
//! Compatible with VoIPBIN, not affiliated with it.

#[cfg(feature = "http")]
mod api;
#[cfg(feature = "http")]
mod builder;
#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod error;
#[cfg(feature = "http")]
mod list_request;
#[cfg(feature = "http")]
mod progress;
#[cfg(feature = "http")]
mod request;
pub mod webhook;

pub use uuid::Uuid;
pub use voipbin_types as types;
pub use wire_core::DecodeError;

#[cfg(feature = "http")]
pub use {
    api::{Calls, OutboundConfigApi, OutboundConfigs, ProviderCalls, Providers, Routes},
    builder::{ClientBuilder, PRODUCTION},
    client::Client,
    client_core::{Exchange, RetryPolicy, SetupError, TransportError, TransportKind, Unreadable},
    error::{Endless, EndlessReason, Error, NotSent, Reason, Refusal, StillUp},
    futures_core::Stream,
    futures_util::{StreamExt, TryStreamExt},
    list_request::ListRequest,
    reqwest::{Method, StatusCode},
};
