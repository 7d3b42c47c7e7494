//! The secrets that sign an account's callbacks.

use didww_types::{Secret, Timestamp};
use uuid::Uuid;

/// Maximum number of callback secrets of an account.
pub const MAX_CALLBACK_SECRETS: u64 = 20;

/// A secret that signs the callbacks of an account while it is enabled. At most one of an account is. It is stored in
/// recoverable form, because a signature needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallbackSecret {
    /// The id on the control interface.
    pub id: Uuid,
    /// The secret.
    pub secret: Secret,
    /// Whether it signs callbacks.
    pub is_enabled: bool,
    /// The time of creation.
    pub created_at: Timestamp,
}
