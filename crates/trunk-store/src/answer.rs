//! The future that a method of the store returns.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::StoreError;

/// The outcome of a read or write of a store, now or later.
///
/// An outcome that is known already is not allocated: the look-up of a key happens for every request. A write starts
/// when its method is called, and completes even if the answer is dropped.
#[must_use = "the outcome of a read or write is in its answer"]
pub struct Answer<'a, T>(Outcome<'a, T>);

enum Outcome<'a, T> {
    /// `None` once the outcome was returned.
    Known(Option<Result<T, StoreError>>),
    Later(Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>),
}

impl<'a, T> Answer<'a, T> {
    /// An outcome that is known already.
    pub fn ready(outcome: Result<T, StoreError>) -> Self {
        Self(Outcome::Known(Some(outcome)))
    }

    /// An outcome that a future returns.
    pub fn later(outcome: impl Future<Output = Result<T, StoreError>> + Send + 'a) -> Self {
        Self(Outcome::Later(Box::pin(outcome)))
    }
}

/// No reference into a known outcome is ever pinned.
impl<T> Unpin for Answer<'_, T> {}

impl<T> Future for Answer<'_, T> {
    type Output = Result<T, StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Outcome::Known(outcome) => {
                let again = || Err(StoreError::Failed("an answer was awaited twice".to_owned()));
                Poll::Ready(outcome.take().unwrap_or_else(again))
            }
            Outcome::Later(future) => future.as_mut().poll(context),
        }
    }
}
