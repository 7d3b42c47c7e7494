//! A queue to one task, made for tasks of which there are many and to which little is sent.
//!
//! It takes a hundred bytes where the runtime's own takes more than a kilobyte, for that one has room for 32 messages
//! from the first. It never waits for room: what does not fit is given back.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Makes a mailbox that holds this many messages at most.
pub(crate) fn mailbox<T>(most: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { queue: VecDeque::new(), most, senders: 1, open: true, waker: None };
    let shared = Arc::new(Shared(Mutex::new(state)));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

struct State<T> {
    queue: VecDeque<T>,
    most: usize,
    senders: usize,
    /// Whether there is a receiver.
    open: bool,
    waker: Option<Waker>,
}

struct Shared<T>(Mutex<State<T>>);

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts messages in. The mailbox ends when the last of them is dropped.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// Takes messages out.
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Puts a message in; gives it back when there is no room, or nobody to read it.
    pub(crate) fn try_send(&self, message: T) -> Result<(), T> {
        let mut state = self.0.lock();
        if !state.open || state.queue.len() >= state.most {
            return Err(message);
        }
        state.queue.push_back(message);
        wake(state);
        Ok(())
    }
}

/// Wakes the receiver, who takes the lock at once.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Receiver<T> {
    /// The next message; `None` when there is none left and nobody to send one. Safe to give up waiting for.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        if let Some(message) = state.queue.pop_front() {
            return Poll::Ready(Some(message));
        }
        if state.senders == 0 {
            return Poll::Ready(None);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// The next message, if one is there.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        self.0.lock().queue.pop_front()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        if state.senders == 0 {
            wake(state);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.open = false;
        state.waker = None;
        // Dropped without the lock: a message may hold a mailbox, too.
        let unread = std::mem::take(&mut state.queue);
        drop(state);
        drop(unread);
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receiver")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn messages_come_in_their_order_and_end_with_the_last_sender() {
        let (sender, mut receiver) = mailbox(8);
        let other = sender.clone();
        sender.try_send(1).unwrap();
        other.try_send(2).unwrap();
        drop(sender);
        assert_eq!(
            (receiver.recv().await, receiver.try_recv(), receiver.try_recv()),
            (Some(1), Some(2), None)
        );
        assert_eq!(receiver.recv().now_or_never(), None, "somebody may still send");
        drop(other);
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_by_a_message_and_by_the_end() {
        let (sender, mut receiver) = mailbox(8);
        let reader = tokio::spawn(async move { (receiver.recv().await, receiver.recv().await) });
        tokio::task::yield_now().await;
        sender.try_send(1).unwrap();
        tokio::task::yield_now().await;
        drop(sender);
        assert_eq!(reader.await.unwrap(), (Some(1), None));
    }

    #[test]
    fn what_does_not_fit_or_is_not_read_is_given_back() {
        let (sender, mut receiver) = mailbox(1);
        assert_eq!((sender.try_send(1), sender.try_send(2)), (Ok(()), Err(2)));
        assert_eq!(receiver.try_recv(), Some(1));
        assert_eq!(sender.try_send(3), Ok(()));
        drop(receiver);
        assert_eq!(sender.try_send(4), Err(4));
    }

    #[test]
    fn what_was_not_read_is_dropped_with_the_reader() {
        let (sender, receiver) = mailbox(8);
        let message = Arc::new(());
        sender.try_send(Arc::clone(&message)).unwrap();
        drop(receiver);
        assert_eq!(Arc::strong_count(&message), 1);
    }
}
