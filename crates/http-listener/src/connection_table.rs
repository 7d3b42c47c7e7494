//! The connections of a listener, and which of them is closed when there is no room for a new one.
//!
//! Only the accept loop uses the table, so it needs no lock. Each connection shares its state with the table
//! in one atomic number. A connection that has never completed the head of a request is half open. Half-open
//! connections cost a client almost nothing, so they are closed first, the oldest one before the others, and
//! the fuller the table, the shorter they may stay half open. If no connection is half open, one that has been idle
//! for a while is closed, or else one on which the body of each request in progress has been awaited for a while, as
//! `service_base::making_room` describes: no handler acts on a body that has not arrived. A connection with another
//! request in progress is never closed. The table holds up to [`ConnectionLimits::total`] connections, and its
//! queues hold up to twice as many entries.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use service_base::descriptors::Permit;
use service_base::making_room::{Candidate, RoomSearch};
use tokio::task::{AbortHandle, Id};

use crate::timed_stream::Progress;

/// The maximum numbers of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    pub total: usize,
    pub per_origin: usize,
}

/// The state of a connection, which the accept loop and the connection's task share.
#[derive(Debug, Default)]
pub(crate) struct ConnectionState {
    stage: AtomicU64,
    pub(crate) progress: Arc<Progress>,
}

pub(crate) const HALF_OPEN: u64 = 0;
const BUSY: u64 = 1;
const EVICTED: u64 = 2;
/// This value and greater ones below [`AWAITED`] mean idle. The difference is the time of the last response, in
/// milliseconds of the stopwatch.
const IDLE: u64 = 3;
/// This value and greater ones mean that the bodies of all requests in progress are awaited. The difference is the time
/// since when.
const AWAITED: u64 = 1 << 63;

impl ConnectionState {
    /// Records that a request's head is complete. Returns false if the connection was evicted.
    pub(crate) fn start_request(&self) -> bool {
        self.stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != EVICTED).then_some(BUSY))
            .is_ok()
    }

    /// Records that the response is ready. The connection is idle then.
    pub(crate) fn end_request(&self, now: Duration) {
        let idle = IDLE.saturating_add(millis(now));
        let _evicted = self
            .stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != EVICTED).then_some(idle));
    }

    /// Records that the bodies of all requests in progress are awaited, and since when.
    pub(crate) fn await_body(&self, since: Duration) {
        let awaited = AWAITED.saturating_add(millis(since));
        let _otherwise = self.stage.compare_exchange(BUSY, awaited, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Records that a body is awaited no longer. Returns false if the connection was evicted.
    pub(crate) fn resume(&self) -> bool {
        let resumed = self
            .stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state >= AWAITED).then_some(BUSY));
        resumed != Err(EVICTED)
    }

    fn is_half_open(&self) -> bool {
        self.stage.load(Ordering::Acquire) == HALF_OPEN
    }

    /// Since when the connection has been waiting for its client; `None` if it does not, or is half open.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        let state = self.stage.load(Ordering::Acquire);
        let is_for_body = state >= AWAITED;
        let since = state.checked_sub(if is_for_body { AWAITED } else { IDLE })?;
        Some(Waiting { state, is_for_body, since: Duration::from_millis(since) })
    }

    /// Whether a response is being sent that takes long: its head makes the connection idle.
    fn is_sending(&self) -> bool {
        self.progress.unwritten.load(Ordering::Relaxed) || self.progress.streaming.load(Ordering::Relaxed)
    }

    /// Marks the connection as evicted if it is still in this state, and returns whether it did.
    pub(crate) fn evict_if(&self, state: u64) -> bool {
        self.stage.compare_exchange(state, EVICTED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// A connection that waits for its client: for the bodies of its requests, or for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The value of its state.
    state: u64,
    pub(crate) is_for_body: bool,
    since: Duration,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A connection in the table.
#[derive(Debug)]
struct Connection {
    state: Arc<ConnectionState>,
    task: AbortHandle,
    /// When it was accepted, as a reading of the stopwatch.
    accepted_at: Duration,
    /// The network that it counts against. `None` for a trusted proxy, which has many clients.
    origin: Option<IpAddr>,
    permit: Permit,
}

/// The connections of one origin: an IPv4 address, or a /64 of IPv6.
#[derive(Debug, Default)]
struct Origin {
    count: usize,
    /// As [`ConnectionTable::half_open`], for this origin alone.
    half_open: VecDeque<Id>,
}

/// The table of a listener's connections.
#[derive(Debug)]
pub(crate) struct ConnectionTable {
    limits: ConnectionLimits,
    /// The longest time that a connection may be half open while the table is half full or less.
    half_open_deadline: Duration,
    connections: HashMap<Id, Connection>,
    origins: HashMap<IpAddr, Origin>,
    /// Connections that were half open when they were added, the oldest first. Some have changed since.
    half_open: VecDeque<Id>,
    /// The searches for a connection that waits for its client.
    search: RoomSearch,
}

/// Which limit leaves no room for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Total,
    PerOrigin,
}

/// Room for one connection of an origin.
#[derive(Debug)]
pub(crate) struct Room {
    origin: Option<IpAddr>,
    /// The descriptor of the connection that was evicted to make room, if one was.
    pub permit: Option<Permit>,
}

impl ConnectionTable {
    pub(crate) fn new(limits: ConnectionLimits, half_open_deadline: Duration) -> Self {
        let (connections, origins, half_open) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Self { limits, half_open_deadline, connections, origins, half_open, search: RoomSearch::default() }
    }

    /// Makes room for a connection of this origin, if necessary by evicting another one.
    ///
    /// # Errors
    /// The limit that is reached, if no connection can be evicted.
    pub(crate) fn make_room(&mut self, origin: Option<IpAddr>, now: Duration) -> Result<Room, Full> {
        self.evict_overdue(now);
        let mut permit = None;
        if self.count_of(origin) >= self.limits.per_origin {
            permit = Some(self.evict_half_open_of(origin).ok_or(Full::PerOrigin)?);
        }
        if self.connections.len() >= self.limits.total {
            permit = Some(self.evict_any(origin, now).ok_or(Full::Total)?);
        }
        Ok(Room { origin, permit })
    }

    /// Evicts a connection so that a new one can have its descriptor. `None` if no connection can be evicted.
    pub(crate) fn evict_for_descriptor(&mut self, room: &Room, now: Duration) -> Option<Permit> {
        self.evict_any(room.origin, now)
    }

    /// The number of connections of an origin. A trusted proxy's are not counted.
    fn count_of(&self, origin: Option<IpAddr>) -> usize {
        origin.and_then(|origin| self.origins.get(&origin)).map_or(0, |origin| origin.count)
    }

    /// Adds a connection for which room was made.
    pub(crate) fn insert(
        &mut self,
        room: &Room,
        permit: Permit,
        state: Arc<ConnectionState>,
        task: AbortHandle,
        now: Duration,
    ) {
        let (id, origin) = (task.id(), room.origin);
        self.half_open.push_back(id);
        if let Some(origin) = origin {
            let entry = self.origins.entry(origin).or_default();
            entry.count += 1;
            entry.half_open.push_back(id);
        }
        self.connections.insert(id, Connection { state, task, accepted_at: now, origin, permit });
        self.compact_queues(origin);
    }

    /// Removes a connection that has ended, and returns its descriptor. `None` if it was evicted before.
    pub(crate) fn remove(&mut self, id: Id) -> Option<Permit> {
        let Connection { origin, permit, .. } = self.connections.remove(&id)?;
        if let Some(origin) = origin
            && let Some(entry) = self.origins.get_mut(&origin)
        {
            entry.count -= 1;
            if entry.count == 0 {
                self.origins.remove(&origin);
            }
        }
        Some(permit)
    }

    /// How long a connection may be half open while the table is this full. `None` if the table is less than
    /// half full: then only the connection's own deadline applies.
    fn current_half_open_deadline(&self) -> Option<Duration> {
        let eighths = self.connections.len() * 8 / self.limits.total.max(1);
        match eighths {
            0..4 => None,
            4..6 => Some(self.half_open_deadline),
            6..7 => Some(self.half_open_deadline / 4),
            _ => Some(self.half_open_deadline / 10),
        }
    }

    /// Evicts the connections that have been half open for too long.
    fn evict_overdue(&mut self, now: Duration) {
        let Some(deadline) = self.current_half_open_deadline() else { return };
        while let Some(id) = self.half_open.front().copied() {
            let is_overdue = self
                .connections
                .get(&id)
                .is_none_or(|connection| now.saturating_sub(connection.accepted_at) >= deadline);
            if !is_overdue {
                return;
            }
            self.half_open.pop_front();
            drop(self.evict_half_open(id));
        }
    }

    /// Evicts the oldest half-open connection of an origin.
    fn evict_half_open_of(&mut self, origin: Option<IpAddr>) -> Option<Permit> {
        loop {
            let id = self.origins.get_mut(&origin?)?.half_open.pop_front()?;
            if let Some(permit) = self.evict_half_open(id) {
                return Some(permit);
            }
        }
    }

    /// Evicts the oldest half-open connection, or else one that waits for its client, for a new connection of this
    /// origin.
    fn evict_any(&mut self, origin: Option<IpAddr>, now: Duration) -> Option<Permit> {
        while let Some(id) = self.half_open.pop_front() {
            if let Some(permit) = self.evict_half_open(id) {
                return Some(permit);
            }
        }
        let of_newcomer = self.count_of(origin);
        let Self { connections, origins, search, .. } = self;
        let candidates = connections.iter().filter_map(|(id, connection)| {
            let Waiting { state, is_for_body, since } = connection.state.waiting()?;
            // A response that is being sent is not cut sooner because its origin has many.
            let is_counted = is_for_body || !connection.state.is_sending();
            let holder = connection.origin.filter(|_| is_counted).and_then(|origin| origins.get(&origin));
            let of_holder = holder.map_or(0, |holder| holder.count);
            Some(Candidate { key: (*id, state), since, is_missed: is_for_body, of_holder })
        });
        let (id, waiting) = search.find(of_newcomer, now, candidates)?;
        let Connection { state, task, .. } = self.connections.get(&id)?;
        if !state.evict_if(waiting) {
            return None;
        }
        task.abort();
        self.remove(id)
    }

    /// Evicts a connection if it is still half open.
    fn evict_half_open(&mut self, id: Id) -> Option<Permit> {
        let Connection { state, task, .. } = self.connections.get(&id)?;
        if !state.evict_if(HALF_OPEN) {
            return None;
        }
        task.abort();
        self.remove(id)
    }

    /// Removes entries that are no longer half open from queues that have grown too long.
    fn compact_queues(&mut self, origin: Option<IpAddr>) {
        let connections = &self.connections;
        let is_half_open =
            |id: &Id| connections.get(id).is_some_and(|connection| connection.state.is_half_open());
        if self.half_open.len() > self.limits.total.saturating_mul(2) {
            self.half_open.retain(is_half_open);
        }
        if let Some(entry) = origin.and_then(|origin| self.origins.get_mut(&origin))
            && entry.half_open.len() > entry.count.saturating_mul(2) + 16
        {
            entry.half_open.retain(is_half_open);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use service_base::descriptors::{Descriptors, Share};

    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits { total: 40, per_origin: 20 };

    fn at(time: u64) -> Duration {
        Duration::from_secs(100) + Duration::from_millis(time)
    }

    fn origin(number: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, number).into()
    }

    /// Accepts a connection of an origin if there is room, and returns its state, busy.
    fn accept(table: &mut ConnectionTable, number: u8, now: Duration) -> Result<Arc<ConnectionState>, Full> {
        let mut room = table.make_room(Some(origin(number)), now)?;
        let permit = room.permit.take();
        let permit = permit.unwrap_or_else(|| Descriptors::new(1_024).take(Share::Api).unwrap());
        let (state, task) = (Arc::<ConnectionState>::default(), tokio::spawn(std::future::pending::<()>()));
        table.insert(&room, permit, Arc::clone(&state), task.abort_handle(), now);
        assert!(state.start_request());
        Ok(state)
    }

    #[tokio::test]
    async fn origins_with_many_connections_in_use_do_not_keep_out_another() {
        let mut table = ConnectionTable::new(LIMITS, Duration::from_secs(10));
        let held: Vec<_> =
            (0..40).map(|number| accept(&mut table, 1 + number / 20, at(0)).unwrap()).collect();
        assert_eq!(accept(&mut table, 3, at(1_000)).err(), Some(Full::Total));
        for state in &held {
            state.end_request(at(1_000));
        }
        assert_eq!(accept(&mut table, 3, at(1_400)).err(), Some(Full::Total));
        let of_other: Vec<_> = (0..20).map_while(|_| accept(&mut table, 3, at(1_600)).ok()).collect();
        assert!((1..20).contains(&of_other.len()));
        assert!(accept(&mut table, 1, at(1_800)).is_err());
        // One that has been idle for long makes room for any other.
        assert!(accept(&mut table, 3, at(6_100)).is_ok());
    }

    #[tokio::test]
    async fn searches_for_origins_with_many_connections_do_not_keep_out_another() {
        let mut table = ConnectionTable::new(LIMITS, Duration::from_secs(10));
        let numbers = (0..40).map(|number| if number < 20 { 1 } else { 2 + number / 39 });
        let held: Vec<_> = numbers.map(|number| accept(&mut table, number, at(0)).unwrap()).collect();
        for state in &held {
            state.end_request(at(0));
        }
        assert_eq!(accept(&mut table, 2, at(600)).err(), Some(Full::Total), "it has 19");
        assert!(accept(&mut table, 4, at(610)).is_ok());
    }

    #[tokio::test]
    async fn a_response_that_is_being_sent_is_not_cut_for_a_connection_of_another_origin_soon() {
        let mut table = ConnectionTable::new(LIMITS, Duration::from_secs(10));
        let held: Vec<_> =
            (0..40).map(|number| accept(&mut table, 1 + number / 20, at(0)).unwrap()).collect();
        for (number, state) in held.iter().enumerate() {
            let progress = &state.progress;
            let lasting = if number.is_multiple_of(2) { &progress.unwritten } else { &progress.streaming };
            lasting.store(true, Ordering::Relaxed);
            state.end_request(at(0));
        }
        assert_eq!(accept(&mut table, 3, at(1_000)).err(), Some(Full::Total));
        held[7].progress.streaming.store(false, Ordering::Relaxed);
        assert!(accept(&mut table, 3, at(2_000)).is_ok());
        assert!(!held[7].start_request(), "it was that one");
    }

    #[tokio::test]
    async fn origins_with_many_bodies_that_arrive_slowly_do_not_keep_out_another() {
        let mut table = ConnectionTable::new(LIMITS, Duration::from_secs(10));
        let held: Vec<_> =
            (0..40).map(|number| accept(&mut table, 1 + number / 20, at(0)).unwrap()).collect();
        for (number, state) in held.iter().enumerate() {
            state.await_body(at(if number == 7 { 0 } else { 100 }));
        }
        // One whose body has arrived is busy again, for whatever time.
        assert!(held[30].resume());
        assert_eq!(accept(&mut table, 3, at(400)).err(), Some(Full::Total));
        assert!(accept(&mut table, 3, at(700)).is_ok());
        let evicted = held.iter().position(|state| state.stage.load(Ordering::Acquire) == EVICTED);
        assert_eq!(evicted, Some(7), "the oldest goes first");
        held[7].end_request(at(700));
        assert!(!held[7].resume() && !held[7].start_request(), "it stays evicted");
        let others: Vec<_> = (0..20).map_while(|_| accept(&mut table, 3, at(800)).ok()).collect();
        assert!((1..20).contains(&others.len()));
        assert!(accept(&mut table, 1, at(900)).is_err(), "no origin has more than its own");
        assert!(held[30].start_request(), "a request in progress is not evicted");
    }
}
