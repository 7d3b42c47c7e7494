//! The calls that have not ended, their limits, and the channels to their tasks.
//!
//! A call has one task, which alone writes it: a request about an active call is sent to that task as a
//! [`Command`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use service_base::mailbox::{Receiver, Sender, mailbox};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::error::ApiResult;
use crate::records::call_tries::CallTry;

/// A command to the task of an active call.
pub(crate) enum Command {
    /// Hang up, and reply with the call.
    HangUp(oneshot::Sender<ApiResult>),
    /// Hang up, mark the call as deleted, and reply with it.
    Delete(oneshot::Sender<ApiResult>),
    /// Reply with the attempts so far.
    Tries(oneshot::Sender<Vec<CallTry>>),
    /// Hang up without a reply: the server stops, or everything is reset.
    Stop,
}

/// All calls that have not ended. Their number is limited in all and for each customer, so that one customer
/// cannot use up the capacity of the others.
pub struct ActiveCalls {
    max_calls: usize,
    max_calls_per_customer: usize,
    state: Mutex<State>,
    count: watch::Sender<usize>,
    /// Whether the server stops: calls that are reserved from now on hang up at once.
    stopping: AtomicBool,
}

#[derive(Default)]
struct State {
    calls: HashMap<Uuid, Sender<Command>>,
    /// The number of calls of each customer that has any.
    per_customer: HashMap<Uuid, usize>,
}

/// A limit on active calls is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoCapacity {
    /// The limit of the whole platform.
    OfPlatform,
    /// The limit of the customer.
    OfCustomer,
}

/// The slot of an active call. Dropping it frees the slot.
pub(crate) struct CallSlot<'a> {
    active_calls: &'a ActiveCalls,
    customer: Uuid,
    id: Uuid,
    /// The commands to the call.
    pub(crate) commands: Receiver<Command>,
}

impl ActiveCalls {
    /// No calls yet, with a limit on all calls and a limit on those of one customer.
    pub(crate) fn new(max_calls: usize, max_calls_per_customer: usize) -> Self {
        let (state, count) = (Mutex::default(), watch::Sender::new(0));
        Self { max_calls, max_calls_per_customer, state, count, stopping: AtomicBool::new(false) }
    }

    /// The number of calls that are active or being set up.
    pub fn number(&self) -> usize {
        *self.count.borrow()
    }

    /// Maximum number of active calls of one customer.
    pub(crate) fn max_calls_per_customer(&self) -> usize {
        self.max_calls_per_customer
    }

    /// Reserves slots for new calls of a customer before the calls are written, and returns the receiver of
    /// each call's commands, in the order of the ids. From now on the calls can be sent commands.
    ///
    /// # Errors
    /// When there is not enough capacity for all of them; then none is reserved.
    pub(crate) fn reserve(&self, customer: Uuid, ids: &[Uuid]) -> Result<Vec<Receiver<Command>>, NoCapacity> {
        let mut state = self.lock();
        let of_customer = state.per_customer.get(&customer).copied().unwrap_or_default();
        if ids.len() > self.max_calls_per_customer.saturating_sub(of_customer) {
            return Err(NoCapacity::OfCustomer);
        }
        let fits = self.count.send_if_modified(|count| {
            let fits = ids.len() <= self.max_calls.saturating_sub(*count);
            *count += if fits { ids.len() } else { 0 };
            fits
        });
        if !fits && !ids.is_empty() {
            return Err(NoCapacity::OfPlatform);
        }
        state.per_customer.insert(customer, of_customer + ids.len());
        let reserve = |id: &Uuid| {
            // Each request waits for its reply: the mailbox holds no more commands than there are open
            // requests.
            let (sender, receiver) = mailbox(u32::MAX);
            if self.stopping.load(Ordering::Relaxed) {
                // This cannot fail: the mailbox is empty and its receiver is here.
                let _sent = sender.try_send(Command::Stop);
            }
            state.calls.insert(*id, sender);
            receiver
        };
        Ok(ids.iter().map(reserve).collect())
    }

    /// The reserved slot of a call, which is freed when it is dropped.
    pub(crate) fn slot(&self, customer: Uuid, id: Uuid, commands: Receiver<Command>) -> CallSlot<'_> {
        CallSlot { active_calls: self, customer, id, commands }
    }

    /// Whether a call is active or being set up here.
    pub(crate) fn has(&self, id: Uuid) -> bool {
        self.lock().calls.contains_key(&id)
    }

    /// Sends a command to an active call and returns its reply, or none if the call has ended.
    pub(crate) async fn send_command(
        &self,
        id: Uuid,
        command: impl FnOnce(oneshot::Sender<ApiResult>) -> Command,
    ) -> Option<ApiResult> {
        let sender = self.lock().calls.get(&id).cloned()?;
        let (reply, answer) = oneshot::channel();
        sender.try_send(command(reply)).ok()?;
        answer.await.ok()
    }

    /// The attempts of an active call so far, or none if the call has ended.
    pub(crate) async fn tries(&self, id: Uuid) -> Option<Vec<CallTry>> {
        let sender = self.lock().calls.get(&id).cloned()?;
        let (reply, answer) = oneshot::channel();
        sender.try_send(Command::Tries(reply)).ok()?;
        answer.await.ok()
    }

    /// Makes every call hang up, including those that are reserved from now on, and waits at most `timeout`
    /// until all have ended.
    pub(crate) async fn stop(&self, timeout: Duration) {
        self.abandon();
        self.hang_up_all(timeout).await;
    }

    /// Makes every call hang up, including those that are reserved from now on, without waiting.
    pub(crate) fn abandon(&self) {
        let state = self.lock();
        self.stopping.store(true, Ordering::Relaxed);
        for sender in state.calls.values() {
            let _ended = sender.try_send(Command::Stop);
        }
    }

    /// Makes a call hang up, if it is active here.
    pub(crate) fn hang_up(&self, id: Uuid) {
        if let Some(sender) = self.lock().calls.get(&id) {
            // Fails only for a call that ended meanwhile.
            let _ended = sender.try_send(Command::Stop);
        }
    }

    /// Makes every active call hang up, and waits at most `timeout` until all have ended.
    pub async fn hang_up_all(&self, timeout: Duration) {
        let senders: Vec<_> = self.lock().calls.values().cloned().collect();
        for sender in senders {
            // Fails only for a call that ended meanwhile.
            let _ended = sender.try_send(Command::Stop);
        }
        self.all_ended(timeout).await;
    }

    /// Waits at most `timeout` until no call is active. The future holds no reference to the calls' state.
    pub fn all_ended(&self, timeout: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut count = self.count.subscribe();
        async move {
            let _elapsed = tokio::time::timeout(timeout, count.wait_for(|count| *count == 0)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CallSlot<'_> {
    fn drop(&mut self) {
        let mut state = self.active_calls.lock();
        state.calls.remove(&self.id);
        if let Entry::Occupied(mut count) = state.per_customer.entry(self.customer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        drop(state);
        self.active_calls.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(from: usize, count: usize) -> Vec<Uuid> {
        (from..from + count).map(|number| Uuid::from_u128(number as u128)).collect()
    }

    const OWNER: Uuid = Uuid::from_u128(1 << 64);
    const OTHER: Uuid = Uuid::from_u128(2 << 64);

    #[test]
    fn calls_have_slots_up_to_the_limit_and_not_one_more() {
        let active_calls = ActiveCalls::new(200, 200);
        let mut slots = Vec::new();
        let mut reserve = |from, count| {
            let ids = ids(from, count);
            let receivers = active_calls.reserve(OWNER, &ids)?;
            slots.extend(
                ids.into_iter().zip(receivers).map(|(id, commands)| active_calls.slot(OWNER, id, commands)),
            );
            Ok(())
        };
        reserve(0, 100).unwrap();
        reserve(100, 99).unwrap();
        // Calls that are placed together get all of their slots or none.
        assert_eq!((reserve(300, 2), reserve(199, 1)), (Err(NoCapacity::OfCustomer), Ok(())));
        assert_eq!(active_calls.reserve(OTHER, &ids(200, 1)).err(), Some(NoCapacity::OfPlatform));
        slots.truncate(198);
        assert_eq!(active_calls.reserve(OTHER, &ids(200, 3)).err(), Some(NoCapacity::OfPlatform));
        assert_eq!(active_calls.reserve(OTHER, &ids(200, 2)).map(|receivers| receivers.len()), Ok(2));
    }

    #[test]
    fn one_customer_is_limited_and_leaves_the_rest_to_others() {
        let active_calls = ActiveCalls::new(200, 50);
        let ids = |from, count| ids(from, count);
        let held = active_calls.reserve(OWNER, &ids(0, 50)).unwrap();
        assert_eq!(active_calls.reserve(OWNER, &ids(50, 1)).err(), Some(NoCapacity::OfCustomer));
        assert_eq!(active_calls.reserve(OTHER, &ids(50, 51)).err(), Some(NoCapacity::OfCustomer));
        assert!(active_calls.reserve(OTHER, &ids(50, 50)).is_ok());
        let mut held: Vec<_> = ids(0, 50)
            .into_iter()
            .zip(held)
            .map(|(id, commands)| active_calls.slot(OWNER, id, commands))
            .collect();
        held.truncate(49);
        assert!(active_calls.reserve(OWNER, &ids(100, 1)).is_ok());
        drop(held);
        assert_eq!(active_calls.lock().per_customer.get(&OWNER), Some(&1));
    }

    #[test]
    fn what_is_reserved_while_everything_stops_hangs_up_at_once() {
        let active_calls = ActiveCalls::new(2, 2);
        let mut before = active_calls.reserve(OWNER, &ids(1, 1)).unwrap();
        active_calls.abandon();
        let mut after = active_calls.reserve(OWNER, &ids(2, 1)).unwrap();
        for receiver in before.iter_mut().chain(&mut after) {
            assert!(matches!(receiver.try_recv(), Some(Command::Stop)));
        }
    }
}
