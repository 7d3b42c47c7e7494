//! The endpoints below `/providercalls`: calls through one provider.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{ProviderCall, ProviderCallCreate};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/providercalls";

/// Calls through one provider, without the use of routes. They require the permission of an administrator of
/// the platform, whose customer is charged.
#[derive(Debug, Clone)]
pub struct ProviderCalls(Client);

impl ProviderCalls {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Lists the provider calls of all providers, or of [one provider](ListRequest::provider), the newest
    /// first.
    pub fn list(&self) -> ListRequest<ProviderCall> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads a provider call. A deleted one can still be read and has a `tm_delete`.
    pub async fn get(&self, id: Uuid) -> Result<ProviderCall, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Places real calls and returns their record. When some of the destinations cannot be called, the record
    /// has fewer `call_ids` than destinations; when none of them can, it is an error.
    ///
    /// The request is retried only when it cannot have placed a call.
    pub async fn create(&self, body: ProviderCallCreate) -> Result<ProviderCall, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body)?).await
    }

    /// Deletes the record and returns it. Its calls continue: see [`Calls::hangup`](crate::Calls::hangup).
    pub async fn delete(&self, id: Uuid) -> Result<ProviderCall, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}

impl ListRequest<ProviderCall> {
    /// Lists only the calls through this provider.
    pub fn provider(self, id: Uuid) -> Self {
        self.filter("provider_id", id)
    }
}
