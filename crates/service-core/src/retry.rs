//! The retry loop of writes that depend on what was read before.
//!
//! A caller reads records, decides on a change, and commits it on the condition that the records are still as they were
//! read. [`Retries::run`] repeats all of it when another write came in between, and when the queue of writes is full.
//! The number of attempts is bounded: under constant contention the caller receives the error of the store.

use std::time::Duration;

use trunk_store::StoreError;

/// The delay after the first attempt that found the queue of writes full. Each further delay is twice as long, up to
/// 64 times this one.
const FIRST_OVERLOAD_DELAY: Duration = Duration::from_millis(5);

/// The number of attempts at a write, and whether it waits for a place in the queue of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Maximum number of attempts, the first one included.
    pub attempts: u32,
    /// True to wait and try again when the queue of writes is full, false to fail at once.
    pub waits_when_overloaded: bool,
}

/// Why an attempt failed, which decides whether another one is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptError<E> {
    /// The store failed. [`StoreError::Conflict`] is a reason for another attempt.
    Store(StoreError),
    /// The write is refused. This is final.
    Other(E),
}

impl<E> From<StoreError> for AttemptError<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Retries {
    /// For the write of a request, whose client receives an error when the queue of writes is full.
    pub const REQUEST: Self = Self { attempts: 32, waits_when_overloaded: false };
    /// For a write of the server itself.
    pub const BACKGROUND: Self = Self { attempts: 32, waits_when_overloaded: true };

    /// Calls `attempt`, which reads, decides and commits, until it succeeds or its error is final.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn run<T, E, F>(self, mut attempt: impl FnMut() -> F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<T, AttemptError<E>>>,
    {
        let mut last = StoreError::Conflict;
        let mut overloads = 0;
        for left in (0..self.attempts).rev() {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(AttemptError::Store(StoreError::Conflict)) => last = StoreError::Conflict,
                Err(AttemptError::Store(error @ (StoreError::Overloaded | StoreError::Unavailable)))
                    if self.waits_when_overloaded =>
                {
                    last = error;
                    if left == 0 {
                        break;
                    }
                    tokio::time::sleep(FIRST_OVERLOAD_DELAY * (1 << overloads.min(6))).await;
                    overloads += 1;
                }
                Err(AttemptError::Store(error)) => return Err(error.into()),
                Err(AttemptError::Other(error)) => return Err(error),
            }
        }
        Err(last.into())
    }

    /// Reads something, decides on its change, and writes that on the condition that it is still as it was read; all of
    /// it is repeated as [`run`](Self::run) does. `write` receives what was read, and what was decided.
    ///
    /// # Errors
    /// The error of `read` or `decide`, or that of the last `write`.
    pub async fn change<T, C, V, E, R, W>(
        self,
        read: impl Fn() -> R,
        decide: impl Fn(&T) -> Result<C, E>,
        write: impl Fn(T, C) -> W,
    ) -> Result<V, E>
    where
        E: From<StoreError>,
        R: Future<Output = Result<T, E>>,
        W: Future<Output = Result<V, StoreError>>,
    {
        let (read, decide, write) = (&read, &decide, &write);
        self.run(|| async move {
            let before = read().await.map_err(AttemptError::Other)?;
            let change = decide(&before).map_err(AttemptError::Other)?;
            write(before, change).await.map_err(AttemptError::Store)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Runs a write whose attempts end with these results, the last one repeated. Returns the outcome and the number of
    /// attempts.
    async fn run(retries: Retries, results: &[Result<u32, StoreError>]) -> (Result<u32, StoreError>, usize) {
        let attempts = Cell::new(0);
        let outcome = retries
            .run(|| {
                let result = results[attempts.get().min(results.len() - 1)].clone();
                attempts.set(attempts.get() + 1);
                std::future::ready(result.map_err(AttemptError::Store))
            })
            .await;
        (outcome, attempts.get())
    }

    #[tokio::test]
    async fn a_write_is_attempted_again_after_a_conflict_and_not_after_another_error() {
        let conflict = || Err(StoreError::Conflict);
        assert_eq!(run(Retries::REQUEST, &[conflict(), conflict(), Ok(7)]).await, (Ok(7), 3));
        assert_eq!(
            run(Retries::REQUEST, &[conflict(), Err(StoreError::Full)]).await,
            (Err(StoreError::Full), 2)
        );
    }

    #[tokio::test]
    async fn the_number_of_attempts_is_bounded() {
        assert_eq!(
            run(Retries::REQUEST, &[Err(StoreError::Conflict)]).await,
            (Err(StoreError::Conflict), 32)
        );
        let two = Retries { attempts: 2, ..Retries::BACKGROUND };
        assert_eq!(run(two, &[Err(StoreError::Overloaded)]).await, (Err(StoreError::Overloaded), 2));
    }

    #[tokio::test]
    async fn only_a_write_of_the_server_waits_for_a_full_queue() {
        let overloaded = [Err(StoreError::Overloaded), Ok(7)];
        assert_eq!(run(Retries::REQUEST, &overloaded).await, (Err(StoreError::Overloaded), 1));
        assert_eq!(run(Retries::BACKGROUND, &overloaded).await, (Ok(7), 2));
    }

    #[tokio::test]
    async fn a_change_is_decided_anew_on_what_another_write_left() {
        let (stored, writes) = (Cell::new(0), Cell::new(0));
        let read = || std::future::ready(Ok::<u32, StoreError>(stored.get()));
        let write = |before: u32, after: u32| {
            writes.set(writes.get() + 1);
            if writes.get() == 1 {
                // Another node is first.
                stored.set(10);
            }
            let is_same = stored.get() == before;
            if is_same {
                stored.set(after);
            }
            std::future::ready(if is_same { Ok(after) } else { Err(StoreError::Conflict) })
        };
        let changed = Retries::REQUEST.change(read, |before: &u32| Ok(before + 1), write).await;
        assert_eq!((changed, stored.get(), writes.get()), (Ok(11), 11, 2));
        let refused = Retries::REQUEST.change(read, |_: &u32| Err::<u32, _>(StoreError::Full), write).await;
        assert_eq!((refused, writes.get()), (Err(StoreError::Full), 2), "nothing is written");
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        #[derive(Debug, PartialEq)]
        struct Refused;
        impl From<StoreError> for Refused {
            fn from(_: StoreError) -> Self {
                Self
            }
        }
        let attempts = Cell::new(0);
        let outcome: Result<(), Refused> = Retries::REQUEST
            .run(|| {
                attempts.set(attempts.get() + 1);
                std::future::ready(Err(AttemptError::Other(Refused)))
            })
            .await;
        assert_eq!((outcome, attempts.get()), (Err(Refused), 1));
    }
}
