//! Decisions on writes to DIDWW resources: forms, required members, defaults, cross-field rules and life cycles.
//!
//! [`Rulebook::decide_write`] and [`Rulebook::decide_delete`] take what a client sent and the stored records, and return
//! the changes of one transaction with the events that it emits, or every rule that is broken. Rules common to all
//! resources come from their declarations; a resource with rules of its own has a file here, with an implementation of
//! [`Rules`] for its declared type.

mod blocking;
mod capacity_pool;
mod decide_write;
mod deletion;
mod did;
mod did_group;
mod did_reservation;
mod draft;
mod membership;
mod meta;
mod needs;
mod order;
mod outcome;
mod refusal;
mod regenerate_credentials;
mod rules;
mod voice_out_trunk;
mod write_context;

pub use blocking::{SpendingOutcome, decide_spending};
pub use decide_write::with_defaults;
pub use deletion::{DeleteContext, MAX_RELATED_RECORDS, RelatedRecords};
pub use draft::Draft;
pub use membership::Membership;
pub use needs::{Found, FoundRecord, Need};
pub use order::{CARRY_OUT, HELD, cancel as cancel_order, with_period};
pub use outcome::{Event, Later, Links, RecordChange, WriteOutcome};
pub use refusal::{Refusal, WriteError};
pub use rules::{MembersRead, Rulebook, Rules, TypeRules};
pub use voice_out_trunk::{TrunkOperation, apply_to_trunk};
pub use write_context::{Credentials, LinkedRecord, RecordText, WriteContext, WriteKind};
