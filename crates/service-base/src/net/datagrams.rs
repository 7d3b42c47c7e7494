//! Loops that read datagrams from a socket.

#![expect(clippy::disallowed_methods, reason = "this is where datagrams are read, with a budget")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{Budget, PASSES_BEFORE_YIELD, Turns};
use crate::clock::Clock;

/// How long no datagram is read from a socket after its budget is used up. Meanwhile the kernel queues
/// datagrams, and drops those that exceed its buffer.
const PAUSE_OVER_BUDGET: Duration = Duration::from_millis(10);

thread_local! {
    /// The receive buffer of a thread. Calls share it, because almost all of them only wait for packets, and
    /// a buffer for each would waste memory.
    static RECEIVE_BUFFER: RefCell<[u8; 2048]> = const { RefCell::new([0; 2048]) };
}

/// A loop that reads the datagrams of one socket. Its state is kept here, because a future with the same loop takes ten
/// times as much, and each call has one.
#[derive(Default)]
pub struct ReceiveLoop {
    /// The reads since it last waited.
    passes: u32,
    /// What it waits for before it reads on: other tasks, or the end of a pause.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl ReceiveLoop {
    /// Calls `take` with each datagram that arrives and its source address. Datagrams are cut off at 2,048 bytes.
    ///
    /// Each datagram takes 1 from the budget. While the budget is used up, and after an error, nothing is read for
    /// 10 ms. This is never ready, and may be polled from another future than before.
    pub fn poll(
        &mut self,
        socket: &UdpSocket,
        clock: &Clock,
        budget: &Budget,
        take: &mut impl FnMut(&mut [u8], SocketAddr),
        context: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            self.passes += 1;
            if self.passes >= PASSES_BEFORE_YIELD {
                self.passes = 0;
                self.pause = Some(Box::pin(tokio::task::yield_now()));
                continue;
            }
            let Poll::Ready(readable) = socket.poll_recv_ready(context) else {
                // Other tasks run while this one waits.
                self.passes = 0;
                return Poll::Pending;
            };
            let received = readable.and_then(|()| {
                RECEIVE_BUFFER.with_borrow_mut(|buffer| {
                    let (length, from) = socket.try_recv_from(buffer)?;
                    take(buffer.get_mut(..length).unwrap_or_default(), from);
                    Ok(())
                })
            });
            let may_read_on = match received {
                Ok(()) => budget.take(clock.stopwatch(), 1),
                // The readiness was used up.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                // Errors are temporary, such as a peer's closed port, but can repeat at once.
                Err(_) => false,
            };
            if !may_read_on {
                self.pause = Some(Box::pin(tokio::time::sleep(PAUSE_OVER_BUDGET)));
            }
        }
    }
}

/// Waits until the socket is readable and then calls `read`, which must not wait itself. Only one task at a time can
/// wait for a socket. Cancel safe.
///
/// # Errors
/// An error of `read` or of the socket, except `WouldBlock`, after which it waits again.
pub async fn receive<T>(
    socket: &UdpSocket,
    turns: &mut Turns,
    mut read: impl FnMut(&UdpSocket) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        turns.pass().await;
        // The future of `readable` would be ten times as large.
        poll_fn(|context| socket.poll_recv_ready(context)).await?;
        match socket.try_io(Interest::READABLE, || read(socket)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn receive_all(
        socket: &UdpSocket,
        clock: &Clock,
        budget: &Budget,
        take: &mut impl FnMut(&mut [u8], SocketAddr),
    ) {
        let mut receive_loop = ReceiveLoop::default();
        poll_fn(|context| receive_loop.poll(socket, clock, budget, take, context)).await;
    }

    /// A socket that sends every received packet to itself always has the next packet.
    #[tokio::test]
    async fn a_socket_whose_packets_circulate_yields_to_other_tasks() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        socket.send_to(b"round", at).await.unwrap();
        let (clock, budget) = (Clock::system(), Budget::new(u64::from(u32::MAX), u64::from(u32::MAX)));
        let mut rounds = 0_u32;
        let mut take = |packet: &mut [u8], from: SocketAddr| {
            rounds += 1;
            let _full = socket.try_send_to(packet, from);
        };
        let receiving = receive_all(&socket, &clock, &budget, &mut take);
        // The test has one thread: the timeout only fires if the loop yields.
        assert!(tokio::time::timeout(Duration::from_millis(100), receiving).await.is_err());
        assert!(rounds > 16, "{rounds}");
    }

    #[tokio::test]
    async fn packets_beyond_the_budget_stay_in_the_kernels_queue() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        socket.send_to(b"round", at).await.unwrap();
        let (clock, budget) = (Clock::system(), Budget::new(1, 40));
        let mut rounds = 0_u32;
        let mut take = |packet: &mut [u8], from: SocketAddr| {
            rounds += 1;
            let _full = socket.try_send_to(packet, from);
        };
        let receiving = receive_all(&socket, &clock, &budget, &mut take);
        assert!(tokio::time::timeout(Duration::from_millis(200), receiving).await.is_err());
        assert!((40..=80).contains(&rounds), "a burst of 40, then one after each pause: {rounds}");
    }

    /// Each call has one.
    #[test]
    fn the_state_of_a_receiver_is_small() {
        assert!(size_of::<ReceiveLoop>() <= 24, "{}", size_of::<ReceiveLoop>());
    }

    /// A call polls it from another future after each of its events, such as a request in its dialog.
    #[tokio::test]
    async fn a_pause_goes_on_when_the_future_that_polled_is_dropped() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let (clock, budget, mut receive_loop) = (Clock::system(), Budget::new(1, 1), ReceiveLoop::default());
        let mut taken = 0_u128;
        let mut take = |_: &mut [u8], _: SocketAddr| taken += 1;
        for _ in 0..5 {
            socket.send_to(b"packet", at).await.unwrap();
        }
        let began = clock.stopwatch();
        for _ in 0..200 {
            let polled = poll_fn(|context| {
                Poll::Ready(receive_loop.poll(&socket, &clock, &budget, &mut take, context))
            });
            assert!(polled.await.is_pending());
            tokio::task::yield_now().await;
        }
        let pauses = clock.stopwatch().saturating_sub(began).as_millis() / PAUSE_OVER_BUDGET.as_millis();
        assert!((1..=2 + pauses).contains(&taken), "{taken} with at most {pauses} pauses");
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
