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
//! // Create: required attributes are constructor parameters; values outside their limits cannot be constructed.
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
//! # Overview
//!
//! | topic | items |
//! | --- | --- |
//! | the client and its settings | [`Client`], [`ClientBuilder`], [`RetryPolicy`], [`ApiVersion`] |
//! | the types of the API | [`resources`], [`values`] |
//! | the verbs of a type | [`Api`]: `list`, `get`, `create`, `update`, `save`, `delete`, `ensure`, `wait_for` |
//! | a list | [`ListRequest`]: `filter`, `sort`, `include`, `fields`, `stream`, `all`, `first`, `one` |
//! | one record, a page of records, and included records | [`Single`], [`Page`], [`Included`] |
//! | relationships | [`ToManyApi`], [`ToOneApi`], [`ToMany`], [`ToOne`] |
//! | errors | [`Error`]: `is_not_found`, `is_taken`, `field`, `request_id` |
//! | callbacks | [`callback::receive`], and `SignedCallback` with the feature `axum` |
//! | files for upload | [`EncryptedUpload`], [`EncryptedUploads`], and `EncryptionKeys` with the feature `encryption` |
//! | files of exports | `Api::download` and `download_rows`, with the feature `exports`; `wait_until_completed` |
//! | prices of calls and text messages | [`VoiceInPrices`], [`VoiceOutPrices`], [`SmsPrices`], with hosts of their own |
//! | programs without async | the module `blocking`, with the feature of that name |
//! | logs | [`Masked`]: records as JSON without secrets |
//! | everything else of the API | [`Client::raw`], or a resource that you [declare](#resources-that-this-crate-does-not-declare) |
//!
//! Everything else at the top of this crate describes the API as data, for programs that serve or document it.
//!
//! # Provisioning
//!
//! [`Api::ensure`] ensures that a record matches a body, and is idempotent: it creates the record, updates its
//! differing members, or writes nothing. An optional attribute that a program has as an `Option` is assigned to the
//! body's field: `body.capacity_limit = limit.into()`, where `None` clears the attribute.
//!
//! # Behaviour
//!
//! - **Operations.** [`Api`] has only the operations that the API has for a resource; any other does not
//!   compile.
//! - **Values.** A value with documented limits is a type whose constructor refuses others. A name is a text, which
//!   only the service validates. A new record with a text that an enumeration does not declare is an error before
//!   anything is sent ([`Reason::Undeclared`]). `?` converts the errors of constructors into [`Error`].
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
//!   crate does not know survive a read-modify-write. Texts from people are parsed strictly: `"idle".parse()` refuses a
//!   text that an enumeration does not declare, and names those that it does.
//! - **Secrets.** API keys, access tokens and passwords never appear in `Debug` output, errors, logs or spans.
//! - **Tracing.** Each request is one [`tracing`](https://docs.rs/tracing) span with method, path, status,
//!   number of attempts and the service's request id.
//! - **Tasks.** A request becomes a future by `send`: `tokio::spawn(request.send())`.
//!
//! # Included records
//!
//! A relationship has the id of its record. A record that a request includes is a typed value if this crate declares
//! its type: [`ToOne::included`] and [`Included`] find it.
//!
//! ```
//! use didww_client::resources::{DidFeature, DidFilter, DidInclude};
//!
//! # async fn f(client: didww_client::Client) -> Result<(), Box<dyn std::error::Error>> {
//! // The numbers that can be caller numbers of outbound trunks, with their other uses.
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
//! [`Client::raw`] sends any request: with JSON, bytes or a form ([`Multipart`]) as the body, and with custom headers.
//! Its answers are streams of pages or of records, documents whose unknown members are kept, or bytes.
//! [`Refusal::body`] has refusals that do not have DIDWW's shape.
//!
//! A program that uses such a resource often declares it, as this crate declares its own, and has typed requests for
//! it:
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
//! | feature | |
//! | --- | --- |
//! | `rustls` (default) | HTTPS with rustls, ring and the platform's certificates; implies `http` |
//! | `http` (default) | requests to the API. Without `rustls`, pass an HTTP client to [`ClientBuilder::http_client`], of the [`reqwest`] that this crate re-exports. |
//! | `blocking` | the module `blocking`: calls that block the thread; implies `http` |
//! | `exports` | `ExportFile` and its typed rows: the files of exports; implies `http` |
//! | `axum` | `SignedCallback`, an extractor for callbacks; brings no HTTP client |
//! | `encryption` | `EncryptionKeys`, which encrypts files with the crates of `RustCrypto`; brings no HTTP client |
//!
//! ring is installed as the process's default crypto provider only if there is none yet.
//!
//! With `default-features = false` and no feature, the crate has the types, [`callback::receive`] and
//! [`callback::verify`], and neither reqwest nor tokio: for programs that only receive callbacks.
//!
//! This crate is compatible with DIDWW's API and not affiliated with DIDWW.

#[cfg(feature = "http")]
mod api;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "http")]
mod builder;
#[cfg(feature = "exports")]
mod call_rows;
#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod credentials;
#[cfg(feature = "exports")]
mod csv_reader;
#[cfg(feature = "exports")]
mod download;
#[cfg(feature = "encryption")]
mod encryption;
#[cfg(feature = "http")]
mod error;
#[cfg(feature = "exports")]
mod export_file;
#[cfg(feature = "http")]
mod masked;
#[cfg(feature = "http")]
mod multipart;
#[cfg(feature = "http")]
mod page;
#[cfg(feature = "exports")]
mod price_files;
#[cfg(feature = "http")]
mod price_services;
#[cfg(feature = "http")]
mod raw;
#[cfg(feature = "axum")]
mod receiver;
#[cfg(feature = "http")]
mod request;
#[cfg(feature = "http")]
mod response;
#[cfg(feature = "http")]
mod single;

// Types that users name have documentation pages here; types that describe the API as data are linked to their own
// crate.
#[doc(no_inline)]
pub use didww_types::*;
#[doc(inline)]
pub use didww_types::{
    ApiVersion, Difference, Extra, Id, Included, Patch, Secret, Timestamp, ToMany, ToOne, callback, prices,
    resources, values,
};

#[cfg(feature = "http")]
pub use client_core::{
    Exchange, IdempotencyKey, InvalidKey, RetryPolicy, SetupError, TransportError, TransportKind, Unreadable,
};
#[cfg(feature = "http")]
pub use futures_core::Stream;
#[cfg(feature = "http")]
pub use futures_util::{StreamExt, TryStreamExt};
#[cfg(feature = "http")]
#[doc(no_inline)]
pub use reqwest;
#[cfg(feature = "http")]
pub use reqwest::{Method, StatusCode};

#[cfg(feature = "http")]
pub use api::{
    Api, EncryptedUpload, EncryptedUploads, Ensure, EnsureOutcome, Ensured, ListRequest, RecordRequest,
    ToManyApi, ToOneApi, Waiting,
};
#[cfg(feature = "http")]
pub use builder::{ClientBuilder, PRODUCTION, PRODUCTION_TOKENS, SANDBOX, SANDBOX_TOKENS};
#[cfg(feature = "exports")]
pub use call_rows::{ExportRow, InboundCallRow, OutboundCallRow};
#[cfg(feature = "http")]
pub use client::Client;
#[cfg(feature = "encryption")]
pub use encryption::{EncryptionError, EncryptionKeys, FileCipher};
#[cfg(feature = "http")]
pub use error::{Endless, EndlessReason, Error, Misplaced, NotSent, Overdue, Reason, Refusal};
#[cfg(feature = "exports")]
pub use export_file::{ExportFile, ExportRows, RowError};
#[cfg(feature = "http")]
pub use masked::Masked;
#[cfg(feature = "http")]
pub use multipart::Multipart;
#[cfg(feature = "http")]
pub use page::Page;
#[cfg(feature = "http")]
pub use price_services::{SmsDestination, SmsPrices, SmsTraffic, VoiceInPrices, VoiceOutPrices};
#[cfg(feature = "http")]
pub use raw::{RawAnswer, RawRequest};
#[cfg(feature = "axum")]
pub use receiver::{CallbackReceiver, SignedCallback};
#[cfg(feature = "http")]
pub use single::Single;
