//! Tokens that the platform's login endpoint does not issue.

use didww_types::Secret;
use uuid::Uuid;
use voipbin_platform::{Claims, DirectClaim, sign};

use crate::{Control, ControlError};

/// A kind of token that the login endpoint does not issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A token for one resource, valid for 4 hours. No endpoint of this server accepts it.
    Direct,
    /// A token for a delegate who acts for the customer, valid for 8 hours.
    Delegate,
}

impl Control {
    /// Issues a token that the login endpoint does not issue.
    ///
    /// # Errors
    /// If there is no such customer.
    pub fn token(&self, customer: Uuid, kind: TokenKind) -> Result<Secret, ControlError> {
        self.check_customer(customer)?;
        let hours = if kind == TokenKind::Direct { 4 } else { 8 };
        let end = self.platform.timestamps.now().after(std::time::Duration::from_hours(hours));
        let claims = match kind {
            TokenKind::Direct => Claims::direct(DirectClaim { customer_id: customer }, end),
            TokenKind::Delegate => {
                Claims::delegate(customer, self.core.ids.request(), self.core.ids.request(), end)
            }
        };
        Ok(Secret::new(sign(&self.platform.signing, &claims)))
    }
}
