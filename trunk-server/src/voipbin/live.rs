//! The calls that are not over, and who must hear what is asked of them.
//!
//! A call has one task, which alone writes it: what somebody asks of a call that is not over goes to its task.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::api::Answered;
use crate::mailbox::{Receiver, Sender, mailbox};

/// What is asked of a call.
pub(crate) enum Command {
    /// Hang up. The call is answered as it is then.
    HangUp(oneshot::Sender<Answered>),
    /// Hang up, and delete it.
    Delete(oneshot::Sender<Answered>),
    /// Hang up: the server stops.
    Stop,
}

/// All calls that are not over.
#[derive(Default)]
pub(crate) struct LiveCalls {
    calls: Mutex<HashMap<Uuid, Sender<Command>>>,
    count: watch::Sender<usize>,
    /// Whether the server stops: what is announced now hangs up at once.
    stopping: AtomicBool,
}

/// Most calls at once. Each has a socket for its media, and the server other things to do.
const MOST: usize = 20_000;

/// A call's place among them, which it leaves when this is dropped.
pub(crate) struct Place<'a> {
    live: &'a LiveCalls,
    id: Uuid,
    pub(crate) commands: Receiver<Command>,
}

impl LiveCalls {
    /// Makes room for calls before anybody hears of them; none when there is not room for all. Their tasks take the
    /// receivers.
    pub(crate) fn announce(&self, ids: &[Uuid]) -> Option<Vec<Receiver<Command>>> {
        let fits = self.count.send_if_modified(|count| {
            let fits = ids.len() <= MOST.saturating_sub(*count);
            *count += if fits { ids.len() } else { 0 };
            fits
        });
        if !fits {
            return None;
        }
        let mut calls = self.lock();
        let announce = |id: &Uuid| {
            // Whoever asks waits for an answer, so no more is in it than requests are under way.
            let (sender, receiver) = mailbox(usize::MAX);
            if self.stopping.load(Ordering::Relaxed) {
                // Nobody else has it yet: there is room, and a reader.
                let _read = sender.try_send(Command::Stop);
            }
            calls.insert(*id, sender);
            receiver
        };
        Some(ids.iter().map(announce).collect())
    }

    /// A call's place, given back when it is over.
    pub(crate) fn place(&self, id: Uuid, commands: Receiver<Command>) -> Place<'_> {
        Place { live: self, id, commands }
    }

    /// Asks something of a call; none when it is over.
    pub(crate) async fn ask(
        &self,
        id: Uuid,
        command: impl FnOnce(oneshot::Sender<Answered>) -> Command,
    ) -> Option<Answered> {
        let sender = self.lock().get(&id).cloned()?;
        let (reply, answer) = oneshot::channel();
        sender.try_send(command(reply)).ok()?;
        answer.await.ok()
    }

    /// Has every call hang up, also those that are placed from now on, and waits for that.
    pub(crate) async fn stop(&self, most: Duration) {
        self.abandon();
        self.hang_up_all(most).await;
    }

    /// Has every call hang up, also those that are placed from now on.
    pub(crate) fn abandon(&self) {
        let calls = self.lock();
        self.stopping.store(true, Ordering::Relaxed);
        for sender in calls.values() {
            let _over = sender.try_send(Command::Stop);
        }
    }

    /// Has every call hang up that is there, and waits for that.
    pub(crate) async fn hang_up_all(&self, most: Duration) {
        let senders: Vec<_> = self.lock().values().cloned().collect();
        for sender in senders {
            // One that is over meanwhile need not hear of it.
            let _over = sender.try_send(Command::Stop);
        }
        self.over(most).await;
    }

    /// Waits until there is none any more, at most this long. It holds nothing of what the calls hold.
    pub(crate) fn over(&self, most: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut count = self.count.subscribe();
        async move {
            let _late = tokio::time::timeout(most, count.wait_for(|count| *count == 0)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Sender<Command>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.live.lock().remove(&self.id);
        self.live.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(from: usize, count: usize) -> Vec<Uuid> {
        (from..from + count).map(|number| Uuid::from_u128(number as u128)).collect()
    }

    #[test]
    fn twenty_thousand_calls_have_a_place_and_not_one_more() {
        let live = LiveCalls::default();
        let mut places = Vec::new();
        let mut place = |from, count| {
            let ids = ids(from, count);
            let receivers = live.announce(&ids)?;
            places.extend(ids.into_iter().zip(receivers).map(|(id, commands)| live.place(id, commands)));
            Some(())
        };
        for from in (0..19_900).step_by(100) {
            place(from, 100).unwrap();
        }
        place(19_900, 99).unwrap();
        // Of calls that are placed together all have a place or none.
        assert_eq!((place(30_000, 2), place(19_999, 1), place(20_000, 1)), (None, Some(()), None));
        places.truncate(19_998);
        assert!(live.announce(&ids(20_000, 3)).is_none());
        assert_eq!(live.announce(&ids(20_000, 2)).map(|receivers| receivers.len()), Some(2));
    }

    #[test]
    fn what_is_announced_while_everything_stops_hangs_up_at_once() {
        let live = LiveCalls::default();
        let mut before = live.announce(&ids(1, 1)).unwrap();
        live.abandon();
        let mut after = live.announce(&ids(2, 1)).unwrap();
        for receiver in before.iter_mut().chain(&mut after) {
            assert!(matches!(receiver.try_recv(), Some(Command::Stop)));
        }
    }
}
