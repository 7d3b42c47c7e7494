//! Receiving from peers: the one place where datagrams are read and connections accepted.
//!
//! The readiness of a socket does not count against a task's cooperative budget: a loop over `readable` and
//! `try_recv_from` whose socket always has the next packet never lets another task run, and on a machine with few cores
//! that is the end of the service. A peer can make it so, by speed or by having packets sent in a circle. So the raw calls
//! are refused by a lint everywhere else (`disallowed-methods` in `clippy.toml`), and every loop over them stands on what
//! is here:
//!
//! - [`Turns`]: after [`IN_A_ROW`] passes a loop lets other tasks run, whatever readiness says;
//! - `Budget`: so many packets or bytes a second, and so many at once;
//! - `hear` and `receive`, the loops over datagrams, and [`accept`], the step of a loop over connections;
//! - [`listen`], which lets [`BACKLOG`] connections wait to be accepted.
//!
//! It refuses to know what is received.

mod budget;
mod datagrams;
mod own;

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub use budget::Budget;
pub use datagrams::{hear, receive};
pub use own::is_own_address;
pub use own::{Entered, OwnSockets, Use};

/// Passes of a loop after which other tasks run.
const IN_A_ROW: u32 = 16;

/// Connections of one listener that the kernel completes before they are accepted; its own maximum
/// (`net.core.somaxconn`, 4,096 on Linux) may be lower. Past it, a peer's SYN is lost and comes again a second later: with
/// the 1,024 of Tokio's default, five addresses with their share of connections make every other caller wait so long.
pub const BACKLOG: u32 = 4_096;

/// Listens on the address.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that starts again takes its port at once, as `TcpListener::bind` has it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Makes a loop that peers feed let others run.
#[derive(Debug, Default)]
pub struct Turns(u32);

impl Turns {
    /// Belongs into every pass of such a loop. Safe to give up waiting for.
    pub async fn pass(&mut self) {
        self.0 += 1;
        if self.0 >= IN_A_ROW {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// The next connection. Safe to give up waiting for.
#[expect(clippy::disallowed_methods, reason = "the loop that calls this passes its turns")]
pub async fn accept(listener: &TcpListener, turns: &mut Turns) -> io::Result<(TcpStream, SocketAddr)> {
    turns.pass().await;
    listener.accept().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_never_waits_lets_others_run() {
        let (tell, mut told) = tokio::sync::oneshot::channel();
        tokio::spawn(async move { tell.send(()) });
        let mut turns = Turns::default();
        for _ in 0..=IN_A_ROW {
            turns.pass().await;
        }
        assert_eq!(told.try_recv(), Ok(()));
    }
}
