//! Calls to DIDs: from the control API to SIP callees, which are sipp.

mod attempts;
mod exported;
mod killed;
mod limits;
mod outcomes;
mod place;
