//! The two ends of a mailbox that lies nowhere else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Mailbox, wake};

/// Makes a mailbox that holds this many messages at most.
pub fn mailbox<T>(most: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared { mailbox: Mailbox::new(most), senders: AtomicUsize::new(1) });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

struct Shared<T> {
    mailbox: Mailbox<T>,
    senders: AtomicUsize,
}

/// Puts messages in. The mailbox ends when the last of them is dropped.
pub struct Sender<T>(Arc<Shared<T>>);

/// Takes messages out.
pub struct Receiver<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// How many more messages fit.
    pub fn room(&self) -> usize {
        let state = self.0.mailbox.lock();
        state.most.saturating_sub(state.queue.len())
    }

    /// Puts a message in; gives it back when there is no room, or nobody to read it.
    pub fn try_send(&self, message: T) -> Result<(), T> {
        self.0.mailbox.put(message)
    }
}

impl<T> Receiver<T> {
    /// The next message; `None` when there is none left and nobody to send one. Safe to give up waiting for.
    pub async fn recv(&mut self) -> Option<T> {
        self.0.mailbox.next().await
    }

    /// The next message, if one is there.
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
        // What the others sent is in the queue, under its lock, before this one sees that it is the last.
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut state = self.0.mailbox.lock();
            state.closed = true;
            wake(state);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.mailbox.close();
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
    async fn a_mailbox_ends_with_its_last_sender_and_what_was_sent_is_still_read() {
        let (sender, mut receiver) = mailbox(8);
        let other = sender.clone();
        sender.try_send(1).unwrap();
        other.try_send(2).unwrap();
        drop(sender);
        assert_eq!((receiver.recv().await, receiver.try_recv()), (Some(1), Some(2)));
        assert_eq!(
            (receiver.recv().now_or_never(), receiver.try_recv()),
            (None, None),
            "somebody may still send"
        );
        other.try_send(3).unwrap();
        drop(other);
        assert_eq!(receiver.recv().now_or_never(), Some(Some(3)));
        assert_eq!(receiver.recv().now_or_never(), Some(None));
    }

    #[test]
    fn what_does_not_fit_or_is_not_read_is_given_back() {
        let (sender, mut receiver) = mailbox(1);
        assert_eq!((sender.try_send(1), sender.room(), sender.try_send(2)), (Ok(()), 0, Err(2)));
        assert_eq!((receiver.try_recv(), sender.room(), sender.try_send(3)), (Some(1), 1, Ok(())));
        drop(receiver);
        assert_eq!(sender.try_send(4), Err(4));
    }
}
