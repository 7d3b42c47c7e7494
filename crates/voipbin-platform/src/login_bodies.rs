//! The bodies of logins that are being read.
//!
//! A login has no credential before its body is read, and its body takes memory meanwhile. So each body has little
//! time, and at most [`MAX_READING`] are read at once. Beyond that, the login whose body has been read for the longest
//! time is refused: clients that send theirs slowly do not keep out one that sends it at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_listener::{BodyLimits, read_body};
use tokio::sync::Notify;

/// Maximum number of bodies that are read at once.
const MAX_READING: usize = 256;
/// Maximum number of bytes of a body.
const MAX_BYTES: usize = 16 << 10;
/// The longest time for a body.
const DEADLINE: Duration = Duration::from_secs(5);

/// The bodies that are being read, the oldest first. Each is notified if it must make room.
#[derive(Debug, Default)]
pub(crate) struct LoginBodies(Mutex<VecDeque<Arc<Notify>>>);

/// A body among those that are being read. Dropping it removes it.
struct Reading<'a> {
    all: &'a LoginBodies,
    ends: Arc<Notify>,
}

impl LoginBodies {
    /// Reads the body of a login within these limits, and those of logins. One that cannot be read is empty. `None` if
    /// it made room for another one.
    pub(crate) async fn read(&self, body: Body, limits: BodyLimits) -> Option<Bytes> {
        let limits = BodyLimits {
            max_bytes: limits.max_bytes.min(MAX_BYTES),
            deadline: limits.deadline.min(DEADLINE),
        };
        let reading = self.begin();
        tokio::select! {
            biased;
            read = read_body(body, limits) => Some(read.unwrap_or_default()),
            () = reading.ends.notified() => None,
        }
    }

    fn begin(&self) -> Reading<'_> {
        let ends = Arc::<Notify>::default();
        let mut all = self.lock();
        if all.len() >= MAX_READING
            && let Some(oldest) = all.pop_front()
        {
            oldest.notify_one();
        }
        all.push_back(Arc::clone(&ends));
        drop(all);
        Reading { all: self, ends }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Of the newest ones: most bodies arrive at once.
        let mut all = self.all.lock();
        if let Some(at) = all.iter().rposition(|ends| Arc::ptr_eq(ends, &self.ends)) {
            all.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, stream};

    use super::*;

    const LIMITS: BodyLimits = BodyLimits { max_bytes: 1 << 20, deadline: Duration::from_mins(1) };

    fn endless() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
    }

    #[tokio::test]
    async fn the_body_that_has_been_read_for_longest_makes_room_for_another() {
        let bodies = LoginBodies::default();
        let mut slow: Vec<_> = (0..MAX_READING).map(|_| Box::pin(bodies.read(endless(), LIMITS))).collect();
        assert!(slow.iter_mut().all(|reading| reading.now_or_never().is_none()));
        assert_eq!(bodies.read(Body::from("{}"), LIMITS).await.as_deref(), Some(&b"{}"[..]));
        let refused = slow.iter_mut().position(|reading| reading.now_or_never().is_some());
        assert_eq!(refused, Some(0));
        assert_eq!(bodies.lock().len(), MAX_READING - 1);
        drop(slow);
        assert!(bodies.lock().is_empty());
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_or_too_slow_is_empty() {
        let bodies = LoginBodies::default();
        let limits = BodyLimits { deadline: Duration::from_millis(20), ..LIMITS };
        for body in [Body::from(vec![b' '; MAX_BYTES + 1]), endless()] {
            assert_eq!(bodies.read(body, limits).await.as_deref(), Some(&b""[..]));
        }
        assert!(bodies.lock().is_empty());
    }
}
