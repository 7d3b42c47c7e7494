//! Finishes the work that a dropped value leaves behind, such as notifying its peers.

use std::pin::Pin;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;

/// Runs `work` in a task of its own.
///
/// The future is polled once before, so work that does not wait is finished when this returns. Without a
/// Tokio runtime, `work` is dropped and `without_runtime` is called instead.
pub fn in_background(work: impl Future<Output = ()> + Send + 'static, without_runtime: impl FnOnce()) {
    let Ok(runtime) = Handle::try_current() else { return without_runtime() };
    let mut work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(work);
    if work.as_mut().now_or_never().is_none() {
        runtime.spawn(work);
    }
}
