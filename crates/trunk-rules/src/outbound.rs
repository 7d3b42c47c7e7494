//! VoIPBIN's outbound rules: whether a call may be placed, how it is routed, and what its end means.
//!
//! [`decide`] takes the state of the platform at one time ([`Snapshot`]) and one destination of a request,
//! and returns a [`Plan`] or the step that failed. [`to_carrier`] then returns what each attempt sends,
//! [`next_route`] whether there is another attempt, [`hangup`] what the call record states at the end, and
//! [`Flow`] what happens while the call is in progress. Nothing here does HTTP or SIP, or has a store.
//! What the wire declares (addresses, actions, statuses, reasons) comes from `voipbin_types`.
//!
//! Where VoIPBIN's documentation and its running code differ, the documentation is followed. The platform's
//! internal system customers, who are exempt from several checks, do not exist here: every customer is
//! checked.

mod address;
mod anonymous;
mod balance;
mod call;
mod closed_hosts;
mod codecs;
mod config;
mod country;
mod decision;
mod dial;
mod dialroute;
mod flow;
mod hangup;
mod headers;
mod permission;
mod provider_host;
mod sip_uri;
mod source;
mod whitelist;

pub use address::{normalise_address, normalise_tel};
pub use anonymous::hides_caller;
pub use balance::Balance;
pub use call::{CallEvent, is_before_answer, may_become, status_after};
pub use closed_hosts::{Closed, ClosedHosts};
pub use codecs::{ConfigCodecsError, ProviderCodecsError, config_codecs, offered_codecs, provider_codecs};
pub use config::{ConfigChange, ConfigError, ConfigUpdate, settle_config};
pub use country::{Country, calling_code, country, route_target};
pub use decision::{Customer, Failure, OutboundConfig, Plan, Request, Routing, Snapshot, Step, decide};
pub use dial::{DialError, Outgoing, Provider, to_carrier, to_sip};
pub use dialroute::{ALL_TARGETS, Dialroute, Route, SYSTEM_CUSTOMER, forced, is_route_target, merge};
pub use flow::{Cursor, Effect, Flow, FlowError, MAX_STEPS, Next};
pub use hangup::{Cause, Ending, Hangup, NextRoute, hangup, next_route};
pub use headers::{can_be_added, carrier_headers, unsent_headers};
pub use permission::{Caller, Permission};
pub use provider_host::{HostnameError, ProviderHost, SipTransport};
pub use sip_uri::{SipUri, canonical_host, host_and_port};
pub use source::{NoSource, OwnNumber, Source, choose_source};
pub use whitelist::{WhitelistError, is_whitelisted, read_whitelist};
