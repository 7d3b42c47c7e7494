//! The services that a declaration is about.

use didww_client::{ApiVersion, Client};

use crate::exit::Failure;

/// The clients of the services. One that a declaration does not need is absent.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    /// The client of DIDWW's API.
    pub didww: Option<Client>,
    /// The client of the communication platform.
    pub platform: Option<voipbin_client::Client>,
}

impl From<Client> for Clients {
    fn from(client: Client) -> Self {
        Self { didww: Some(client), platform: None }
    }
}

impl Clients {
    /// The requested version of the API.
    pub fn version(&self) -> ApiVersion {
        self.didww.as_ref().map_or(ApiVersion::NEWEST, Client::api_version)
    }

    /// The client of DIDWW's API.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn didww(&self) -> Result<&Client, Failure> {
        self.didww.as_ref().ok_or_else(|| Failure::usage("the declaration needs a client of the API"))
    }

    /// The client of the communication platform.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn platform(&self) -> Result<&voipbin_client::Client, Failure> {
        self.platform.as_ref().ok_or_else(|| Failure::usage("the declaration needs a communication platform"))
    }
}
