//! Worlds: files that fill a server, whole or one account, with accounts, keys and records of every declared type.
//!
//! [`World`] is a parsed file, which is read strictly; `Control::load_world` stores it, `Control::save_world` makes one
//! from the store, and [`SCENARIOS`] are files that the program contains. A world has no calls, events, jobs, contents
//! of files, secrets of callbacks or keys of tokens; and for customers of the communication platform no agents, access
//! keys, numbers or flows.
//!
//! Bounds: a world has at most `MAX_RECORDS` records, and a body of the control API at most 4 MiB.

mod digest;
mod load;
mod loaded;
mod model;
pub(crate) mod naming;
mod place;
pub(crate) mod platform;
mod rates;
mod record;
mod records;
mod routes;
mod save;
mod scenarios;
pub(crate) mod secrets;
mod strict;
mod values;

pub use digest::HexDigest;
pub use loaded::{LoadedAccount, LoadedWorld};
pub use model::{World, WorldAccount, WorldError, WorldKey};
pub use platform::{WorldConfig, WorldCustomer, WorldPlatform, WorldProvider, WorldRoute};
pub use rates::WorldRate;
pub use record::{Related, WorldRecord};
pub use records::Records;
pub(crate) use routes::routes;
pub use save::SaveOptions;
pub use scenarios::{SCENARIOS, Scenario, scenario};
