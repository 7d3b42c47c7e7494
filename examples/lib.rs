//! The service that the examples use: the one in the environment, or a server in this process.

use std::error::Error;

use didww_client::Client;
use trunk_server::TestServer;
use trunk_server::control::NewDid;

/// The result of the examples' functions.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A service with a client for it.
#[derive(Debug)]
pub struct Service {
    /// A client with the service's base URL and key.
    pub client: Client,
    // Held so that the server lives as long as its client.
    _server: Option<TestServer>,
}

impl Service {
    /// Connects to `DIDWW_BASE_URL` with the key in `DIDWW_API_KEY`, or starts a server in this process if
    /// neither is set.
    ///
    /// # Errors
    /// Returns an error if only one of the two is set, or if they are not a valid URL and key.
    pub async fn from_environment() -> Outcome<Self> {
        match (std::env::var("DIDWW_BASE_URL"), std::env::var("DIDWW_API_KEY")) {
            (Ok(url), Ok(key)) => {
                let client = Client::builder(url, key).build()?;
                println!("Using {}.\n", client.base_url());
                Ok(Self { client, _server: None })
            }
            (Err(_), Err(_)) => Self::in_process().await,
            _ => Err("set both DIDWW_BASE_URL and DIDWW_API_KEY, or neither to use a server in this process"
                .into()),
        }
    }

    /// Starts a server in memory with three DIDs. It ends when the value is dropped.
    ///
    /// # Errors
    /// Returns an error if the DIDs cannot be added.
    pub async fn in_process() -> Outcome<Self> {
        let server = TestServer::start().await;
        let dids =
            [NewDid::new("12025550143").emergency(), NewDid::new("442079460018"), NewDid::new("37061498222")];
        server.control().add_dids(server.account(), dids).await?;
        let client = Client::builder(server.base_url(), server.api_key()).build()?;
        Ok(Self { client, _server: Some(server) })
    }
}

/// The Rust programs of the README: compiled, and run if they need no separate server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The same of the page for testers.
#[cfg(doctest)]
#[doc = include_str!("../docs/test-my-program.md")]
pub struct TestMyProgram;

/// The same of the page for programs in Rust.
#[cfg(doctest)]
#[doc = include_str!("../docs/provision-from-rust.md")]
pub struct ProvisionFromRust;

/// The same of the page about prices.
#[cfg(doctest)]
#[doc = include_str!("../docs/prices.md")]
pub struct Prices;

/// The same of the page of the SDK.
#[cfg(doctest)]
#[doc = include_str!("../docs/sdk.md")]
pub struct Sdk;

/// The same of the SDK's own page.
#[cfg(doctest)]
#[doc = include_str!("../didww-client/README.md")]
pub struct DidwwClient;
