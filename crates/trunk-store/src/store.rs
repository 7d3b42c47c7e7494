//! The traits that an engine of the store implements: one for each part, and their sum.
//!
//! Every method can be called from many tasks at once, on any number of nodes that share a database. No method
//! guarantees an order or a thread that only one process could provide: [`ChangeFeed`] documents the guarantees for
//! readers of stored data.

mod accounts;
mod callback_secrets;
mod calls;
mod change_feed;
mod channels;
mod documents;
mod engine;
mod events;
mod idempotency_keys;
mod jobs;
mod nodes;
mod rate_shares;
mod records;
mod token_keys;
mod writes;

pub use accounts::Accounts;
pub use callback_secrets::CallbackSecrets;
pub use calls::Calls;
pub use change_feed::{CHANGE_DELAY, ChangeFeed};
pub use channels::Channels;
pub use documents::Documents;
pub use engine::Engine;
pub use events::Events;
pub use idempotency_keys::IdempotencyKeys;
pub use jobs::Jobs;
pub use nodes::Nodes;
pub use rate_shares::{RateShares, SHARE_LEASE};
pub use records::{Records, for_each_page, for_each_record};
pub use token_keys::TokenKeys;
pub use writes::Writes;

/// A store with all of its parts. Functions that need only some of them take those traits.
pub trait Store:
    Records
    + Documents
    + Accounts
    + CallbackSecrets
    + TokenKeys
    + Events
    + Calls
    + Channels
    + RateShares
    + Jobs
    + Nodes
    + IdempotencyKeys
    + Writes
    + ChangeFeed
    + Engine
{
}

impl<T> Store for T where
    T: Records
        + Documents
        + Accounts
        + CallbackSecrets
        + TokenKeys
        + Events
        + Calls
        + Channels
        + RateShares
        + Jobs
        + Nodes
        + IdempotencyKeys
        + Writes
        + ChangeFeed
        + Engine
{
}
