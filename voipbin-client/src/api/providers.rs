//! `/providers`: carriers that calls go out through.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{Provider, ProviderBody, ProviderSetup};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/providers";

/// Carriers that calls go out through. Needs an administrator of the platform.
#[derive(Debug, Clone)]
pub struct Providers(Client);

impl Providers {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// All of them that are not deleted.
    pub fn list(&self) -> ListRequest<Provider> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads one; a deleted one is still there, with its `tm_delete`.
    pub async fn get(&self, id: Uuid) -> Result<Provider, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Makes one.
    pub async fn create(&self, body: ProviderBody) -> Result<Provider, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body)?).await
    }

    /// Replaces one: what the body leaves empty becomes empty. Begin with what is there:
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client, id: voipbin_client::Uuid) -> Result<(), voipbin_client::Error> {
    /// use voipbin_client::types::ProviderBody;
    ///
    /// let provider = client.providers().get(id).await?;
    /// let body = ProviderBody { tech_prefix: "0011".to_owned(), ..provider.into() };
    /// let provider = client.providers().update(id, body).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update(&self, id: Uuid, body: ProviderBody) -> Result<Provider, Error> {
        self.0.fetch(&Request::record(Method::PUT, PATH, id).with_body(&body)?).await
    }

    /// Deletes one and gives it as it is now.
    pub async fn delete(&self, id: Uuid) -> Result<Provider, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }

    /// Has the service make what it needs at a carrier, and a provider that references it. It may take half a
    /// minute, and when it fails as long again, until what was made is taken away: see
    /// [`ClientBuilder::timeout`](crate::ClientBuilder::timeout).
    pub async fn setup(&self, body: ProviderSetup) -> Result<Provider, Error> {
        self.0.fetch(&Request::new(Method::POST, "/providers/setup").with_body(&body)?).await
    }
}
