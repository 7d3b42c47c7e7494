//! A mailbox as a pair of sender and receiver.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Mailbox, wake};

/// Creates a mailbox that holds up to `capacity` messages, as a pair of sender and receiver.
pub fn mailbox<T>(capacity: u32) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared { mailbox: Mailbox::new(capacity), senders: AtomicUsize::new(1) });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

struct Shared<T> {
    mailbox: Mailbox<T>,
    senders: AtomicUsize,
}

/// The sending end of a mailbox. Dropping the last clone closes the mailbox.
pub struct Sender<T>(Arc<Shared<T>>);

/// The receiving end of a mailbox. Dropping it closes the mailbox and drops unread messages.
pub struct Receiver<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// How many more messages fit at this moment.
    pub fn room(&self) -> u32 {
        self.0.mailbox.lock().room()
    }

    /// Adds a message without waiting.
    ///
    /// # Errors
    /// The message itself, if the mailbox is full or the receiver was dropped.
    pub fn try_send(&self, message: T) -> Result<(), T> {
        self.0.mailbox.put(message)
    }
}

impl<T> Receiver<T> {
    /// Waits for the next message. Returns `None` when all senders were dropped and the mailbox is empty.
    /// Cancel safe.
    pub async fn recv(&mut self) -> Option<T> {
        self.0.mailbox.next().await
    }

    /// Takes the next message without waiting, or returns `None` if the mailbox is empty.
    pub fn try_recv(&mut self) -> Option<T> {
        self.0.mailbox.lock().queue.pop_front()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // `AcqRel`: messages of the other senders are in the queue before this one observes that it is the last.
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut state = self.0.mailbox.lock();
            state.closed = true;
            wake(state);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        drop(self.0.mailbox.close());
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_last_sender_closes_the_mailbox_and_what_was_sent_is_still_read() {
        let (sender, mut receiver) = mailbox(8);
        let other = sender.clone();
        sender.try_send(1).unwrap();
        other.try_send(2).unwrap();
        drop(sender);
        assert_eq!((receiver.recv().await, receiver.try_recv()), (Some(1), Some(2)));
        assert_eq!((receiver.recv().now_or_never(), receiver.try_recv()), (None, None), "a sender is left");
        other.try_send(3).unwrap();
        drop(other);
        assert_eq!(receiver.recv().now_or_never(), Some(Some(3)));
        assert_eq!(receiver.recv().now_or_never(), Some(None));
    }

    #[test]
    fn a_message_that_does_not_fit_or_has_no_reader_is_returned() {
        let (sender, mut receiver) = mailbox(1);
        assert_eq!((sender.try_send(1), sender.room(), sender.try_send(2)), (Ok(()), 0, Err(2)));
        assert_eq!((receiver.try_recv(), sender.room(), sender.try_send(3)), (Some(1), 1, Ok(())));
        drop(receiver);
        assert_eq!(sender.try_send(4), Err(4));
    }
}
