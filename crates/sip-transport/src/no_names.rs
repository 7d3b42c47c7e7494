//! The transport layer of a SIP library's endpoint that resolves no host name.
//!
//! The library looks the host of a `Via` or a Request-URI up when it repeats its last message, while the only reader of
//! datagrams waits: a slow name server would stop every call. Each message here goes to the address of its connection,
//! so no name is ever needed.

use std::future::{Future, ready};
use std::pin::Pin;

use rsipstack::transport::transport_layer::DomainResolver;
use rsipstack::transport::{SipAddr, TransportLayer};
use tokio_util::sync::CancellationToken;

/// A transport layer, ended by the token, on which a lookup of a name fails at once.
pub fn transport_layer(token: CancellationToken) -> TransportLayer {
    TransportLayer::new_with_domain_resolver(token, Box::new(NoNames))
}

struct NoNames;

impl DomainResolver for NoNames {
    // The library declares its trait with `async_trait`; this is the expanded signature.
    fn resolve<'resolver, 'target, 'future>(
        &'resolver self,
        target: &'target SipAddr,
    ) -> Pin<Box<dyn Future<Output = rsipstack::Result<SipAddr>> + Send + 'future>>
    where
        'resolver: 'future,
        'target: 'future,
        Self: 'future,
    {
        let why = rsipstack::Error::DnsResolutionError(format!("{target}: no names are resolved here"));
        Box::pin(ready(Err(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_not_looked_up_even_one_that_the_system_knows() {
        let layer = transport_layer(CancellationToken::new());
        let target = SipAddr {
            r#type: Some(rsipstack::sip::Transport::Udp),
            addr: rsipstack::sip::Domain("localhost".to_owned()).into(),
        };
        assert!(layer.inner.domain_resolver.resolve(&target).await.is_err());
    }
}
