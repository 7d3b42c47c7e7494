//! The web console: a page with which an operator monitors and controls a server.
//!
//! The page is HTML, CSS and modules of JavaScript that are embedded in the program unchanged from `assets`: no step
//! builds them, and they load nothing from elsewhere. They hold no data. What the page shows it reads from the control
//! API, with the token that its user enters.
//!
//! The crate serves the assets alone. The listener that serves them decides which requests may read them.

mod assets;
mod router;

pub use router::{PATHS, router};
