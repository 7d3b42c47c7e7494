//! `/outbound_configs`: what each customer may call.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{OutboundConfig, OutboundConfigCreate, OutboundConfigPatch};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/outbound_configs";

/// What each customer may call. Needs an administrator of the platform.
#[derive(Debug, Clone)]
pub struct OutboundConfigs(Client);

impl OutboundConfigs {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Those of all customers, or of [one](ListRequest::customer).
    pub fn list(&self) -> ListRequest<OutboundConfig> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads one.
    pub async fn get(&self, id: Uuid) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Makes one for a customer that has none, and never had: [`Error::Conflict`] otherwise.
    pub async fn create(
        &self,
        body: impl Into<OutboundConfigCreate> + Send,
    ) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body.into())?).await
    }

    /// Changes one; what the patch does not set keeps its value.
    pub async fn update(&self, id: Uuid, patch: OutboundConfigPatch) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::record(Method::PUT, PATH, id).with_body(&patch)?).await
    }

    /// Deletes one and gives it as it was last. One that is gone is [`Error::NotFound`], also when an earlier
    /// attempt of the same request deleted it.
    pub async fn delete(&self, id: Uuid) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}

impl ListRequest<OutboundConfig> {
    /// Those of one customer alone.
    pub fn customer(self, id: Uuid) -> Self {
        self.filter("customer_id", id)
    }
}
