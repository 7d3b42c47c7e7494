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
    /// The key of the signatures, in recoverable form.
    pub secret: Secret,
    /// Whether callbacks are signed with it; others are kept and sign nothing.
    pub is_enabled: bool,
    /// When the secret was created, on the server's clock.
    pub created_at: Timestamp,
}
