//! `/outbound_config`: what the caller's own customer may call.

use reqwest::Method;

use crate::request::Request;
use crate::types::{OutboundConfig, OutboundConfigPatch};
use crate::{Client, Error};

const PATH: &str = "/outbound_config";

/// What the caller's own customer may call. Needs an administrator of the customer.
#[derive(Debug, Clone)]
pub struct OutboundConfigApi(Client);

impl OutboundConfigApi {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Reads it.
    pub async fn get(&self) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::new(Method::GET, PATH)).await
    }

    /// Changes it; what the patch does not set keeps its value.
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client) -> Result<(), voipbin_client::Error> {
    /// use voipbin_client::types::OutboundConfigPatch;
    ///
    /// let patch = OutboundConfigPatch::default().destination_whitelist(["us", "gb"]);
    /// let config = client.outbound_config().update(patch).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn update(&self, patch: OutboundConfigPatch) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::new(Method::PUT, PATH).with_body(&patch)?).await
    }
}
