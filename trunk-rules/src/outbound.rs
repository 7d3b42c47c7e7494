//! VoIPBIN's outbound decisions: whether a call may leave, which way it leaves, and what its end means.
//!
//! [`decide`] is given what the platform knows at one moment ([`Snapshot`]) and one destination of a request,
//! and answers with a [`Plan`] or with the step that failed. [`to_carrier`] then says what each attempt sends,
//! [`next_attempt`] whether there is another one, [`hangup`] what the call's record says in the end, and
//! [`Flow`] what happens while it is up. It refuses to know HTTP, SIP, a store or the form of a record: plain
//! values come in, plain values go out.
//!
//! Where VoIPBIN's documents and its running code differ, the documented behaviour holds. The platform's
//! internal system customers, who are exempt from several checks, do not exist here: nobody is exempt.

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
mod sip_uri;
mod source;
mod whitelist;

pub use address::{Address, normalise_tel};
pub use anonymous::{Anonymous, recorded_anonymous};
pub use balance::Balance;
pub use call::{CallEvent, CallStatus};
pub use closed_hosts::{Closed, ClosedHosts};
pub use codecs::{ConfigCodecsError, ProviderCodecsError, config_codecs, provider_codecs};
pub use config::{ConfigChange, ConfigError, ConfigUpdate, settle_config};
pub use country::{Country, calling_code, country, route_target};
pub use decision::{
    Customer, Failure, OutboundConfig, Plan, Request, Routing, Snapshot, Step, decide, whitelist_refused_all,
};
pub use dial::{DialError, Outgoing, Provider, to_carrier, to_sip};
pub use dialroute::{ALL_TARGETS, Dialroute, Route, SYSTEM_CUSTOMER, forced, merge};
pub use flow::{Action, Cursor, Effect, Flow, FlowError, MOST_STEPS, Next};
pub use hangup::{Cause, Ending, Hangup, HangupBy, HangupReason, hangup, next_attempt};
pub use headers::{can_be_added, carrier_headers};
pub use permission::{Caller, Permission};
pub use sip_uri::{SipUri, canonical_host, host_and_port};
pub use source::{NoSource, OwnNumber, Source, choose_source};
pub use whitelist::{WhitelistError, is_whitelisted, read_whitelist};
