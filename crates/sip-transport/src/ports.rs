//! UDP ports for the media of calls.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use service_base::descriptors::{Descriptors, Permit, Share};
use service_base::net::{Entered, OwnSockets, Use};

/// Ports that are tried before the task yields: a nearly exhausted range must not delay other calls.
const ATTEMPTS_BEFORE_YIELD: usize = 128;

/// Maximum number of unused sockets that are kept for later calls.
const MAX_SPARE_SOCKETS: usize = 32;

/// Binds media sockets to the ports of a range, in turn.
#[derive(Debug)]
pub struct Ports {
    range: Range<u16>,
    next: AtomicUsize,
    /// Unused sockets of calls that were refused.
    spare: Mutex<Vec<MediaSocket>>,
    books: SocketAccounting,
}

/// The accounting of each socket: it is registered as an own socket, and counts as an open file.
#[derive(Debug)]
pub struct SocketAccounting {
    /// The sockets of this process, which no media may be sent to.
    pub own: OwnSockets,
    /// The purpose under which they are registered.
    pub purpose: Use,
    /// The limit of open files.
    pub descriptors: Descriptors,
    /// The share of the limit that is used.
    pub share: Share,
}

/// A bound media socket and its accounting.
#[derive(Debug)]
pub struct MediaSocket {
    /// The socket, which never blocks.
    pub socket: UdpSocket,
    /// The address and the port that it is bound to, so that nothing has to ask the system.
    pub address: SocketAddr,
    /// Must be kept as long as the socket is open.
    pub held: SocketGuard,
}

/// The registration and the file permit of a socket; dropping it ends both.
#[derive(Debug)]
pub struct SocketGuard {
    _entered: Entered,
    _permit: Permit,
}

impl Ports {
    /// Binds even ports of a range, beginning at a random one, so that servers on the same address do not all
    /// try the same ports.
    pub fn new(range: Range<u16>, random: u64, books: SocketAccounting) -> Self {
        let first = usize::try_from(random % u64::from(u16::MAX)).unwrap_or_default();
        Self { range, next: AtomicUsize::new(first), spare: Mutex::default(), books }
    }

    /// Binds a non-blocking socket to an even port of an address; `None` if no port is free or no more files
    /// may be open.
    pub async fn bind(&self, at: IpAddr) -> Option<MediaSocket> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(bound) = spare.filter(|spare| spare.address.ip() == at) {
            return Some(bound);
        }
        let permit = self.books.descriptors.take(self.books.share)?;
        let first = usize::from(self.range.start.next_multiple_of(2));
        let count = usize::from(self.range.end).saturating_sub(first).div_ceil(2);
        for tried in 1..=count {
            if tried % ATTEMPTS_BEFORE_YIELD == 0 {
                tokio::task::yield_now().await;
            }
            let step = self.next.fetch_add(1, Ordering::Relaxed) % count.max(1);
            let Ok(port) = u16::try_from(first + 2 * step) else { continue };
            if let Ok(socket) = UdpSocket::bind(SocketAddr::new(at, port)) {
                socket.set_nonblocking(true).ok()?;
                let entered = self.books.own.enter(SocketAddr::new(at, port), self.books.purpose);
                // For port 0 the system selects one.
                let address = if port == 0 { socket.local_addr().ok()? } else { SocketAddr::new(at, port) };
                return Some(MediaSocket {
                    socket,
                    address,
                    held: SocketGuard { _entered: entered, _permit: permit },
                });
            }
        }
        None
    }

    /// Keeps an unused socket for the next call, at most 32 of them. This saves most refused calls the
    /// opening of one.
    pub fn recycle(&self, bound: MediaSocket) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE_SOCKETS {
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
        Ports::new(
            range,
            random,
            SocketAccounting { own, purpose: Use::Other, descriptors, share: Share::Outgoing },
        )
    }

    #[tokio::test]
    async fn the_limit_of_open_files_limits_the_ports() {
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
    async fn a_returned_socket_is_used_by_the_next_call_at_the_same_address() {
        let ports = ports(20_000..30_000, 11, 1_024);
        let (here, elsewhere) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = ports.bind(here).await.unwrap();
        let port = first.socket.local_addr().unwrap().port();
        ports.recycle(first);
        let second = ports.bind(here).await.unwrap();
        assert_eq!(second.socket.local_addr().unwrap(), second.address);
        assert_eq!(second.address.port(), port);
        ports.recycle(second);
        let third = ports.bind(elsewhere).await.unwrap();
        assert_eq!(
            third.socket.local_addr().unwrap().ip(),
            elsewhere,
            "it cannot be used for another address"
        );
    }

    #[tokio::test]
    async fn the_number_of_unused_sockets_is_limited() {
        let ports = ports(30_000..40_000, 13, 1_024);
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut sockets = Vec::new();
        for _ in 0..MAX_SPARE_SOCKETS + 3 {
            sockets.extend(ports.bind(here).await);
        }
        assert_eq!(sockets.len(), MAX_SPARE_SOCKETS + 3);
        for socket in sockets {
            ports.recycle(socket);
        }
        assert_eq!(ports.spare.lock().unwrap().len(), MAX_SPARE_SOCKETS);
    }
}
