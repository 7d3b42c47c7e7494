//! Calls to DIDs: from the control API to SIP callees, which are sipp.

mod attempts;
mod limits;
mod outcomes;
mod place;
