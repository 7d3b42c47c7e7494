//! A fair queue: it starts the jobs of many clients in round-robin order.
//!
//! A client with a thousand queued jobs delays the next job of another client by at most one job. The queue
//! only decides and counts. It neither waits nor runs jobs: its owner does that, and holds the queue in a
//! lock of its own.
//!
//! Bounded are the waiting jobs and the running jobs, in total and for each client. If the jobs of a few clients fill
//! the queue, others still have a place: a job of another client displaces the newest one of a client with more. A
//! client has an entry only while it has a waiting or running job.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The number of clients among which one with many jobs is searched if the queue is full. It bounds the work of a
/// [`push`](FairQueue::push).
const MAX_COMPARED: usize = 256;

/// The limits of a [`FairQueue`], in jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum number of jobs that wait.
    pub waiting: usize,
    /// The maximum number of waiting jobs of one client.
    pub waiting_of_one: usize,
    /// The maximum number of jobs that run at the same time.
    pub running: usize,
    /// The maximum number of running jobs of one client.
    pub running_of_one: usize,
}

/// The waiting jobs `T` of clients `K`, and the number of running ones.
#[derive(Debug)]
pub struct FairQueue<K, T> {
    bounds: Bounds,
    clients: HashMap<K, Client<T>>,
    /// Clients with waiting jobs, in the order of their turns.
    order: VecDeque<K>,
    waiting: usize,
    running: usize,
}

#[derive(Debug)]
struct Client<T> {
    waiting: VecDeque<T>,
    running: usize,
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// Creates a queue without clients, in which nothing waits or runs.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, clients: HashMap::new(), order: VecDeque::new(), waiting: 0, running: 0 }
    }

    /// Starts a job without queueing it, if its client is below its limit and one more running job is permitted.
    /// Returns whether it did; the job then counts as running until [`done`](Self::done).
    pub fn begin(&mut self, client: K) -> bool {
        let max = self.bounds.running_of_one;
        // While running jobs are below the limit, only jobs of clients at their own limit wait. So this
        // overtakes no job that could start now.
        let is_free =
            self.clients.get(&client).is_none_or(|entry| entry.running < max && entry.waiting.is_empty());
        let starts = is_free && max > 0 && self.running < self.bounds.running;
        if starts {
            let entry =
                self.clients.entry(client).or_insert_with(|| Client { waiting: VecDeque::new(), running: 0 });
            entry.running += 1;
            self.running += 1;
        }
        starts
    }

    /// Queues a job. If the maximum number of jobs waits already in total, it displaces the newest job of a client that
    /// has at least two more waiting ones, which is returned: its owner must be refused.
    ///
    /// # Errors
    /// The job itself, if the maximum number of jobs waits already, of this client, or in total and none can be
    /// displaced.
    pub fn push(&mut self, client: K, job: T) -> Result<Option<T>, T> {
        let queued = self.clients.get(&client).map_or(0, |client| client.waiting.len());
        if queued >= self.bounds.waiting_of_one {
            return Err(job);
        }
        let is_full = self.waiting >= self.bounds.waiting;
        let displaced = if is_full { self.displace(queued + 1) } else { None };
        if is_full && displaced.is_none() {
            return Err(job);
        }
        let entry =
            self.clients.entry(client).or_insert_with(|| Client { waiting: VecDeque::new(), running: 0 });
        if entry.waiting.is_empty() {
            self.order.push_back(client);
        }
        entry.waiting.push_back(job);
        self.waiting += 1;
        Ok(displaced)
    }

    /// Removes the newest waiting job of a client that has more than `most`, which is at least one. Of the clients
    /// whose turns are next, it is the one with the most jobs.
    fn displace(&mut self, most: usize) -> Option<T> {
        let lengths = self.order.iter().take(MAX_COMPARED).filter_map(|client| {
            let waiting = self.clients.get(client)?.waiting.len();
            (waiting > most).then_some((waiting, *client))
        });
        let (_, client) = lengths.max_by_key(|(waiting, _)| *waiting)?;
        let job = self.clients.get_mut(&client)?.waiting.pop_back()?;
        self.waiting -= 1;
        Some(job)
    }

    /// Takes the next job, which counts as running until [`done`](Self::done). Returns `None` if no job waits
    /// that may start now.
    pub fn begin_next(&mut self) -> Option<(K, T)> {
        if self.running >= self.bounds.running {
            return None;
        }
        let max = self.bounds.running_of_one;
        let may_start = |client: &K| self.clients.get(client).is_some_and(|client| client.running < max);
        let index = self.order.iter().position(may_start)?;
        let client = self.order.remove(index)?;
        let entry = self.clients.get_mut(&client)?;
        let job = entry.waiting.pop_front()?;
        entry.running += 1;
        if !entry.waiting.is_empty() {
            self.order.push_back(client);
        }
        self.waiting -= 1;
        self.running += 1;
        Some((client, job))
    }

    /// The number of waiting jobs of all clients.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The number of waiting jobs that may start now.
    pub fn startable(&self) -> usize {
        let max = self.bounds.running_of_one;
        let of_one = |client: &Client<T>| client.waiting.len().min(max.saturating_sub(client.running));
        let of_all: usize = self.clients.values().map(of_one).sum();
        of_all.min(self.bounds.running.saturating_sub(self.running))
    }

    /// The number of running jobs of all clients.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Records that a running job of a client has ended.
    pub fn done(&mut self, client: K) {
        self.running = self.running.saturating_sub(1);
        if let Some(entry) = self.clients.get_mut(&client) {
            entry.running = entry.running.saturating_sub(1);
            if entry.running == 0 && entry.waiting.is_empty() {
                self.clients.remove(&client);
            }
        }
    }

    /// Removes and returns all waiting jobs. Running ones still count.
    pub fn clear(&mut self) -> Vec<T> {
        self.order.clear();
        self.waiting = 0;
        let all = self.clients.values_mut().flat_map(|client| client.waiting.drain(..)).collect();
        self.clients.retain(|_, client| client.running > 0);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { waiting: 8, waiting_of_one: 4, running: 3, running_of_one: 2 };

    #[test]
    fn one_job_of_each_client_starts_before_the_second_of_any() {
        let mut queue = FairQueue::new(Bounds { running: 99, running_of_one: 99, ..BOUNDS });
        for job in 0..4 {
            queue.push('a', job).unwrap();
        }
        queue.push('b', 10).unwrap();
        queue.push('c', 20).unwrap();
        let order: Vec<_> = std::iter::from_fn(|| queue.begin_next()).collect();
        assert_eq!(order, [('a', 0), ('b', 10), ('c', 20), ('a', 1), ('a', 2), ('a', 3)]);
    }

    #[test]
    fn a_client_at_its_limit_is_skipped_and_not_forgotten() {
        let mut queue = FairQueue::new(BOUNDS);
        for job in 0..3 {
            queue.push('a', job).unwrap();
        }
        assert_eq!(
            (queue.begin_next(), queue.begin_next(), queue.begin_next()),
            (Some(('a', 0)), Some(('a', 1)), None)
        );
        assert_eq!((queue.waiting(), queue.startable()), (1, 0));
        queue.push('b', 9).unwrap();
        assert_eq!(queue.startable(), 1);
        assert_eq!(queue.begin_next(), Some(('b', 9)));
        queue.done('a');
        assert_eq!(queue.begin_next(), Some(('a', 2)));
        assert_eq!(queue.begin_next(), None);
    }

    #[test]
    fn a_job_beyond_a_limit_is_returned() {
        let mut queue = FairQueue::new(BOUNDS);
        for job in 0..4 {
            queue.push('a', job).unwrap();
        }
        assert_eq!(queue.push('a', 4), Err(4), "too many of one client");
        for (client, job) in [('b', 0), ('b', 1), ('c', 0), ('c', 1)] {
            queue.push(client, job).unwrap();
        }
        assert_eq!(queue.startable(), 3, "two of each, and three in total");
        assert_eq!(queue.push('b', 2), Ok(Some(3)), "of the client with the most");
        assert_eq!(queue.push('b', 3), Err(3), "too many in total, and no other client has two more");
        assert_eq!(queue.clear().len(), 8);
        assert_eq!((queue.begin_next(), queue.clients.len()), (None, 0));
    }

    #[test]
    fn two_clients_that_fill_the_queue_do_not_shut_out_a_third() {
        let mut queue = FairQueue::new(BOUNDS);
        for job in 0..4 {
            queue.push('a', job).unwrap();
            queue.push('b', job + 10).unwrap();
        }
        assert_eq!(queue.push('c', 20), Ok(Some(13)));
        assert_eq!(queue.push('c', 21), Ok(Some(3)));
        assert_eq!(queue.push('c', 22), Err(22), "each has its part now");
        assert_eq!(queue.waiting(), 8);
        let order: Vec<_> = std::iter::from_fn(|| queue.begin_next()).collect();
        assert_eq!(order, [('a', 0), ('b', 10), ('c', 20)]);
    }

    proptest! {
        #[test]
        fn no_client_waits_behind_a_second_job_of_another_and_the_bounds_hold(
            acts in proptest::collection::vec((0_u8..3, 0_u32..4), 0..200)
        ) {
            let mut queue = FairQueue::new(BOUNDS);
            let mut running: Vec<u32> = Vec::new();
            // The jobs of others that started since a client began to wait for its next one.
            let mut passed: HashMap<u32, Vec<u32>> = HashMap::new();
            for (act, client) in acts {
                match act {
                    0 => {
                        if queue.push(client, ()).is_ok() {
                            passed.entry(client).or_default();
                        }
                    }
                    1 => {
                        let at_limit = |client: &u32| running.iter().filter(|one| *one == client).count() >= 2;
                        if let Some((began, ())) = queue.begin_next() {
                            prop_assert!(!at_limit(&began));
                            passed.remove(&began);
                            for (other, seen) in &mut passed {
                                // A client at its own limit waits for its own jobs.
                                if at_limit(other) { seen.clear() } else { seen.push(began) }
                                prop_assert!(seen.iter().filter(|one| **one == began).count() <= 2, "{other}");
                            }
                            running.push(began);
                            if !queue.clients[&began].waiting.is_empty() {
                                passed.insert(began, Vec::new());
                            }
                        }
                    }
                    _ => {
                        if let Some(index) = running.iter().position(|one| *one == client) {
                            running.remove(index);
                            queue.done(client);
                        }
                    }
                }
                prop_assert!(running.len() <= 3 && queue.waiting <= 8);
                prop_assert_eq!(running.len(), queue.running);
                prop_assert_eq!(queue.clients.values().map(|client| client.waiting.len()).sum::<usize>(), queue.waiting);
            }
        }
    }
}
