//! The connections of a listener, and which of them is closed when there is no room for a new one.
//!
//! Only the accept loop uses the table, so it needs no lock. Each connection shares its state with the table
//! in one atomic number. A connection that has never completed the head of a request is half open. Half-open
//! connections cost a client almost nothing, so they are closed first, the oldest one before the others, and
//! the fuller the table, the shorter they may stay half open. A connection that has served a request is
//! closed only if it has been idle for a while and no connection is half open. That is a short while for one of
//! an origin with many more connections than that of the new one, unless it is still sending a response: a few clients
//! that keep theirs in use do not keep out the others. A connection with a request in progress is never closed. The
//! table holds up to [`ConnectionLimits::total`] connections, and its queues hold up to twice as many entries.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use service_base::descriptors::Permit;
use tokio::task::{AbortHandle, Id};

use crate::timed_stream::Progress;

/// The maximum numbers of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    pub total: usize,
    pub per_origin: usize,
}

/// A connection that has served a request can be evicted after this time without another.
const MIN_IDLE_TIME: Duration = Duration::from_secs(5);
/// As [`MIN_IDLE_TIME`], if its origin has [`MANY_MORE`] connections more than that of the new one.
const MIN_IDLE_TIME_OF_MANY: Duration = Duration::from_millis(500);
const MANY_MORE: usize = 16;
/// The time between two searches for an idle connection that found none. A search visits every connection. A new
/// connection of an origin with far fewer connections than that of the last search does not wait for it.
const IDLE_SEARCH_INTERVAL: Duration = Duration::from_millis(100);

/// The state of a connection, which the accept loop and the connection's task share.
#[derive(Debug, Default)]
pub(crate) struct ConnectionState {
    stage: AtomicU64,
    pub(crate) progress: Arc<Progress>,
}

pub(crate) const HALF_OPEN: u64 = 0;
const BUSY: u64 = 1;
const EVICTED: u64 = 2;
/// This value and greater ones mean idle. The difference is the time of the last response, in milliseconds of
/// the stopwatch.
const IDLE: u64 = 3;

impl ConnectionState {
    /// Records that a request's head is complete. Returns false if the connection was evicted.
    pub(crate) fn start_request(&self) -> bool {
        self.stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != EVICTED).then_some(BUSY))
            .is_ok()
    }

    /// Records that the response is ready. The connection is idle then.
    pub(crate) fn end_request(&self, now: Duration) {
        self.stage.store(IDLE.saturating_add(millis(now)), Ordering::Release);
    }

    fn is_half_open(&self) -> bool {
        self.stage.load(Ordering::Acquire) == HALF_OPEN
    }

    pub(crate) fn idle_since(&self) -> Option<u64> {
        self.stage.load(Ordering::Acquire).checked_sub(IDLE)
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
    /// When the last search found no idle connection to evict, and how many connections an origin had to have to lose
    /// one sooner.
    searched: Option<(Duration, usize)>,
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
        Self { limits, half_open_deadline, connections, origins, half_open, searched: None }
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

    /// Evicts the oldest half-open connection, or else the one that has been idle for the longest time, for a new
    /// connection of this origin.
    fn evict_any(&mut self, origin: Option<IpAddr>, now: Duration) -> Option<Permit> {
        while let Some(id) = self.half_open.pop_front() {
            if let Some(permit) = self.evict_half_open(id) {
                return Some(permit);
            }
        }
        let many = self.count_of(origin).saturating_add(MANY_MORE);
        // Each search of an interval is for at most half as many as the one before, so there are few.
        let is_known = |(at, least): (Duration, usize)| {
            now.saturating_sub(at) < IDLE_SEARCH_INTERVAL && many > least / 2
        };
        if self.searched.is_some_and(is_known) {
            return None;
        }
        self.searched = Some((now, many));
        let is_of_many = |connection: &Connection| {
            !connection.state.is_sending() && self.count_of(connection.origin) >= many
        };
        let (since, id) = self
            .longest_idle(now, MIN_IDLE_TIME, |_| true)
            .or_else(|| self.longest_idle(now, MIN_IDLE_TIME_OF_MANY, is_of_many))?;
        // Another one may be idle for as long, so the next search need not wait.
        self.searched = None;
        let Connection { state, task, .. } = self.connections.get(&id)?;
        if !state.evict_if(IDLE.saturating_add(since)) {
            return None;
        }
        task.abort();
        self.remove(id)
    }

    /// The one of these connections that has been idle for the longest time, and since when, if that is long enough.
    fn longest_idle(
        &self,
        now: Duration,
        enough: Duration,
        is_meant: impl Fn(&Connection) -> bool,
    ) -> Option<(u64, Id)> {
        self.connections
            .iter()
            .filter(|(_, connection)| is_meant(connection))
            .filter_map(|(id, connection)| Some((connection.state.idle_since()?, *id)))
            .min_by_key(|(since, _)| *since)
            .filter(|(since, _)| millis(now).saturating_sub(*since) >= millis(enough))
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
}
