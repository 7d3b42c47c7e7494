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
    /// Makes room for a call before anybody hears of it. Its task takes the receiver.
    pub(crate) fn announce(&self, id: Uuid) -> Receiver<Command> {
        // Whoever asks waits for an answer, so no more is in it than requests are under way.
        let (sender, receiver) = mailbox(usize::MAX);
        let mut calls = self.lock();
        if self.stopping.load(Ordering::Relaxed) {
            // Nobody else has it yet: there is room, and a reader.
            let _read = sender.try_send(Command::Stop);
        }
        calls.insert(id, sender);
        drop(calls);
        self.count.send_modify(|count| *count += 1);
        receiver
    }

    /// Whether there are as many as there may be.
    pub(crate) fn is_full(&self) -> bool {
        *self.count.borrow() >= MOST
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
