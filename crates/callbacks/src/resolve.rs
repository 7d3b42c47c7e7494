//! From a host's name to addresses that may be connected to.
//!
//! The check stands inside the resolver that the connector itself asks, once for each connection. So there is no
//! second look-up that could answer something else than the one that was checked.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::Guard;

/// Most addresses of a host that are tried.
const TRIED: usize = 8;

/// What a look-up gives.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Knows hosts' addresses.
pub trait Resolver: Send + Sync + Debug {
    /// The addresses of a host. A port of 0 stands for the URL's; a port that the URL names goes before any other.
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
    }
}

/// A resolver whose every answer is checked before anybody sees it.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub resolver: Arc<dyn Resolver>,
    pub guard: Guard,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { resolver, guard } = self.clone();
        Box::pin(async move {
            let mut found = resolver.lookup(name.as_str()).await?;
            guard.addresses(&found)?;
            found.truncate(TRIED);
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
