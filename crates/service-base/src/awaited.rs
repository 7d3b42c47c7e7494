//! Work whose result its owner waits for, and which goes on without it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work that advances while its owner waits for the [`result`](Self::result).
///
/// An owner that selects the result before the messages that it receives knows it before each message that arrived after
/// it: a task would pass the result on at some later time. The work of an owner that is dropped before is finished by a
/// task.
// The mutex is never locked: it makes this `Sync`, which a future alone is not.
pub struct Awaited<T: Send + 'static>(Option<Mutex<Work<T>>>);

impl<T: Send + 'static> Awaited<T> {
    /// Begins nothing yet: `work` advances with the first wait for its result.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Mutex::new(Box::pin(work))))
    }

    /// Waits for the result, and forever if it was returned before. Cancel safe.
    pub async fn result(&mut self) -> T {
        Self::result_of(Some(self)).await
    }

    /// Waits for the [`result`](Self::result) of work that there may be none of, and forever if there is none. Cancel
    /// safe.
    // No async function: its future would have a state beside the pointer, and each active call has several.
    pub fn result_of(mut work: Option<&mut Self>) -> impl Future<Output = T> {
        poll_fn(move |context| match &mut work {
            Some(work) => work.poll_result(context),
            None => Poll::Pending,
        })
    }

    /// Polls for the result, which is never ready if it was returned before.
    fn poll_result(&mut self, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let result = ready!(work.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(context));
        self.0 = None;
        Poll::Ready(result)
    }
}

impl<T: Send + 'static> Drop for Awaited<T> {
    fn drop(&mut self) {
        // Without a runtime the process ends, and nothing could finish the work.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_result_is_known_before_a_message_that_arrived_after_its_cause() {
        let (cause, caused) = oneshot::channel();
        let (sender, mut messages) = mpsc::channel(1);
        let mut awaited = Awaited::new(caused);
        cause.send("result").unwrap();
        sender.send("message").await.unwrap();
        let first = tokio::select! {
            biased;
            result = awaited.result() => result.unwrap(),
            Some(message) = messages.recv() => message,
        };
        assert_eq!(first, "result");
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_loses_nothing_and_a_result_is_returned_once() {
        let (cause, caused) = oneshot::channel();
        let mut awaited = Awaited::new(caused);
        assert!(std::pin::pin!(awaited.result()).as_mut().poll(&mut noop()).is_pending());
        cause.send(1).unwrap();
        assert_eq!(Awaited::result_of(Some(&mut awaited)).await, Ok(1));
        assert!(std::pin::pin!(Awaited::<u8>::result_of(None)).as_mut().poll(&mut noop()).is_pending());
        assert!(std::pin::pin!(awaited.result()).as_mut().poll(&mut noop()).is_pending());
    }

    #[tokio::test]
    async fn a_task_finishes_what_its_owner_dropped() {
        let (done, finished) = oneshot::channel();
        drop(Awaited::new(async move { done.send(()) }));
        finished.await.unwrap();
    }

    fn noop() -> std::task::Context<'static> {
        std::task::Context::from_waker(std::task::Waker::noop())
    }
}
