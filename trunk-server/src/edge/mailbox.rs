//! What comes for a call that is up. Twenty thousand calls wait for theirs at the same time, and most get one thing
//! in their life: a queue takes no memory before something is in it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::stack::Incoming;

/// What comes for a call that is up.
pub(super) enum Event {
    /// The caller hung up, and was told that this is well.
    HungUp,
    /// Another request in its dialog.
    Request(Box<Incoming>),
    /// The answer to an offer of ours, which an ACK brought.
    Answer(Vec<u8>),
    /// It is ended from our side.
    End,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::HungUp => "HungUp",
            Self::Request(_) => "Request",
            Self::Answer(_) => "Answer",
            Self::End => "End",
        })
    }
}

/// Events that wait for a call. A peer that floods its own call loses the rest.
const MOST: usize = 16;

/// The queue of one call.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    closed: bool,
}

impl Mailbox {
    /// Puts an event in; gives it back when the queue is full or nobody will look any more. There is room for the
    /// caller's hanging up, and nothing comes after it.
    pub(super) fn put(&self, event: Event) -> Result<(), Event> {
        let mut state = self.lock();
        let last = matches!(event, Event::HungUp);
        if state.closed || (state.events.len() >= MOST && !last) {
            return Err(event);
        }
        state.closed = last;
        state.events.push_back(event);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next event. Safe to give up waiting for; one task at a time may wait.
    pub(super) async fn next(&self) -> Event {
        loop {
            let event = self.lock().events.pop_front();
            match event {
                Some(event) => return event,
                None => self.arrived.notified().await,
            }
        }
    }

    /// Takes nothing more, and forgets what nobody looked at.
    pub(super) fn close(&self) {
        let forgotten = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.events)
        };
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn events_come_in_their_order_and_a_flood_is_cut_off() {
        let mailbox = Mailbox::default();
        assert!(mailbox.next().now_or_never().is_none());
        for byte in 0..20 {
            assert_eq!(mailbox.put(Event::Answer(vec![byte])).is_ok(), usize::from(byte) < MOST);
        }
        for byte in 0..MOST {
            let event = mailbox.next().await;
            assert!(
                matches!(event, Event::Answer(body) if body.first().map(|b| usize::from(*b)) == Some(byte))
            );
        }
        mailbox.close();
        assert!(mailbox.put(Event::End).is_err());
    }

    #[tokio::test]
    async fn nothing_comes_after_the_caller_hung_up_for_which_there_is_always_room() {
        let mailbox = Mailbox::default();
        for _ in 0..MOST {
            assert!(mailbox.put(Event::Answer(Vec::new())).is_ok());
        }
        assert!(mailbox.put(Event::HungUp).is_ok());
        assert!(mailbox.put(Event::HungUp).is_err());
        assert!(mailbox.put(Event::End).is_err());
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let mailbox = Mailbox::default();
        let (event, put) = tokio::join!(mailbox.next(), async { mailbox.put(Event::End) });
        assert!(matches!(event, Event::End) && put.is_ok());
    }
}
