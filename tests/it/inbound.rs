//! Calls to DIDs: from the control API to SIP callees, which are sipp.

mod attempts;
mod killed;
mod limits;
mod outcomes;
mod place;
