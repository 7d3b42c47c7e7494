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
//! // The countries that can be called. Without any, every call to a telephone number is refused.
//! client.outbound_config().update(OutboundConfigPatch::default().destination_whitelist(["kr"])).await?;
//!
//! // Create a provider and place a call through it, without the use of routes.
//! let provider = client.providers().create(ProviderBody::sip("Berlin", "sip.example.com")).await?;
//! let body = ProviderCallCreate::new(provider.id, [Address::tel("+821012345678")])
//!     .source(Address::tel("+14155551234"))
//!     .actions([ActionBody::talk("Hello", "en-US"), ActionBody::hangup()]);
//! let placed = client.provider_calls().create(body).await?;
//!
//! // The record is not updated when its calls end; the result is in each call.
//! for id in placed.call_ids {
//!     let call = client.calls().wait_until_hung_up(id, Duration::from_secs(90)).await?;
//!     if call.hangup_reason == Some(HangupReason::Busy) {
//!         println!("busy");
//!     }
//! }
//!
//! // Read all records, page by page.
//! let mut placed = client.provider_calls().list().provider(provider.id).stream();
//! while let Some(record) = placed.try_next().await? {
//!     println!("{}", record.id);
//! }
//!
//! // A refusal has a machine-readable reason.
//! if let Err(error) = client.providers().delete(provider.id).await {
//!     assert_eq!(error.reason(), Some(&ErrorReason::ProviderNotFound));
//!     println!("{error}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Behaviour
//!
//! - **Timeouts.** Every request has a timeout, 30 s by default. It can be changed but not disabled.
//! - **Retries.** [`RetryPolicy`] determines which requests are retried and when. A request that places calls
//!   or creates a record is retried only when it cannot have taken effect.
//! - **Rate limit.** All clones of a client together send at most 16 requests a second to VoIPBIN's own
//!   hosts, where VoIPBIN documents a limit of 16.7 a second for a customer.
//! - **Pages.** Lists are streams. A list whose pages would never end yields an error.
//! - **Forward compatibility.** Unknown members are ignored, and unknown texts of enumerations are preserved.
//!   Providers and routes also preserve unknown members, because an update replaces all members.
//! - **Secrets.** Passwords, tokens and keys never appear in `Debug` output, errors, logs or spans, and no URL
//!   contains one: a token is sent as a header, an access key as a cookie.
//! - **Tracing.** Each request is one [`tracing`](https://docs.rs/tracing) span with method, path, status,
//!   number of attempts and the service's request id.
//!
//! [`Client::raw`] sends requests for endpoints that the crate does not declare. The module [`webhook`] verifies
//! and decodes the webhooks that VoIPBIN sends.
//!
//! # Features
//!
//! `http` (default) is the client; without it, the crate has only [`types`] and [`webhook`]. `rustls`
//! (default) builds HTTPS clients with rustls, ring and the platform's certificates. ring is installed as the
//! process's default crypto provider only if there is none yet. Without `rustls`, pass an HTTP client to
//! `ClientBuilder::http_client`.
//!
//! This crate is compatible with VoIPBIN's API and not affiliated with VoIPBIN.

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
mod raw;
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
    client_core::{
        Exchange, IdempotencyKey, InvalidKey, RetryPolicy, SetupError, TransportError, TransportKind,
        Unreadable,
    },
    error::{Awaited, Endless, EndlessReason, Error, NotSent, Reason, Refusal, StillUp},
    futures_core::Stream,
    futures_util::{StreamExt, TryStreamExt},
    list_request::ListRequest,
    raw::{RawAnswer, RawRequest},
    reqwest::{self, Method, StatusCode},
};
