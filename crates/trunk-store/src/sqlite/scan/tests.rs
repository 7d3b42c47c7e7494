//! Whose read runs when, and how one ends that may not go on.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Never ends by itself.
const ENDLESS: &str =
    "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(20);

const HEAVY: Asker = Asker::Account(1);
const LIGHT: Asker = Asker::Account(2);

fn limits() -> StoreLimits {
    StoreLimits { time: PATIENCE, patience: PATIENCE, ..StoreLimits::default() }
}

fn scans(threads: usize, limits: StoreLimits) -> Scans {
    Scans::new((0..threads).map(|_| Source::Own(Connection::open_in_memory().unwrap())).collect(), limits)
}

fn endless(connection: &Connection) -> Result<i64, StoreError> {
    connection.query_row(ENDLESS, [], |row| row.get(0)).map_err(failed)
}

/// A read that says that it has begun and ends when it is told to.
fn held_up(
    scans: &Scans,
    asker: Asker,
    begun: &Sender<()>,
) -> (Sender<()>, impl Future<Output = Result<(), StoreError>>) {
    let begun = begun.clone();
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let read = scans.read(asker, move |_| {
        begun.send(()).unwrap();
        released.recv().map_err(|_| closed())
    });
    (release, read)
}

#[tokio::test]
async fn a_heavy_askers_full_queue_keeps_nobody_else_waiting() {
    let scans = scans(3, limits());
    let (mark, begun) = channel();
    let under_way: Vec<_> = (0..2).map(|_| held_up(&scans, HEAVY, &mark)).collect();
    begun.recv_timeout(PATIENCE).unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    let waiting: Vec<_> = (0..64).map(|_| held_up(&scans, HEAVY, &mark)).collect();
    assert_eq!(scans.read(HEAVY, |_| Ok(())).await, Err(StoreError::Crowded), "it may have 64 waiting");
    for _ in 0..100 {
        assert_eq!(scans.read(LIGHT, |_| Ok(7)).await, Ok(7), "another one is served at once");
    }
    assert!(
        begun.try_recv().is_err(),
        "none of those that wait was begun meanwhile, though a thread is idle"
    );
    for (release, read) in under_way.into_iter().chain(waiting) {
        release.send(()).unwrap();
        assert_eq!(read.await, Ok(()));
    }
}

#[tokio::test]
async fn where_every_thread_is_taken_the_next_one_is_somebody_elses() {
    let scans = scans(1, limits());
    let (mark, begun) = channel();
    let (release, first) = held_up(&scans, HEAVY, &mark);
    begun.recv_timeout(PATIENCE).unwrap();
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
async fn a_read_that_takes_too_long_is_ended_and_its_thread_goes_on() {
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
async fn what_waited_too_long_is_not_begun() {
    // Long enough for the first to be begun on a busy machine.
    let patience = Duration::from_millis(500);
    let scans = scans(1, StoreLimits { patience, ..limits() });
    let (mark, begun) = channel();
    let (release, first) = loop {
        let (release, first) = held_up(&scans, HEAVY, &mark);
        // Where the machine is busy, it may have waited too long itself.
        if begun.recv_timeout(PATIENCE / 20).is_ok() {
            break (release, first);
        }
    };
    let late = scans.read(LIGHT, |_| -> Result<(), StoreError> { panic!("it was begun") });
    let since = Stopwatch::start();
    while since.elapsed() < patience + Duration::from_millis(1) {
        std::thread::yield_now();
    }
    release.send(()).unwrap();
    assert_eq!((first.await, late.await), (Ok(()), Err(StoreError::Crowded)));
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let scans = scans(1, limits());
    let (mark, begun) = channel();
    let (release, first) = held_up(&scans, HEAVY, &mark);
    begun.recv_timeout(PATIENCE).unwrap();
    drop(scans.read(LIGHT, |_| -> Result<(), StoreError> { panic!("it was begun") }));
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
async fn an_end_ends_what_is_under_way_and_what_waits() {
    let scans = scans(1, limits());
    let (mark, begun) = channel();
    let under_way = scans.read(HEAVY, move |connection| {
        mark.send(()).unwrap();
        endless(connection)
    });
    begun.recv_timeout(PATIENCE).unwrap();
    let waits = scans.read(HEAVY, |_| Ok(()));
    join(scans.end());
    assert_eq!((under_way.await, waits.await), (Err(StoreError::TooLong), Err(closed())));
    assert_eq!(scans.read(HEAVY, |_| Ok(())).await, Err(closed()));
}

fn memory() -> Arc<Memory> {
    Arc::new(Memory::new(Connection::open_in_memory().unwrap()))
}

#[tokio::test]
async fn in_memory_a_long_read_makes_way_for_whoever_waits_and_a_short_one_ends() {
    let memory = memory();
    let scans = Scans::new(vec![Source::Shared(Arc::clone(&memory))], limits());
    let (mark, begun) = channel();
    let long = scans.read(HEAVY, move |connection| {
        let _heard = mark.send(());
        endless(connection)
    });
    for _ in 0..20 {
        begun.recv_timeout(PATIENCE).unwrap();
        // The read has the connection, and has all the time it wants: it is taken from it all the same.
        memory.borrow().query_row("SELECT 1", [], |row| row.get::<_, i64>(0)).unwrap();
    }
    drop((scans, long));
}
