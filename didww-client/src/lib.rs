//! A typed, asynchronous SDK for DIDWW's API v3.
//!
//! ```
//! # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};
//! # use serde_json::json;
//! use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
//! use didww_client::values::IpNetworks;
//! use didww_client::{Client, Error, TryStreamExt as _};
//!
//! # #[cfg(not(feature = "rustls"))]
//! # fn main() {}
//! # #[cfg(feature = "rustls")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = MockServer::start().await;
//! # let trunk = json!({"type": "voice_out_trunks", "id": "1", "attributes": {
//! #     "name": "Berlin", "on_cli_mismatch_action": "reject_call", "created_at": "2026-04-08T06:57:33.304Z",
//! #     "authentication_method": {"type": "credentials_and_ip", "attributes": {
//! #         "allowed_sip_ips": ["203.0.113.7/32"], "username": "u", "password": "p"}}}});
//! # let one = || ResponseTemplate::new(200).set_body_json(json!({"data": &trunk}));
//! # let taken = json!({"errors": [{"title": "has already been taken", "detail": "name - has already been taken",
//! #     "code": "100", "source": {"pointer": "/data/attributes/name"}, "status": "422"}]});
//! # Mock::given(method("GET")).and(wiremock::matchers::path("/v3/voice_out_trunks"))
//! #     .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": [&trunk]}))).mount(&server).await;
//! # let rotation = json!({"data": {"type": "voice_out_trunk_regenerate_credentials", "id": "1"}});
//! # Mock::given(wiremock::matchers::path("/v3/voice_out_trunk_regenerate_credentials"))
//! #     .respond_with(ResponseTemplate::new(201).set_body_json(rotation)).mount(&server).await;
//! # let token = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 900});
//! # Mock::given(wiremock::matchers::path("/token"))
//! #     .respond_with(ResponseTemplate::new(200).set_body_json(token)).mount(&server).await;
//! # for verb in ["GET", "POST"] { Mock::given(method(verb)).respond_with(one()).mount(&server).await; }
//! # Mock::given(method("PATCH")).respond_with(ResponseTemplate::new(422).set_body_json(taken)).mount(&server).await;
//! let client = Client::sandbox("your API key")?;
//! # let client = Client::builder(format!("{}/v3", server.uri()), "key").build()?;
//! let trunks = client.voice_out_trunks();
//!
//! // Create: required attributes are constructor parameters; invalid values are refused before sending.
//! let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"])?);
//! let body = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, method);
//! let trunk = trunks.create(body).await?;
//!
//! // List: one page, or the records of all pages as a stream.
//! let mut all = trunks.list().stream();
//! while let Some(trunk) = all.try_next().await? {
//!     println!("{}", trunk.name);
//! }
//!
//! // Rotate the SIP credentials. The password prints as `Secret(hidden)`.
//! let trunk = trunks.regenerate_credentials(&trunk.id).await?;
//!
//! // Update, and react to a validation error of one attribute.
//! match trunks.update(&trunk.id, VoiceOutTrunk::patch().name("Paris")).await {
//!     Ok(trunk) => println!("now {}", trunk.name),
//!     Err(error @ Error::Validation(_)) if !error.field("name").is_empty() => println!("the name is taken"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Behaviour
//!
//! - **Operations.** [`Api`] has only the operations that the API has for a resource; any other does not
//!   compile.
//! - **Timeouts.** Every request has a timeout, 30 s by default. It can be changed but not disabled.
//! - **Retries.** [`RetryPolicy`] determines which requests are retried and when. A POST is retried only when
//!   it cannot have taken effect, or when it has an idempotency key.
//! - **Rate limit.** All clones of a client together send at most the ten requests a second that DIDWW
//!   documents for an API key.
//! - **Access tokens.** From 2026-11-19 on, requests have an access token instead of the API key. The client mints
//!   it when it is needed, shares it between its clones, and renews it before it expires, and once if the API
//!   refuses it. [`ClientBuilder::read_only`] makes a client whose tokens cannot write.
//! - **API versions.** A body, filter, sort attribute or include path that the client's [`ApiVersion`] does
//!   not have is an error before anything is sent. A response is decoded in the form of the version that
//!   served the request.
//!   An attribute that the version of the response does not have yet is `None`: nothing is assumed.
//! - **Forward compatibility.** Attributes, enumeration texts and types of authentication methods that this
//!   crate does not know survive a read-modify-write.
//! - **Secrets.** API keys, access tokens and passwords never appear in `Debug` output, errors, logs or spans.
//! - **Tracing.** Each request is one [`tracing`](https://docs.rs/tracing) span with method, path, status,
//!   number of attempts and the service's request id.
//!
//! The module [`callback`] verifies the callbacks that DIDWW sends.
//!
//! # Included records
//!
//! A relationship has the id of its record. A record that a request includes is a typed value if this crate declares its
//! type: [`ToOne::included`] and [`Included`] find it.
//!
//! ```
//! use didww_client::resources::{DidFeature, DidFilter, DidInclude};
//!
//! # async fn f(client: didww_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! // The numbers that can be caller numbers of outbound trunks, with what else they can be used for.
//! let can_call = DidFilter::did_group_features(DidFeature::VoiceOut);
//! let page = client.dids().list().filter(can_call).include([DidInclude::DidGroup]).await?;
//! for did in &page.items {
//!     if let Some(group) = did.did_group.included(&page.included)? {
//!         println!("{} in {}: {:?}", did.number, group.area_name, group.features);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Resources that this crate does not declare
//!
//! [`Client::raw`] sends any request: with JSON, bytes or a form ([`Multipart`]) as the body, and with headers of one's
//! own. Its answers are streams of pages or of records, documents whose unknown members are kept, or bytes. A refusal
//! in another shape than DIDWW's is readable as well: [`Refusal::body`].
//!
//! A program that uses such a resource often declares it, as this crate declares its own, and has typed requests for it:
//!
//! ```
//! use didww_client::{Extra, Id, Resource};
//!
//! /// A point of presence.
//! #[derive(Debug, Clone, PartialEq, Resource)]
//! #[resource(name = "pops", since = "2017-09-18", verbs(list), crate = "didww_client")]
//! pub struct Pop {
//!     /// The id.
//!     pub id: Id<Pop>,
//!     /// The name, such as `DE, FRA`.
//!     #[attr]
//!     pub name: String,
//!     /// Attributes that are not declared here.
//!     #[extra]
//!     pub extra: Extra,
//! }
//!
//! # async fn f(client: didww_client::Client) -> Result<(), didww_client::Error> {
//! for pop in client.api::<Pop>().list().await? {
//!     println!("{}", pop.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! `rustls` (default) builds HTTPS clients with rustls, ring and the platform's certificates. ring is
//! installed as the process's default crypto provider only if there is none yet. Without the feature, pass an
//! HTTP client to [`ClientBuilder::http_client`].
//!
//! This crate is compatible with DIDWW's API and not affiliated with DIDWW.

mod api;
mod builder;
mod call_rows;
mod client;
mod credentials;
mod csv_reader;
mod error;
mod export_file;
mod multipart;
mod page;
mod raw;
mod request;
mod response;
mod single;

pub use client_core::{
    Exchange, IdempotencyKey, InvalidKey, RetryPolicy, SetupError, TransportError, TransportKind, Unreadable,
};
pub use didww_types::*;
pub use didww_types::{callback, resources, values};
pub use futures_core::Stream;
pub use futures_util::{StreamExt, TryStreamExt};
pub use reqwest::{Method, StatusCode};

pub use api::{Api, EncryptedUpload, ListRequest, RecordRequest, ToManyApi, ToOneApi};
pub use builder::{ClientBuilder, PRODUCTION, PRODUCTION_TOKENS, SANDBOX, SANDBOX_TOKENS};
pub use call_rows::{ExportRow, InboundCallRow, OutboundCallRow};
pub use client::Client;
pub use error::{Endless, EndlessReason, Error, NotSent, Reason, Refusal};
pub use export_file::{ExportFile, ExportRows, RowError};
pub use multipart::Multipart;
pub use page::Page;
pub use raw::{RawAnswer, RawRequest};
pub use single::Single;
