//! Decisions on writes to DIDWW resources: forms, required members, defaults, cross-field rules and life cycles.
//!
//! [`Rulebook::decide_write`] and [`Rulebook::decide_delete`] take what a client sent and the stored records, and
//! return the changes of one transaction with the events that it emits, or every rule that is broken. Rules common to
//! all resources come from their declarations; a resource with rules of its own has a file here, with an implementation
//! of [`Rules`] for its declared type.

mod address;
mod address_requirement_validation;
mod address_verification;
mod blocking;
mod capacity_pool;
mod created_in;
mod decide_write;
mod deletion;
mod did;
mod did_group;
mod did_history;
mod did_reservation;
mod draft;
mod emergency_calling_service;
mod emergency_requirement;
mod emergency_requirement_validation;
mod emergency_review;
mod emergency_verification;
mod encrypted_file;
mod export;
mod identity;
mod membership;
mod meta;
mod months;
mod needs;
mod order;
mod outcome;
mod payment;
mod permanent_supporting_document;
mod pool_country;
mod proof;
mod proration;
mod refusal;
mod regenerate_credentials;
mod regenerate_sms_credentials;
mod renewal;
mod requirement_check;
mod rules;
mod sender_id_verification;
mod shared_capacity_group;
mod sms_trunk;
mod sms_trunk_group;
mod through_members;
mod vat_id;
mod voice_in_trunk;
mod voice_in_trunk_group;
mod voice_out_trunk;
mod write_context;

pub use address_verification::{Review, Reviewed, UNDER_REVIEW, review_address};
pub use blocking::{SpendingOutcome, decide_spending};
pub use created_in::created_in;
pub use decide_write::with_defaults;
pub use deletion::{DeleteContext, Dependents, MAX_DEPENDENTS, MAX_RELATED_RECORDS, RelatedRecords};
pub use did::block_while_waiting;
pub use did_history::{DidTerms, HistoryEntry, history_of};
pub use draft::Draft;
pub use emergency_calling_service::cancel as cancel_emergency_calling;
pub use emergency_review::{EmergencyReviewError, EmergencyReviewed, review_emergency};
pub use encrypted_file::FILE_LIFE;
pub use export::{MAKE_EXPORT, export_range};
pub use membership::Membership;
pub use months::{SHORTEST_PERIOD, month_after};
pub use needs::{Found, FoundRecord, Need};
pub use order::{CARRY_OUT, HELD, PLAN, cancel as cancel_order, with_period};
pub use outcome::{CREATED, CREATED_FIRST, Event, Later, Links, RecordChange, WriteOutcome};
pub use proration::{Share, begins_period, day_start, days_long, pool_share};
pub use refusal::{Refusal, WriteError};
pub use renewal::{
    DidRenewal, GRACE_PERIOD, IS_BILLED, MONTHLY_PRICE, PAYMENT_WAIT, PoolRenewal, Purse, ServiceRenewal,
    renew_did, renew_pool, renew_service,
};
pub use rules::{Counted, LinkedRead, MembersRead, Rulebook, Rules, TypeRules};
pub use sms_trunk::complete_sms_trunk;
pub use voice_in_trunk::complete_configuration;
pub use voice_out_trunk::{TrunkOperation, apply_to_trunk};
pub use write_context::{Credentials, LinkedRecord, RecordText, WriteContext, WriteKind};
