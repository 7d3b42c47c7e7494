//! Records exchanges with an HTTP service as files, answers requests with them, and compares another service with them.
//!
//! [`record()`] is a proxy that passes requests on to a service and writes each exchange to a folder, [`replay()`]
//! answers with the exchanges of a folder, and [`compare()`] sends their requests to another service and lists where
//! its answers differ. Credentials, passwords and secrets are replaced by `(hidden)` before anything is written
//! ([`mask`]).
//!
//! Bounds: a request of 8 MiB, an answer of 16 MiB, of which a recording keeps bodies up to 256 KiB; the number and the
//! bytes of the files of a recording (`MAX_TOTAL_BYTES`), and of a folder that is read (`MAX_FILES`); 60 seconds for an
//! answer of the service; and connections as of every listener.

mod client;
mod compare;
mod diff;
mod error;
mod exchange;
mod folder;
mod known_ids;
mod listen;
pub mod mask;
mod record;
mod replay;
mod upstream;

pub use compare::{Comparison, Target, compare};
pub use diff::Difference;
pub use error::RecorderError;
pub use exchange::{Body, Exchange, RecordedRequest, RecordedResponse};
pub use folder::{Writer, read};
pub use listen::Listener;
pub use record::record;
pub use replay::replay;
pub use upstream::Upstream;
