//! Where the examples find a service: the one that the environment names, or one of their own.

use std::error::Error;

use didww_client::Client;
use trunk_server::TestServer;
use trunk_server::control::NewDid;

/// What an example's functions give.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A service with a client for it.
#[derive(Debug)]
pub struct Service {
    /// The client.
    pub client: Client,
    // Held so that the server lives as long as its client.
    _server: Option<TestServer>,
}

impl Service {
    /// The service of `DIDWW_BASE_URL` with the key of `DIDWW_API_KEY`, or one of this process's own.
    ///
    /// # Errors
    /// When only one of the two is set, or what they say makes no client.
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

    /// A server in memory with three DIDs, gone with the value.
    ///
    /// # Errors
    /// When the DIDs cannot be added.
    pub async fn in_process() -> Outcome<Self> {
        let server = TestServer::start().await;
        let dids =
            [NewDid::new("12025550143").emergency(), NewDid::new("442079460018"), NewDid::new("37061498222")];
        server.control().add_dids(server.account(), dids).await?;
        let client = Client::builder(server.base_url(), server.api_key()).build()?;
        Ok(Self { client, _server: Some(server) })
    }
}

/// The Rust programs of the README, compiled, and run where they need no server beside them.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
