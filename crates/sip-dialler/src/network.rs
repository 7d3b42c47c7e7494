//! Writes requests, and sends them to a host: the parts of the dialler that this needs.

use service_base::ids::Ids;

use crate::connector::Connector;
use crate::resolve::Resolver;
use crate::stack::Stack;

/// The SIP endpoint, connections, name resolution and identifiers of a dialler.
pub(crate) struct Network {
    pub(crate) stack: Stack,
    pub(crate) connector: Connector,
    pub(crate) resolver: Resolver,
    pub(crate) ids: Ids,
    /// The value of the `User-Agent` header.
    pub(crate) user_agent: String,
}
