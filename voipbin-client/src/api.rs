//! The operations of each kind of record: one method for each endpoint of the API.

mod calls;
mod outbound_config;
mod outbound_configs;
mod provider_calls;
mod providers;
mod routes;

pub use calls::Calls;
pub use outbound_config::OutboundConfigApi;
pub use outbound_configs::OutboundConfigs;
pub use provider_calls::ProviderCalls;
pub use providers::Providers;
pub use routes::Routes;
