//! A bounded queue to one task, optimised for very many tasks that receive few messages each.
//!
//! Tens of thousands of calls wait for messages at the same time, and most receive a single one. So an empty
//! mailbox allocates nothing, and a used one takes less than a hundred bytes beside its messages. A Tokio
//! channel takes more than a kilobyte, because it allocates room for 32 messages at once. Sending never
//! waits: a message that does not fit is returned to the sender.
//!
//! A [`Mailbox`] can be part of a record that senders and the task share. Where they share nothing else,
//! [`mailbox`] makes a [`Sender`] and a [`Receiver`].

mod ends;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

pub use ends::{Receiver, Sender, mailbox};

/// A bounded queue of messages. Only one task at a time can wait for them.
pub struct Mailbox<T>(Mutex<State<T>>);

struct State<T> {
    queue: VecDeque<T>,
    capacity: u32,
    /// Whether it accepts no more messages.
    closed: bool,
    waker: Option<Waker>,
}

impl<T> State<T> {
    /// How many more messages fit.
    fn room(&self) -> u32 {
        self.capacity.saturating_sub(u32::try_from(self.queue.len()).unwrap_or(u32::MAX))
    }
}

impl<T> Mailbox<T> {
    /// Creates a mailbox that holds up to `capacity` messages.
    pub const fn new(capacity: u32) -> Self {
        Self(Mutex::new(State { queue: VecDeque::new(), capacity, closed: false, waker: None }))
    }

    /// Adds a message.
    ///
    /// # Errors
    /// The message itself, if the mailbox is full or closed.
    pub fn put(&self, message: T) -> Result<(), T> {
        self.add(message, false)
    }

    /// Adds a last message, also to a full mailbox, and closes it. Its messages can still be read.
    ///
    /// # Errors
    /// The message itself, if the mailbox is closed already.
    pub fn put_last(&self, message: T) -> Result<(), T> {
        self.add(message, true)
    }

    fn add(&self, message: T, last: bool) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || (state.room() == 0 && !last) {
            return Err(message);
        }
        state.closed = last;
        state.queue.push_back(message);
        wake(state);
        Ok(())
    }

    /// Waits for the next message. Returns `None` when the mailbox is closed and empty. Cancel safe.
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
            empty => *empty = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Closes the mailbox. Returns the messages that were not read, the oldest first.
    pub fn close(&self) -> impl Iterator<Item = T> + use<T> {
        let mut state = self.lock();
        state.closed = true;
        // Dropped after the lock is released: a message may itself contain a mailbox.
        let unread = std::mem::take(&mut state.queue);
        wake(state);
        unread.into_iter()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the reader. The lock is released first, because the reader takes it at once.
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
    async fn messages_arrive_in_order_and_one_that_does_not_fit_is_returned() {
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
    async fn a_closed_mailbox_accepts_nothing_and_keeps_nothing() {
        let mailbox = Mailbox::new(1);
        let message = Arc::new(());
        assert!(mailbox.put(Arc::clone(&message)).is_ok());
        drop(mailbox.close());
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
        drop(mailbox.close());
        let read = tokio::time::timeout(Duration::from_secs(10), reader).await.expect("it is woken");
        assert_eq!(read.unwrap(), (Some(1), None));
    }

    #[test]
    fn an_empty_mailbox_is_small_and_allocates_nothing() {
        let mailbox = Mailbox::<[u8; 1_000]>::new(16);
        assert!(size_of_val(&mailbox) <= 64, "{}", size_of_val(&mailbox));
        assert_eq!(mailbox.lock().queue.capacity(), 0);
    }
}
