//! The calls that are not over, and who must hear what is asked of them.
//!
//! A call has one task, which alone writes it: what somebody asks of a call that is not over goes to its task.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::api::Answered;
use service_base::mailbox::{Receiver, Sender, mailbox};

/// What is asked of a call.
pub enum Command {
    /// Hang up. The call is answered as it is then.
    HangUp(oneshot::Sender<Answered>),
    /// Hang up, and delete it.
    Delete(oneshot::Sender<Answered>),
    /// Hang up: the server stops.
    Stop,
}

/// All calls that are not over: so many in all, and so many of one customer, so that nobody's calls keep out those of
/// the others.
pub struct LiveCalls {
    most: usize,
    of_one: usize,
    state: Mutex<State>,
    count: watch::Sender<usize>,
    /// Whether the server stops: what is announced now hangs up at once.
    stopping: AtomicBool,
}

#[derive(Default)]
struct State {
    calls: HashMap<Uuid, Sender<Command>>,
    /// How many each customer has.
    of_customers: HashMap<Uuid, usize>,
}

/// There is no room for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// There are as many as there may be.
    All,
    /// Their customer has as many as it may have.
    OfCustomer,
}

/// A call's place among them, which it leaves when this is dropped.
pub struct Place<'a> {
    live: &'a LiveCalls,
    customer: Uuid,
    id: Uuid,
    pub commands: Receiver<Command>,
}

impl LiveCalls {
    /// With room for so many calls, and for so many of one customer.
    pub fn new(most: usize, of_one: usize) -> Self {
        let (state, count) = (Mutex::default(), watch::Sender::new(0));
        Self { most, of_one, state, count, stopping: AtomicBool::new(false) }
    }

    /// Most calls of one customer.
    pub fn of_one(&self) -> usize {
        self.of_one
    }

    /// Makes room for a customer's calls before anybody hears of them. Their tasks take the receivers.
    ///
    /// # Errors
    /// When there is not room for all of them.
    pub fn announce(&self, customer: Uuid, ids: &[Uuid]) -> Result<Vec<Receiver<Command>>, NoRoom> {
        let mut state = self.lock();
        let own = state.of_customers.get(&customer).copied().unwrap_or_default();
        if ids.len() > self.of_one.saturating_sub(own) {
            return Err(NoRoom::OfCustomer);
        }
        let fits = self.count.send_if_modified(|count| {
            let fits = ids.len() <= self.most.saturating_sub(*count);
            *count += if fits { ids.len() } else { 0 };
            fits
        });
        if !fits && !ids.is_empty() {
            return Err(NoRoom::All);
        }
        state.of_customers.insert(customer, own + ids.len());
        let announce = |id: &Uuid| {
            // Whoever asks waits for an answer, so no more is in it than requests are under way.
            let (sender, receiver) = mailbox(usize::MAX);
            if self.stopping.load(Ordering::Relaxed) {
                // Nobody else has it yet: there is room, and a reader.
                let _read = sender.try_send(Command::Stop);
            }
            state.calls.insert(*id, sender);
            receiver
        };
        Ok(ids.iter().map(announce).collect())
    }

    /// A call's place, given back when it is over.
    pub fn place(&self, customer: Uuid, id: Uuid, commands: Receiver<Command>) -> Place<'_> {
        Place { live: self, customer, id, commands }
    }

    /// Asks something of a call; none when it is over.
    pub async fn ask(
        &self,
        id: Uuid,
        command: impl FnOnce(oneshot::Sender<Answered>) -> Command,
    ) -> Option<Answered> {
        let sender = self.lock().calls.get(&id).cloned()?;
        let (reply, answer) = oneshot::channel();
        sender.try_send(command(reply)).ok()?;
        answer.await.ok()
    }

    /// Has every call hang up, also those that are placed from now on, and waits for that.
    pub async fn stop(&self, most: Duration) {
        self.abandon();
        self.hang_up_all(most).await;
    }

    /// Has every call hang up, also those that are placed from now on.
    pub fn abandon(&self) {
        let state = self.lock();
        self.stopping.store(true, Ordering::Relaxed);
        for sender in state.calls.values() {
            let _over = sender.try_send(Command::Stop);
        }
    }

    /// Has every call hang up that is there, and waits for that.
    pub async fn hang_up_all(&self, most: Duration) {
        let senders: Vec<_> = self.lock().calls.values().cloned().collect();
        for sender in senders {
            // One that is over meanwhile need not hear of it.
            let _over = sender.try_send(Command::Stop);
        }
        self.over(most).await;
    }

    /// Waits until there is none any more, at most this long. It holds nothing of what the calls hold.
    pub fn over(&self, most: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut count = self.count.subscribe();
        async move {
            let _late = tokio::time::timeout(most, count.wait_for(|count| *count == 0)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        state.calls.remove(&self.id);
        if let Entry::Occupied(mut count) = state.of_customers.entry(self.customer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        drop(state);
        self.live.count.send_modify(|count| *count -= 1);
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
    fn calls_have_places_up_to_the_bound_and_not_one_more() {
        let live = LiveCalls::new(200, 200);
        let mut places = Vec::new();
        let mut place = |from, count| {
            let ids = ids(from, count);
            let receivers = live.announce(OWNER, &ids)?;
            places
                .extend(ids.into_iter().zip(receivers).map(|(id, commands)| live.place(OWNER, id, commands)));
            Ok(())
        };
        place(0, 100).unwrap();
        place(100, 99).unwrap();
        // Of calls that are placed together all have a place or none.
        assert_eq!((place(300, 2), place(199, 1)), (Err(NoRoom::OfCustomer), Ok(())));
        assert_eq!(live.announce(OTHER, &ids(200, 1)).err(), Some(NoRoom::All));
        places.truncate(198);
        assert_eq!(live.announce(OTHER, &ids(200, 3)).err(), Some(NoRoom::All));
        assert_eq!(live.announce(OTHER, &ids(200, 2)).map(|receivers| receivers.len()), Ok(2));
    }

    #[test]
    fn one_customer_has_its_share_and_leaves_the_rest_to_others() {
        let live = LiveCalls::new(200, 50);
        let ids = |from, count| ids(from, count);
        let held = live.announce(OWNER, &ids(0, 50)).unwrap();
        assert_eq!(live.announce(OWNER, &ids(50, 1)).err(), Some(NoRoom::OfCustomer));
        assert_eq!(live.announce(OTHER, &ids(50, 51)).err(), Some(NoRoom::OfCustomer));
        assert!(live.announce(OTHER, &ids(50, 50)).is_ok());
        let mut held: Vec<_> =
            ids(0, 50).into_iter().zip(held).map(|(id, commands)| live.place(OWNER, id, commands)).collect();
        held.truncate(49);
        assert!(live.announce(OWNER, &ids(100, 1)).is_ok());
        drop(held);
        assert_eq!(live.lock().of_customers.get(&OWNER), Some(&1));
    }

    #[test]
    fn what_is_announced_while_everything_stops_hangs_up_at_once() {
        let live = LiveCalls::new(2, 2);
        let mut before = live.announce(OWNER, &ids(1, 1)).unwrap();
        live.abandon();
        let mut after = live.announce(OWNER, &ids(2, 1)).unwrap();
        for receiver in before.iter_mut().chain(&mut after) {
            assert!(matches!(receiver.try_recv(), Some(Command::Stop)));
        }
    }
}
