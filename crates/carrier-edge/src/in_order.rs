//! Begins work in the order in which it arrives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

/// Runs work up to where it first waits, and the rest in a task. Tasks alone keep no order: of two that are spawned
/// together, the runtime may run the later one first.
pub(crate) fn begin_at_once(work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    // The task polls it once more at its beginning, with a waker of its own.
    let mut context = Context::from_waker(Waker::noop());
    // A panic ends this work alone, as one in a task does.
    let begun = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut context)));
    if matches!(begun, Ok(Poll::Pending)) {
        tokio::spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn work_begins_before_what_follows_it_and_goes_on_in_a_task() {
        let (begun, mut begins) = mpsc::unbounded_channel();
        let (sender, receiver) = oneshot::channel::<u8>();
        let (done, ended) = oneshot::channel();
        let first = begun.clone();
        begin_at_once(async move {
            first.send(1).unwrap();
            done.send(receiver.await.unwrap()).unwrap();
        });
        begin_at_once(async move { begun.send(2).unwrap() });
        assert_eq!((begins.try_recv(), begins.try_recv()), (Ok(1), Ok(2)));
        sender.send(3).unwrap();
        assert_eq!(ended.await, Ok(3));
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_alone() {
        begin_at_once(async { panic!("in a test") });
    }
}
