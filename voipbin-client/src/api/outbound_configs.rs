//! The endpoints below `/outbound_configs`: the outbound configs of all customers.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{OutboundConfig, OutboundConfigCreate, OutboundConfigPatch};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/outbound_configs";

/// The outbound configs of all customers: which destinations each customer can call. They require the
/// permission of an administrator of the platform.
#[derive(Debug, Clone)]
pub struct OutboundConfigs(Client);

impl OutboundConfigs {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Lists the configs of all customers, or of [one customer](ListRequest::customer), the newest first.
    pub fn list(&self) -> ListRequest<OutboundConfig> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads the config with this id. A missing or deleted one is [`Error::NotFound`].
    pub async fn get(&self, id: Uuid) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Creates the config of a customer. A customer that has one, or has ever had one, is
    /// [`Error::Conflict`].
    pub async fn create(
        &self,
        body: impl Into<OutboundConfigCreate> + Send,
    ) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body.into())?).await
    }

    /// Updates a config and returns it. Members that the patch does not set keep their values.
    pub async fn update(&self, id: Uuid, patch: OutboundConfigPatch) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::record(Method::PUT, PATH, id).with_body(&patch)?).await
    }

    /// Adds one country, as an ISO 3166-1 alpha-2 code such as `kr`, to the countries that the customer of a
    /// config can call, and returns the config; see
    /// [`OutboundConfigApi::allow_country`](crate::OutboundConfigApi::allow_country).
    pub async fn allow_country(&self, id: Uuid, country: &str) -> Result<OutboundConfig, Error> {
        let config = self.get(id).await?;
        match config.with_country(country) {
            Some(patch) => self.update(id, patch).await,
            None => Ok(config),
        }
    }

    /// Deletes a config and returns its last state. A config that is already deleted is [`Error::NotFound`],
    /// even when an earlier attempt of the same request deleted it.
    pub async fn delete(&self, id: Uuid) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}

impl ListRequest<OutboundConfig> {
    /// Lists only the config of this customer.
    pub fn customer(self, id: Uuid) -> Self {
        self.filter("customer_id", id)
    }
}
