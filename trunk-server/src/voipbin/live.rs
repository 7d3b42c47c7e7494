//! The calls that are not over, and who must hear what is asked of them.
//!
//! A call has one task, which alone writes it: what somebody asks of a call that is not over goes to its task.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::api::Answered;

/// What is asked of a call.
pub(crate) enum Command {
    /// Hang up. The call is answered as it is then.
    HangUp(oneshot::Sender<Answered>),
    /// Hang up, and delete it.
    Delete(oneshot::Sender<Answered>),
    /// Hang up: the server stops.
    Stop,
}

/// Commands that wait for a call's task.
const QUEUE: usize = 8;

/// All calls that are not over.
#[derive(Default)]
pub(crate) struct LiveCalls {
    calls: Mutex<HashMap<Uuid, mpsc::Sender<Command>>>,
    count: watch::Sender<usize>,
}

/// A call's place among them, which it leaves when this is dropped.
pub(crate) struct Place<'a> {
    live: &'a LiveCalls,
    id: Uuid,
    pub(crate) commands: mpsc::Receiver<Command>,
}

impl LiveCalls {
    /// Makes room for a call before anybody hears of it. Its task takes the receiver.
    pub(crate) fn announce(&self, id: Uuid) -> mpsc::Receiver<Command> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.lock().insert(id, sender);
        self.count.send_modify(|count| *count += 1);
        receiver
    }

    /// A call's place, given back when it is over.
    pub(crate) fn place(&self, id: Uuid, commands: mpsc::Receiver<Command>) -> Place<'_> {
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
        sender.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Has every call hang up, and waits for that.
    pub(crate) async fn stop(&self, most: Duration) {
        let senders: Vec<_> = self.lock().values().cloned().collect();
        for sender in senders {
            // One whose queue is full hears of it when the dialler stops.
            let _full = sender.try_send(Command::Stop);
        }
        let mut count = self.count.subscribe();
        let _late = tokio::time::timeout(most, count.wait_for(|count| *count == 0)).await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, mpsc::Sender<Command>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.live.lock().remove(&self.id);
        self.live.count.send_modify(|count| *count -= 1);
    }
}
