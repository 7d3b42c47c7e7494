//! Receives datagrams and accepts connections, with bounds on the work that a peer can cause.
//!
//! In Tokio, the readiness of a socket does not count against a task's cooperative budget. A loop over
//! `readable` and `try_recv_from` whose socket always has the next packet never yields, and on a machine with
//! few cores it stops the service. A peer can cause this by sending fast, or by making packets circulate. So
//! a lint (`disallowed-methods` in `clippy.toml`) forbids the raw calls everywhere else, and every loop over
//! them uses these parts:
//!
//! - [`Turns`] yields to other tasks after 16 passes of a loop;
//! - [`Budget`] limits packets or bytes in a second and in a burst;
//! - [`ReceiveLoop`] and [`receive`] read datagrams, and [`accept`] accepts one connection;
//! - [`listen`] allows 4,096 connections to wait for `accept`.
//!
//! This module does not interpret the received bytes.

mod budget;
mod datagrams;
mod own_sockets;

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub use budget::Budget;
pub use datagrams::{ReceiveLoop, receive};
pub use own_sockets::{Entered, OwnSockets, Use, is_own_address};

/// Passes of a loop after which it yields to other tasks.
const PASSES_BEFORE_YIELD: u32 = 16;

/// The connections of one listener that the kernel completes before they are accepted. The kernel's own
/// maximum (`net.core.somaxconn`, 4,096 on Linux) may be lower. Beyond it the kernel drops a peer's SYN,
/// which the peer repeats a second later. With Tokio's default of 1,024, five addresses that use their limit
/// of connections would delay all other clients by that second.
const BACKLOG: u32 = 4_096;

/// Binds a TCP listener to an address, with a queue of 4,096 connections that wait for `accept`.
///
/// # Errors
/// The system's error if the address cannot be bound.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As in `TcpListener::bind`: a restarted server can bind its port at once.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Makes a loop over a peer's input yield regularly. Each loop has its own.
#[derive(Debug, Default)]
pub struct Turns(u32);

impl Turns {
    /// Yields to other tasks in every 16th call. Each pass of the loop must call it. Cancel safe.
    pub async fn pass(&mut self) {
        self.0 += 1;
        if self.0 >= PASSES_BEFORE_YIELD {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Waits for the next connection and the address of its peer. Cancel safe.
///
/// # Errors
/// The system's error, such as a lack of file descriptors.
#[expect(clippy::disallowed_methods, reason = "the loop yields through its turns")]
pub async fn accept(listener: &TcpListener, turns: &mut Turns) -> io::Result<(TcpStream, SocketAddr)> {
    turns.pass().await;
    listener.accept().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_never_waits_yields_to_other_tasks() {
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        tokio::spawn(async move { sender.send(()) });
        let mut turns = Turns::default();
        for _ in 0..=PASSES_BEFORE_YIELD {
            turns.pass().await;
        }
        assert_eq!(receiver.try_recv(), Ok(()));
    }
}
