//! Calls that block the thread until the response, for programs without an async runtime.
//!
//! [`Wait`] is implemented for every request of this crate and for every `async` method, those of the price services
//! among them, and [`WaitEach`] for every stream of pages and records, so that the types, verbs and errors are those of
//! the async API. The rows of an export are an iterator without it: `exports.download(&export).wait()?.rows()`.
//!
//! ```no_run
//! use didww_client::Client;
//! use didww_client::blocking::{Wait as _, WaitEach as _};
//! use didww_client::resources::DidFilter;
//!
//! let client = Client::sandbox("your API key")?;
//! for did in client.dids().list().filter(DidFilter::number("12025550143")).stream().wait_each() {
//!     println!("{}", did?.number);
//! }
//! let trunks = client.voice_out_trunks();
//! let page = trunks.list().wait()?;
//! trunks.delete(&page.items[0].id).wait()?;
//! # Ok::<(), didww_client::Error>(())
//! ```
//!
//! One thread for the whole process, `didww-client`, does the I/O; it starts with the first call and ends with the
//! process. A call on a thread that an async runtime uses is refused with [`Misplaced::InsideRuntime`], also inside
//! `spawn_blocking`: await the request there.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio::runtime::{Builder, Handle};

use crate::{Error, Misplaced};

static RUNTIME: OnceLock<Handle> = OnceLock::new();
/// Held while the thread is started, so that only one is started.
static STARTING: Mutex<()> = Mutex::new(());

/// Blocking execution of a request, or of the future of an `async` method.
pub trait Wait {
    /// The result of the request.
    type Value;

    /// Blocks the calling thread until the response.
    ///
    /// # Errors
    /// Returns [`Error::Misplaced`] on a thread of an async runtime, and when the thread for the I/O cannot be started;
    /// else the errors of the request.
    fn wait(self) -> Result<Self::Value, Error>;
}

impl<T, F> Wait for F
where
    F: IntoFuture<Output = Result<T, Error>>,
{
    type Value = T;

    fn wait(self) -> Result<T, Error> {
        runtime()?.block_on(self.into_future())
    }
}

/// Blocking iteration over the records or pages of a stream.
pub trait WaitEach: Sized {
    /// Returns an iterator that blocks the calling thread when it needs a further page.
    fn wait_each(self) -> Each<Self>;
}

impl<T, S> WaitEach for S
where
    S: Stream<Item = Result<T, Error>> + Unpin,
{
    fn wait_each(self) -> Each<Self> {
        Each { stream: self, is_over: false }
    }
}

/// The items of a stream, for which each step blocks the thread.
#[must_use = "nothing is sent until it is iterated"]
pub struct Each<S> {
    stream: S,
    is_over: bool,
}

impl<T, S> Iterator for Each<S>
where
    S: Stream<Item = Result<T, Error>> + Unpin,
{
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = match runtime() {
            Ok(runtime) => runtime.block_on(self.stream.next()),
            Err(error) => Some(Err(error)),
        };
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The runtime that does the I/O, started by the first call.
fn runtime() -> Result<&'static Handle, Error> {
    if Handle::try_current().is_ok() {
        return Err(misplaced(Misplaced::InsideRuntime));
    }
    if let Some(handle) = RUNTIME.get() {
        return Ok(handle);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = RUNTIME.get() {
        return Ok(handle);
    }
    let handle = start().map_err(|error| misplaced(Misplaced::NoThread(error)))?;
    Ok(RUNTIME.get_or_init(|| handle))
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    // The callers run their requests themselves; this thread wakes them when there is input, or when a timer expires.
    let serve = move || runtime.block_on(std::future::pending::<()>());
    thread::Builder::new().name("didww-client".to_owned()).spawn(serve)?;
    Ok(handle)
}

fn misplaced(reason: Misplaced) -> Error {
    Error::Misplaced(Box::new(reason))
}
