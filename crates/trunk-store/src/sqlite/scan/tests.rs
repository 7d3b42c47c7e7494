//! The order in which reads run, their limits, and how they are interrupted.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A query that never ends by itself.
const ENDLESS: &str =
    "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
/// Maximum time for every step of a test; longer than any step takes.
const TIMEOUT: Duration = Duration::from_secs(20);

const HEAVY: Asker = Asker::Account(1);
const LIGHT: Asker = Asker::Account(2);

fn limits() -> StoreLimits {
    StoreLimits { time: TIMEOUT, max_wait: TIMEOUT, ..StoreLimits::default() }
}

fn scans(threads: usize, limits: StoreLimits) -> Scans {
    Scans::new((0..threads).map(|_| Source::Own(Connection::open_in_memory().unwrap())).collect(), limits)
}

fn endless(connection: &Connection) -> Result<i64, StoreError> {
    connection.query_row(ENDLESS, [], |row| row.get(0)).map_err(failed)
}

/// A read that sends a message when it starts, and ends when it receives one.
fn blocked_read(
    scans: &Scans,
    asker: Asker,
    started: &Sender<()>,
) -> (Sender<()>, impl Future<Output = Result<(), StoreError>>) {
    let started = started.clone();
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let read = scans.read(asker, move |_| {
        started.send(()).unwrap();
        released.recv().map_err(|_| closed())
    });
    (release, read)
}

#[tokio::test]
async fn the_cache_of_a_connection_is_sized_when_its_thread_starts() {
    let scans = scans(1, limits());
    let size = scans.read(HEAVY, |connection| {
        connection.query_row("PRAGMA cache_size", [], |row| row.get::<_, i64>(0)).map_err(failed)
    });
    assert_eq!(size.await, Ok(-1024));
}

#[tokio::test]
async fn a_full_queue_of_one_asker_does_not_delay_another() {
    let scans = scans(3, limits());
    let (started_sender, started) = channel();
    let running: Vec<_> = (0..2).map(|_| blocked_read(&scans, HEAVY, &started_sender)).collect();
    started.recv_timeout(TIMEOUT).unwrap();
    started.recv_timeout(TIMEOUT).unwrap();
    let waiting: Vec<_> = (0..64).map(|_| blocked_read(&scans, HEAVY, &started_sender)).collect();
    assert_eq!(
        scans.read(HEAVY, |_| Ok(())).await,
        Err(StoreError::Crowded),
        "its limit is 64 waiting reads"
    );
    assert_eq!(lock(&scans.threads).len(), 2, "no thread was started for reads that may not run");
    for _ in 0..100 {
        assert_eq!(scans.read(LIGHT, |_| Ok(7)).await, Ok(7), "another asker is served at once");
    }
    assert_eq!(lock(&scans.threads).len(), 3);
    assert!(started.try_recv().is_err(), "no waiting read was started meanwhile, although a thread is idle");
    for (release, read) in running.into_iter().chain(waiting) {
        release.send(()).unwrap();
        assert_eq!(read.await, Ok(()));
    }
}

#[tokio::test]
async fn a_read_that_is_displaced_by_one_of_another_asker_is_refused() {
    let scans = scans(1, StoreLimits { waiting: 2, ..limits() });
    let (started_sender, started) = channel();
    let (release, first) = blocked_read(&scans, HEAVY, &started_sender);
    started.recv_timeout(TIMEOUT).unwrap();
    let (kept, displaced) = (scans.read(HEAVY, |_| Ok(1)), scans.read(HEAVY, |_| Ok(2)));
    let light = scans.read(LIGHT, |_| Ok(3));
    assert_eq!(displaced.await, Err(StoreError::Crowded));
    release.send(()).unwrap();
    assert_eq!((first.await, kept.await, light.await), (Ok(()), Ok(1), Ok(3)));
}

#[tokio::test]
async fn when_every_thread_is_busy_the_next_free_one_runs_another_askers_read() {
    let scans = scans(1, limits());
    let (started_sender, started) = channel();
    let (release, first) = blocked_read(&scans, HEAVY, &started_sender);
    started.recv_timeout(TIMEOUT).unwrap();
    let (end, order) = channel();
    let read = |asker, name: &'static str| {
        let end = end.clone();
        scans.read(asker, move |_| end.send(name).map_err(|_| closed()))
    };
    let others = [read(HEAVY, "heavy 1"), read(HEAVY, "heavy 2"), read(LIGHT, "light")];
    release.send(()).unwrap();
    first.await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["heavy 1", "light", "heavy 2"]);
}

#[tokio::test]
async fn a_read_over_its_time_limit_is_interrupted_and_its_thread_continues() {
    let scans = scans(1, StoreLimits { time: Duration::from_millis(20), ..limits() });
    assert_eq!(scans.read(HEAVY, endless).await, Err(StoreError::TooLong));
    let shared = Scans::new(
        vec![Source::Shared(memory())],
        StoreLimits { time: Duration::from_millis(20), ..limits() },
    );
    for scans in [scans, shared] {
        assert_eq!(scans.read(HEAVY, endless).await, Err(StoreError::TooLong));
        assert_eq!(scans.read(HEAVY, |_| Ok(7)).await, Ok(7));
    }
}

#[tokio::test]
async fn a_read_that_waited_too_long_is_not_started() {
    // Long enough for the first read to start on a busy machine.
    let max_wait = Duration::from_millis(500);
    let scans = scans(1, StoreLimits { max_wait, ..limits() });
    let (started_sender, started) = channel();
    let (release, first) = loop {
        let (release, first) = blocked_read(&scans, HEAVY, &started_sender);
        // On a busy machine it may have waited too long itself.
        if started.recv_timeout(TIMEOUT / 20).is_ok() {
            break (release, first);
        }
    };
    let late = scans.read(LIGHT, |_| -> Result<(), StoreError> { panic!("it was started") });
    let since = Stopwatch::start();
    while since.elapsed() < max_wait + Duration::from_millis(1) {
        std::thread::yield_now();
    }
    release.send(()).unwrap();
    assert_eq!((first.await, late.await), (Ok(()), Err(StoreError::Crowded)));
}

#[tokio::test]
async fn a_read_whose_caller_stopped_waiting_is_not_started() {
    let scans = scans(1, limits());
    let (started_sender, started) = channel();
    let (release, first) = blocked_read(&scans, HEAVY, &started_sender);
    started.recv_timeout(TIMEOUT).unwrap();
    drop(scans.read(LIGHT, |_| -> Result<(), StoreError> { panic!("it was started") }));
    release.send(()).unwrap();
    assert_eq!((first.await, scans.read(LIGHT, |_| Ok(7)).await), (Ok(()), Ok(7)));
}

#[tokio::test]
async fn a_panic_is_an_error_of_that_read_alone() {
    let scans = scans(1, limits());
    let panics = scans.read(HEAVY, |_| -> Result<(), StoreError> { panic!("on purpose") });
    assert_eq!(panics.await, Err(StoreError::Failed("a read panicked".to_owned())));
    assert_eq!(scans.read(HEAVY, |_| Ok(7)).await, Ok(7));
}

#[tokio::test]
async fn closing_interrupts_running_reads_and_refuses_waiting_ones() {
    let scans = scans(1, limits());
    let (started_sender, started) = channel();
    let running = scans.read(HEAVY, move |connection| {
        started_sender.send(()).unwrap();
        endless(connection)
    });
    started.recv_timeout(TIMEOUT).unwrap();
    let waits = scans.read(HEAVY, |_| Ok(()));
    join(scans.end());
    assert_eq!((running.await, waits.await), (Err(StoreError::TooLong), Err(closed())));
    assert_eq!(scans.read(HEAVY, |_| Ok(())).await, Err(closed()));
}

fn memory() -> Arc<SharedConnection> {
    Arc::new(SharedConnection::new(Connection::open_in_memory().unwrap()))
}

#[tokio::test]
async fn in_memory_a_long_read_yields_to_short_ones() {
    let memory = memory();
    let scans = Scans::new(vec![Source::Shared(Arc::clone(&memory))], limits());
    let (started_sender, started) = channel();
    let long = scans.read(HEAVY, move |connection| {
        let _unheard = started_sender.send(());
        endless(connection)
    });
    for _ in 0..20 {
        started.recv_timeout(TIMEOUT).unwrap();
        // The long read holds the connection and is far from its time limit, and yields all the same.
        memory.lock_briefly().query_row("SELECT 1", [], |row| row.get::<_, i64>(0)).unwrap();
    }
    drop((scans, long));
}
