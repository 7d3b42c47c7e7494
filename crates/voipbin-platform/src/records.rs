//! The kinds of records of the platform: their public and private parts, their index keys, and reads from the
//! store.
//!
//! Records do not depend on requests and callers: endpoints, permissions and refusals are in `api`.

pub(crate) mod access_keys;
pub(crate) mod call_events;
pub(crate) mod call_tries;
pub(crate) mod calls;
pub(crate) mod customers;
pub(crate) mod flow_events;
pub(crate) mod flows;
pub(crate) mod numbers;
pub(crate) mod outbound_configs;
pub(crate) mod provider_calls;
pub(crate) mod providers;
pub(crate) mod routes;
