//! A queue to one task, made for tasks of which there are many and to which little is sent.
//!
//! Tens of thousands of calls wait for theirs at the same time, and most get one thing in their life: it takes no
//! memory before something is in it, and fewer than a hundred bytes then beside what it holds. The runtime's own takes
//! more than a kilobyte, for it has room for 32 messages from the first. It never waits for room: what does not fit is
//! given back.
//!
//! Where many know the task's record, the mailbox lies in the record. Where a sender and the task have nothing else in
//! common, each has an end of one.

mod ends;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

pub use ends::{Receiver, Sender, mailbox};

/// The queue. One task at a time may wait for what is put in.
pub struct Mailbox<T>(Mutex<State<T>>);

struct State<T> {
    queue: VecDeque<T>,
    most: usize,
    /// Whether nothing more is taken.
    closed: bool,
    waker: Option<Waker>,
}

impl<T> Mailbox<T> {
    /// One that holds this many messages at most.
    pub const fn new(most: usize) -> Self {
        Self(Mutex::new(State { queue: VecDeque::new(), most, closed: false, waker: None }))
    }

    /// Puts a message in; gives it back when there is no room, or it is closed.
    pub fn put(&self, message: T) -> Result<(), T> {
        self.add(message, false)
    }

    /// Puts in the last message, for which there is always room; gives it back when it is closed.
    pub fn put_last(&self, message: T) -> Result<(), T> {
        self.add(message, true)
    }

    fn add(&self, message: T, last: bool) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || (state.queue.len() >= state.most && !last) {
            return Err(message);
        }
        state.closed = last;
        state.queue.push_back(message);
        wake(state);
        Ok(())
    }

    /// The next message; `None` when there is none left and it is closed. Safe to give up waiting for.
    pub async fn next(&self) -> Option<T> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        if let Some(message) = state.queue.pop_front() {
            return Poll::Ready(Some(message));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Takes nothing more, and forgets what nobody looked at.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        // Dropped without the lock: a message may hold a mailbox, too.
        let _unread = std::mem::take(&mut state.queue);
        wake(state);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the reader, who takes the lock at once.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn messages_come_in_their_order_and_the_one_past_the_bound_is_given_back() {
        let mailbox = Mailbox::new(3);
        assert_eq!(mailbox.next().now_or_never(), None);
        assert_eq!([1, 2, 3, 4].map(|message| mailbox.put(message)), [Ok(()), Ok(()), Ok(()), Err(4)]);
        assert_eq!(mailbox.next().now_or_never(), Some(Some(1)));
        assert_eq!(
            [5, 6].map(|message| mailbox.put(message)),
            [Ok(()), Err(6)],
            "there is room for one again"
        );
        for message in [2, 3, 5] {
            assert_eq!(mailbox.next().now_or_never(), Some(Some(message)));
        }
        assert_eq!(mailbox.next().now_or_never(), None);
    }

    #[tokio::test]
    async fn there_is_room_for_the_last_message_and_nothing_comes_after_it() {
        let mailbox = Mailbox::new(1);
        assert_eq!((mailbox.put(1), mailbox.put_last(2)), (Ok(()), Ok(())));
        assert_eq!(mailbox.next().await, Some(1));
        assert_eq!((mailbox.put(3), mailbox.put_last(4)), (Err(3), Err(4)));
        assert_eq!(mailbox.next().now_or_never(), Some(Some(2)));
        assert_eq!(mailbox.next().now_or_never(), Some(None));
    }

    #[tokio::test]
    async fn one_that_is_closed_takes_nothing_and_keeps_nothing() {
        let mailbox = Mailbox::new(1);
        let message = Arc::new(());
        assert!(mailbox.put(Arc::clone(&message)).is_ok());
        mailbox.close();
        assert_eq!(Arc::strong_count(&message), 1);
        assert!(mailbox.put(message).is_err());
        assert_eq!(mailbox.next().now_or_never(), Some(None));
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_by_a_message_and_by_the_end() {
        let mailbox = Arc::new(Mailbox::new(1));
        let reading = Arc::clone(&mailbox);
        let reader = tokio::spawn(async move { (reading.next().await, reading.next().await) });
        tokio::task::yield_now().await;
        mailbox.put(1).unwrap();
        tokio::task::yield_now().await;
        mailbox.close();
        let read = tokio::time::timeout(Duration::from_secs(10), reader).await.expect("it is woken");
        assert_eq!(read.unwrap(), (Some(1), None));
    }

    #[test]
    fn an_empty_one_is_small_and_has_nothing_beside_itself() {
        let mailbox = Mailbox::<[u8; 1_000]>::new(16);
        assert!(size_of_val(&mailbox) <= 72, "{}", size_of_val(&mailbox));
        assert_eq!(mailbox.lock().queue.capacity(), 0);
    }
}
