//! The type of futures that one crate makes and another one awaits.

use std::pin::Pin;

/// A future whose code is compiled where it is made.
///
/// The body of an `async fn` is compiled in each crate that awaits it, together with all that it awaits in turn: whatever a
/// listener or a dialler runs would be compiled once for every crate above it. A room's entrance that starts much
/// therefore returns this type.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
