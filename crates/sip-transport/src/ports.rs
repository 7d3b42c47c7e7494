//! The ports that calls get for their media.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use service_base::descriptors::{Descriptors, Permit, Share};
use service_base::net::{Entered, OwnSockets, Use};

/// Ports that are tried in a row: a range that is nearly used up must not hold up other calls.
const IN_A_ROW: usize = 128;

/// Most sockets that are kept for the next calls.
const SPARE: usize = 32;

/// The ports that calls get, each in turn.
#[derive(Debug)]
pub struct Ports {
    range: Range<u16>,
    next: AtomicUsize,
    /// Sockets that were opened for calls that came to nothing.
    spare: Mutex<Vec<Bound>>,
    books: Books,
}

/// Where each socket is entered: among our own, for a purpose, and among the files that may be open, of a
/// share.
#[derive(Debug)]
pub struct Books {
    pub own: OwnSockets,
    pub purpose: Use,
    pub descriptors: Descriptors,
    pub share: Share,
}

/// A socket on a port, and what is held as long as it is open.
#[derive(Debug)]
pub struct Bound {
    pub socket: UdpSocket,
    pub held: Held,
}

/// A socket's place among our own, and the right to have it open.
#[derive(Debug)]
pub struct Held {
    _entered: Entered,
    _permit: Permit,
}

impl Ports {
    /// Begins somewhere in the range, so that servers that share an address do not all try the same ports.
    pub fn new(range: Range<u16>, random: u64, books: Books) -> Self {
        let first = usize::try_from(random % u64::from(u16::MAX)).unwrap_or_default();
        Self { range, next: AtomicUsize::new(first), spare: Mutex::default(), books }
    }

    /// A socket on an even port that never blocks; `None` when none is free.
    pub async fn bind(&self, at: IpAddr) -> Option<Bound> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(bound) =
            spare.filter(|Bound { socket, .. }| socket.local_addr().is_ok_and(|local| local.ip() == at))
        {
            return Some(bound);
        }
        let permit = self.books.descriptors.take(self.books.share)?;
        let first = usize::from(self.range.start.next_multiple_of(2));
        let count = usize::from(self.range.end).saturating_sub(first).div_ceil(2);
        for tried in 1..=count {
            if tried % IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
            let step = self.next.fetch_add(1, Ordering::Relaxed) % count.max(1);
            let Ok(port) = u16::try_from(first + 2 * step) else { continue };
            if let Ok(socket) = UdpSocket::bind(SocketAddr::new(at, port)) {
                socket.set_nonblocking(true).ok()?;
                let entered = self.books.own.enter(SocketAddr::new(at, port), self.books.purpose);
                return Some(Bound { socket, held: Held { _entered: entered, _permit: permit } });
            }
        }
        None
    }

    /// Takes back a socket that was never used, for the next call: most calls that are refused need none of
    /// their own.
    pub fn give_back(&self, bound: Bound) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(range: Range<u16>, random: u64, open_files: u64) -> Ports {
        let descriptors = Descriptors::new(open_files);
        let own = OwnSockets::default();
        Ports::new(range, random, Books { own, purpose: Use::Other, descriptors, share: Share::Outgoing })
    }

    #[tokio::test]
    async fn no_more_ports_are_taken_than_files_may_be_open_for_them() {
        let ports = ports(50_000..60_000, 17, 512);
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut taken = Vec::new();
        while let Some(bound) = ports.bind(here).await {
            taken.push(bound);
            assert!(taken.len() < 512);
        }
        assert_eq!(taken.len(), ports.books.descriptors.max_for(Share::Outgoing));
        taken.pop();
        assert!(ports.bind(here).await.is_some());
    }

    #[tokio::test]
    async fn a_socket_that_was_given_back_serves_the_next_call_at_the_same_address() {
        let ports = ports(20_000..30_000, 11, 1_024);
        let (here, elsewhere) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = ports.bind(here).await.unwrap();
        let port = first.socket.local_addr().unwrap().port();
        ports.give_back(first);
        let second = ports.bind(here).await.unwrap();
        assert_eq!(second.socket.local_addr().unwrap().port(), port);
        ports.give_back(second);
        let third = ports.bind(elsewhere).await.unwrap();
        assert_eq!(third.socket.local_addr().unwrap().ip(), elsewhere, "it is of no use for another address");
    }

    #[tokio::test]
    async fn no_more_sockets_are_kept_than_are_worth_it() {
        let ports = ports(30_000..40_000, 13, 1_024);
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut sockets = Vec::new();
        for _ in 0..SPARE + 3 {
            sockets.extend(ports.bind(here).await);
        }
        assert_eq!(sockets.len(), SPARE + 3);
        for socket in sockets {
            ports.give_back(socket);
        }
        assert_eq!(ports.spare.lock().unwrap().len(), SPARE);
    }
}
