//! The ports that calls get for their media.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Ports that are tried in a row: a range that is nearly used up must not hold up other calls.
const IN_A_ROW: usize = 128;

/// Most sockets that are kept for the next calls.
const SPARE: usize = 32;

/// The ports that calls get, each in turn.
#[derive(Debug)]
pub(crate) struct Ports {
    range: Range<u16>,
    next: AtomicUsize,
    /// Sockets that were opened for calls that came to nothing.
    spare: Mutex<Vec<UdpSocket>>,
}

impl Ports {
    /// Begins somewhere in the range, so that servers that share an address do not all try the same ports.
    pub(crate) fn new(range: Range<u16>, random: u64) -> Self {
        let first = usize::try_from(random % u64::from(u16::MAX)).unwrap_or_default();
        Self { range, next: AtomicUsize::new(first), spare: Mutex::default() }
    }

    /// A socket on an even port that never blocks; `None` when none is free.
    pub(crate) async fn bind(&self, at: IpAddr) -> Option<UdpSocket> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(socket) = spare.filter(|socket| socket.local_addr().is_ok_and(|local| local.ip() == at)) {
            return Some(socket);
        }
        let first = usize::from(self.range.start.next_multiple_of(2));
        let count = usize::from(self.range.end).saturating_sub(first).div_ceil(2);
        for tried in 1..=count {
            if tried % IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
            let step = self.next.fetch_add(1, Ordering::Relaxed) % count.max(1);
            let Ok(port) = u16::try_from(first + 2 * step) else { continue };
            if let Ok(socket) = UdpSocket::bind(SocketAddr::new(at, port)) {
                return socket.set_nonblocking(true).ok().map(|()| socket);
            }
        }
        None
    }

    /// Takes back a socket that was never used, for the next call: most calls that are refused need none of their own.
    pub(crate) fn give_back(&self, socket: UdpSocket) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE {
            spare.push(socket);
        }
    }
}
