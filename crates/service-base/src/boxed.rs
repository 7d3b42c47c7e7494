//! The type of futures that one crate makes and another one awaits.

use std::pin::Pin;

/// A future whose code is compiled where it is made.
///
/// The body of an `async fn` is compiled in each crate that awaits it, together with all that it awaits in turn: the
/// code of a listener or a dialler would be compiled once for every crate that depends on it. A public function that
/// awaits much code therefore returns this type.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
