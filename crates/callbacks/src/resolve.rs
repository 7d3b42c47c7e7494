//! Resolves host names to addresses that callbacks are allowed to reach.
//!
//! The check is part of the resolver that the HTTP connector uses, once for each connection. So there is no
//! second look-up whose result could differ from the checked one (DNS rebinding).

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::egress::EgressFilter;

/// The maximum number of addresses of a host that are tried.
const MAX_ADDRESSES: usize = 8;

/// The future of [`Resolver::lookup`], boxed so that the trait can be an object.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Resolves the host names of callback URLs; a trait, so that tests can supply their own.
pub trait Resolver: Send + Sync + Debug {
    /// Returns the addresses of a host. A port of 0 stands for the URL's port. If the URL names a port, it
    /// overrides the returned ones.
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a>;
}

/// The resolver of the operating system, as of any other program.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
    }
}

/// A resolver that returns addresses only if all addresses of the host are allowed.
#[derive(Debug, Clone)]
pub(crate) struct CheckedResolver {
    pub resolver: Arc<dyn Resolver>,
    pub filter: EgressFilter,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { resolver, filter } = self.clone();
        Box::pin(async move {
            let mut addresses = resolver.lookup(name.as_str()).await?;
            filter.check_addresses(&addresses)?;
            addresses.truncate(MAX_ADDRESSES);
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
