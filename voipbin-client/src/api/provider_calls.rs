//! `/providercalls`: calls through one provider.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{ProviderCall, ProviderCallCreate};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/providercalls";

/// Calls through one provider. Needs an administrator of the platform, whose customer pays.
#[derive(Debug, Clone)]
pub struct ProviderCalls(Client);

impl ProviderCalls {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// The records of all, or of [one provider](ListRequest::provider).
    pub fn list(&self) -> ListRequest<ProviderCall> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads one; a deleted one is still there, with its `tm_delete`.
    pub async fn get(&self, id: Uuid) -> Result<ProviderCall, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Places real calls. When some of the destinations cannot be called there are fewer `call_ids` than
    /// destinations; when none can, it is an error.
    ///
    /// It is sent again only where it cannot have placed a call.
    pub async fn create(&self, body: ProviderCallCreate) -> Result<ProviderCall, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body)?).await
    }

    /// Deletes the record and gives it as it is now. Its calls go on: see [`Calls::hangup`](crate::Calls::hangup).
    pub async fn delete(&self, id: Uuid) -> Result<ProviderCall, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}

impl ListRequest<ProviderCall> {
    /// Those through one provider alone.
    pub fn provider(self, id: Uuid) -> Self {
        self.filter("provider_id", id)
    }
}
