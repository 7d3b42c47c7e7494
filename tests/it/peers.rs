//! SIP software of other projects: baresip as a phone that calls the edge or is called by the dialler, Kamailio between
//! a phone and the edge, and Kamailio as a carrier that challenges the dialler.

mod baresip;
mod called;
mod carrier;
mod kamailio;
mod phone;
mod proxy;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::sip::edge::source;

/// A free port of an address that no other test of this run uses.
fn free_port(address: Ipv4Addr) -> u16 {
    let socket = UdpSocket::bind(SocketAddr::new(address.into(), 0)).unwrap();
    socket.local_addr().unwrap().port()
}

/// A free port of an address of its own.
fn free_address() -> SocketAddr {
    let address = source();
    SocketAddr::new(address.into(), free_port(address))
}
