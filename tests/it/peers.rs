//! SIP software of other projects: baresip as a phone, Kamailio between a phone and the edge, and Kamailio as
//! a carrier that challenges the dialler.

mod baresip;
mod carrier;
mod kamailio;
mod phone;
mod proxy;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// A free port of an address that no other test of this run uses.
fn free_port(address: Ipv4Addr) -> u16 {
    let socket = UdpSocket::bind(SocketAddr::new(address.into(), 0)).unwrap();
    socket.local_addr().unwrap().port()
}
