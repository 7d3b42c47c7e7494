//! The loops over datagrams.

#![expect(clippy::disallowed_methods, reason = "this is where datagrams are read, with a budget")]

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{Budget, Turns};
use crate::clock::Clock;

/// How long nothing is read from a socket whose budget is used up. What comes meanwhile waits in the system, which
/// drops what it has no room for.
const PAUSE: Duration = Duration::from_millis(10);

thread_local! {
    /// Where a packet is received. One for each thread: a call that waits for packets, and nearly all calls do
    /// nothing else, must not keep room for one.
    static PACKET: RefCell<[u8; 2048]> = const { RefCell::new([0; 2048]) };
}

/// Hands over each datagram that comes, of which the first 2,048 bytes are read, and its source. Never returns, and is
/// always safe to give up waiting for.
pub async fn hear(
    socket: &UdpSocket,
    clock: &Clock,
    budget: &Budget,
    mut take: impl FnMut(&mut [u8], SocketAddr),
) {
    let mut turns = Turns::default();
    loop {
        let received = receive(socket, &mut turns, |socket| {
            PACKET.with_borrow_mut(|buffer| {
                let (length, from) = socket.try_recv_from(buffer)?;
                take(buffer.get_mut(..length).unwrap_or_default(), from);
                Ok(())
            })
        });
        // An error passes, such as that a peer closed its port, but not at once.
        if received.await.is_err() || !budget.take(clock.stopwatch(), 1) {
            // On the heap: it is seldom needed, and there are many calls.
            Box::pin(tokio::time::sleep(PAUSE)).await;
        }
    }
}

/// Reads once there is something to read, by a call that does not wait itself. Safe to give up waiting for.
pub async fn receive<T>(
    socket: &UdpSocket,
    turns: &mut Turns,
    mut read: impl FnMut(&UdpSocket) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        turns.pass().await;
        socket.readable().await?;
        match socket.try_io(Interest::READABLE, || read(socket)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that sends itself what it hears always has the next packet.
    #[tokio::test]
    async fn a_socket_whose_packets_go_in_a_circle_lets_others_run() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        socket.send_to(b"round", at).await.unwrap();
        let (clock, budget) = (Clock::system(), Budget::new(u64::from(u32::MAX), u64::from(u32::MAX)));
        let mut rounds = 0_u32;
        let hearing = hear(&socket, &clock, &budget, |packet, from| {
            rounds += 1;
            let _full = socket.try_send_to(packet, from);
        });
        // On the only thread there is: the time is looked at when the loop lets it.
        assert!(tokio::time::timeout(Duration::from_millis(100), hearing).await.is_err());
        assert!(rounds > 16, "{rounds}");
    }

    #[tokio::test]
    async fn what_is_beyond_the_budget_is_left_to_the_system() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        socket.send_to(b"round", at).await.unwrap();
        let (clock, budget) = (Clock::system(), Budget::new(1, 40));
        let mut rounds = 0_u32;
        let hearing = hear(&socket, &clock, &budget, |packet, from| {
            rounds += 1;
            let _full = socket.try_send_to(packet, from);
        });
        assert!(tokio::time::timeout(Duration::from_millis(200), hearing).await.is_err());
        assert!((40..=80).contains(&rounds), "40 at once, then one after each pause: {rounds}");
    }

    #[tokio::test]
    async fn a_reader_that_finds_nothing_waits_for_the_next_packet() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let mut turns = Turns::default();
        socket.send_to(b"late", at).await.unwrap();
        let mut passes = 0;
        let read = receive(&socket, &mut turns, |socket| {
            passes += 1;
            if passes < 3 { Err(io::ErrorKind::WouldBlock.into()) } else { socket.local_addr() }
        });
        assert!(
            tokio::time::timeout(Duration::from_millis(50), read).await.is_err(),
            "readiness was used up"
        );
        assert_eq!(passes, 1);
    }
}
