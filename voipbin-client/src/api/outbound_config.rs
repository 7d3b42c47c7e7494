//! The endpoint `/outbound_config`: the outbound config of the credentials' own customer.

use reqwest::Method;

use crate::request::Request;
use crate::types::{OutboundConfig, OutboundConfigPatch};
use crate::{Client, Error};

const PATH: &str = "/outbound_config";

/// The outbound config of the customer to whom the credentials belong: which destinations the customer can
/// call. It requires the permission of an administrator of the customer.
#[derive(Debug, Clone)]
pub struct OutboundConfigApi(Client);

impl OutboundConfigApi {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Reads the config. A customer without one is [`Error::NotFound`].
    pub async fn get(&self) -> Result<OutboundConfig, Error> {
        self.0.fetch(&Request::new(Method::GET, PATH)).await
    }

    /// Updates the config and returns it. Members that the patch does not set keep their values.
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

    /// Adds one country, as an ISO 3166-1 alpha-2 code such as `kr`, to the countries that can be called, and
    /// returns the config. A config that has the country already is not updated.
    ///
    /// The API can only replace the whole list, so this reads the config and then updates it: of two programs
    /// that add a country at the same moment, one may undo the other's. The returned config has the list that
    /// the service stored.
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client) -> Result<(), voipbin_client::Error> {
    /// let config = client.outbound_config().allow_country("kr").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn allow_country(&self, country: &str) -> Result<OutboundConfig, Error> {
        let config = self.get().await?;
        match config.with_country(country) {
            Some(patch) => self.update(patch).await,
            None => Ok(config),
        }
    }
}
