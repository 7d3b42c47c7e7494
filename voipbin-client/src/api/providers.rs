//! The endpoints below `/providers`: the carriers through which calls are sent.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{Provider, ProviderBody, ProviderSetup};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/providers";

/// The carriers through which the platform sends calls. They require the permission of an administrator of
/// the platform.
#[derive(Debug, Clone)]
pub struct Providers(Client);

impl Providers {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Lists the providers that are not deleted, the newest first.
    pub fn list(&self) -> ListRequest<Provider> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads a provider. A deleted one can still be read and has a `tm_delete`.
    pub async fn get(&self, id: Uuid) -> Result<Provider, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Creates a provider. The request is retried only when it cannot have taken effect.
    pub async fn create(&self, body: ProviderBody) -> Result<Provider, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body)?).await
    }

    /// Replaces all members of a provider and returns it. A member that is empty in the body becomes empty.
    /// To change single members, build the body from the present provider:
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

    /// Deletes a provider and returns it.
    pub async fn delete(&self, id: Uuid) -> Result<Provider, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }

    /// Makes the service create the resources that it needs at a carrier, and a provider that refers to them.
    ///
    /// It can take 30 s, and as long again when it fails and the service deletes the resources that it has
    /// created. Set [`ClientBuilder::timeout`](crate::ClientBuilder::timeout) accordingly.
    pub async fn setup(&self, body: ProviderSetup) -> Result<Provider, Error> {
        self.0.fetch(&Request::new(Method::POST, "/providers/setup").with_body(&body)?).await
    }
}
