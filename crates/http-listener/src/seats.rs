//! The connections of a listener: who has one, and who gives one up when there is no room.
//!
//! The accept loop alone owns the table, so nothing is locked; what a connection does meanwhile is one atomic word that
//! both see. A connection that never completed the head of a request is half open. Half-open ones cost their sender
//! next to nothing, so they are what makes room: the oldest goes first, and the fuller the table, the less time each
//! has. A connection that was served goes only when it has asked nothing for a while and none is half open. One that
//! is being served never goes. The table holds [`Most::all`] connections, its queues at most twice as many entries.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, Id};

use service_base::descriptors::Permit;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub all: usize,
    pub of_one: usize,
}

/// How long a connection that was served may be idle before it can be made to give up its place.
const SPARED: Duration = Duration::from_secs(5);
/// The time between two searches for one of those: a search looks at every connection.
const SEARCH: Duration = Duration::from_millis(100);

/// What a connection does, as the accept loop and the connection itself see it.
#[derive(Debug, Default)]
pub(crate) struct Seat(AtomicU64);

const HALF_OPEN: u64 = 0;
const BUSY: u64 = 1;
const GONE: u64 = 2;
/// From here on: since when it is idle, in milliseconds.
const IDLE: u64 = 3;

impl Seat {
    /// A request's head is complete; returns whether the connection may still serve it.
    pub(crate) fn begin(&self) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != GONE).then_some(BUSY))
            .is_ok()
    }

    /// The request is answered.
    pub(crate) fn end(&self, now: Duration) {
        self.0.store(IDLE.saturating_add(millis(now)), Ordering::Release);
    }

    fn is_half_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == HALF_OPEN
    }

    fn idle_since(&self) -> Option<u64> {
        self.0.load(Ordering::Acquire).checked_sub(IDLE)
    }

    /// Whether it is gone now, and was in this state until now.
    fn leave(&self, state: u64) -> bool {
        self.0.compare_exchange(state, GONE, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A connection in the table.
#[derive(Debug)]
struct Taken {
    seat: Arc<Seat>,
    task: AbortHandle,
    since: Duration,
    /// Whose places it counts among; none for a proxy, which has many clients.
    origin: Option<IpAddr>,
    permit: Permit,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct OfOne {
    count: usize,
    half_open: VecDeque<Id>,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Seats {
    most: Most,
    /// Longest time that a connection may be half open while there is plenty of room.
    patience: Duration,
    taken: HashMap<Id, Taken>,
    of_one: HashMap<IpAddr, OfOne>,
    /// In the order in which they came; some are something else by now.
    half_open: VecDeque<Id>,
    searched: Option<Duration>,
}

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    All,
    OfOne,
}

/// Room for one connection.
#[derive(Debug)]
pub(crate) struct Room {
    origin: Option<IpAddr>,
    /// That of the connection that made room.
    pub permit: Option<Permit>,
}

impl Seats {
    pub(crate) fn new(most: Most, patience: Duration) -> Self {
        let (taken, of_one, half_open) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Self { most, patience, taken, of_one, half_open, searched: None }
    }

    /// Room for a connection of this origin, if need be in place of another one.
    ///
    /// # Errors
    /// When nobody can make room.
    pub(crate) fn room(&mut self, origin: Option<IpAddr>, now: Duration) -> Result<Room, Full> {
        self.hurry(now);
        let mut permit = None;
        let of_one =
            |seats: &Self| origin.and_then(|origin| seats.of_one.get(&origin)).map_or(0, |one| one.count);
        if of_one(self) >= self.most.of_one {
            permit = Some(self.push_out_of(origin).ok_or(Full::OfOne)?);
        }
        if self.taken.len() >= self.most.all {
            permit = Some(self.push_out(now).ok_or(Full::All)?);
        }
        Ok(Room { origin, permit })
    }

    /// Frees a descriptor for a connection that found a place and no descriptor.
    pub(crate) fn permit(&mut self, now: Duration) -> Option<Permit> {
        self.push_out(now)
    }

    /// Takes a place that there is room for.
    pub(crate) fn take(
        &mut self,
        room: &Room,
        permit: Permit,
        seat: Arc<Seat>,
        task: AbortHandle,
        now: Duration,
    ) {
        let (id, origin) = (task.id(), room.origin);
        self.half_open.push_back(id);
        if let Some(origin) = origin {
            let one = self.of_one.entry(origin).or_default();
            one.count += 1;
            one.half_open.push_back(id);
        }
        self.taken.insert(id, Taken { seat, task, since: now, origin, permit });
        self.tidy(origin);
    }

    /// A connection is over.
    pub(crate) fn leave(&mut self, id: Id) -> Option<Permit> {
        let Taken { origin, permit, .. } = self.taken.remove(&id)?;
        if let Some(origin) = origin
            && let Some(one) = self.of_one.get_mut(&origin)
        {
            one.count -= 1;
            if one.count == 0 {
                self.of_one.remove(&origin);
            }
        }
        Some(permit)
    }

    /// How long a connection may be half open, as full as the table is.
    fn patience(&self) -> Option<Duration> {
        let of_8 = self.taken.len() * 8 / self.most.all.max(1);
        match of_8 {
            0..4 => None,
            4..6 => Some(self.patience),
            6..7 => Some(self.patience / 4),
            _ => Some(self.patience / 10),
        }
    }

    /// Hangs up on those that are half open for too long.
    fn hurry(&mut self, now: Duration) {
        let Some(patience) = self.patience() else { return };
        while let Some(id) = self.half_open.front().copied() {
            let late = self.taken.get(&id).is_none_or(|taken| now.saturating_sub(taken.since) >= patience);
            if !late {
                return;
            }
            self.half_open.pop_front();
            drop(self.evict(id));
        }
    }

    /// Has one of this origin's half-open connections make room, the oldest.
    fn push_out_of(&mut self, origin: Option<IpAddr>) -> Option<Permit> {
        loop {
            let id = self.of_one.get_mut(&origin?)?.half_open.pop_front()?;
            if let Some(permit) = self.evict(id) {
                return Some(permit);
            }
        }
    }

    /// Has a half-open connection make room, the oldest, or else the one that is idle for the longest time.
    fn push_out(&mut self, now: Duration) -> Option<Permit> {
        while let Some(id) = self.half_open.pop_front() {
            if let Some(permit) = self.evict(id) {
                return Some(permit);
            }
        }
        if self.searched.is_some_and(|searched| now.saturating_sub(searched) < SEARCH) {
            return None;
        }
        self.searched = Some(now);
        let idle = self.taken.iter().filter_map(|(id, taken)| Some((taken.seat.idle_since()?, *id)));
        let (since, id) = idle.min_by_key(|(since, _)| *since)?;
        if millis(now).saturating_sub(since) < millis(SPARED) {
            return None;
        }
        // The next one may be as idle.
        self.searched = None;
        let Taken { seat, task, .. } = self.taken.get(&id)?;
        if !seat.leave(IDLE.saturating_add(since)) {
            return None;
        }
        task.abort();
        self.leave(id)
    }

    /// Hangs up on a connection if it is half open.
    fn evict(&mut self, id: Id) -> Option<Permit> {
        let Taken { seat, task, .. } = self.taken.get(&id)?;
        if !seat.leave(HALF_OPEN) {
            return None;
        }
        task.abort();
        self.leave(id)
    }

    /// Forgets what is half open no more, before the queues are longer than the table.
    fn tidy(&mut self, origin: Option<IpAddr>) {
        let taken = &self.taken;
        let waits = |id: &Id| taken.get(id).is_some_and(|taken| taken.seat.is_half_open());
        if self.half_open.len() > self.most.all.saturating_mul(2) {
            self.half_open.retain(waits);
        }
        if let Some(one) = origin.and_then(|origin| self.of_one.get_mut(&origin))
            && one.half_open.len() > one.count.saturating_mul(2) + 16
        {
            one.half_open.retain(waits);
        }
    }
}
