//! Ends what is dropped and not stopped: nobody waits for it, and far ends are told all the same.

use std::pin::Pin;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;

/// Ends something in the background, unless that takes no time. Where no runtime is left to do so, it is ended in
/// another way, at once.
pub fn in_background(ending: impl Future<Output = ()> + Send + 'static, at_once: impl FnOnce()) {
    let Ok(runtime) = Handle::try_current() else { return at_once() };
    let mut ending: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(ending);
    if ending.as_mut().now_or_never().is_none() {
        runtime.spawn(ending);
    }
}
