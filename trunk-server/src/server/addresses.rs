//! The addresses of a server's listeners, and the URLs of its services.

use std::net::SocketAddr;

use didww_api::PriceService;

use super::Server;

impl Server {
    /// Returns the address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the control API, if it is enabled.
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control_address
    }

    /// Returns the address of the metrics, if they are enabled.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Returns the URL of the service that mints access tokens, such as `http://127.0.0.1:8080/token`: at the API's
    /// address unless it has a listener of its own.
    pub fn token_url(&self) -> String {
        format!("{}://{}/token", self.scheme(), self.token_address)
    }

    /// Returns the address of SIP over UDP and TCP, if the edge runs.
    #[cfg(feature = "sip")]
    pub fn sip_address(&self) -> Option<SocketAddr> {
        self.edge.as_ref().map(carrier_edge::Edge::address)
    }

    /// Returns the address of SIP over TLS, if it is enabled.
    #[cfg(feature = "sip")]
    pub fn sip_tls_address(&self) -> Option<SocketAddr> {
        self.edge.as_ref().and_then(carrier_edge::Edge::tls_address)
    }

    /// Returns the base URL of the API for an SDK, such as `http://127.0.0.1:8080/v3`.
    pub fn base_url(&self) -> String {
        format!("{}://{}/v3", self.scheme(), self.address)
    }

    /// Returns the base URL of the communication platform's API for an SDK, such as `http://127.0.0.1:8080/v1.0`.
    #[cfg(feature = "voipbin")]
    pub fn voipbin_url(&self) -> String {
        format!("{}://{}/v1.0", self.scheme(), self.address)
    }

    fn scheme(&self) -> &'static str {
        if self.is_secured { "https" } else { "http" }
    }

    /// Returns the base URL of a price service with its own listener, such as `http://127.0.0.1:8083/v3`. `None` for a
    /// service at the API's address, which is selected by the host of a request.
    pub fn price_url(&self, service: PriceService) -> Option<String> {
        let (_, address) = self.price_addresses.iter().find(|(own, _)| *own == service)?;
        Some(format!("{}://{address}/v3", self.scheme()))
    }
}
