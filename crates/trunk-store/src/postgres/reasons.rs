//! The reasons why the database cannot be used, each of which is logged once until it can be used again.
//!
//! A loss is one line, and the attempts that follow may fail for another reason, which is the one to act on: a password
//! that was changed, a certificate that has expired, a server that is a standby now.

/// Maximum number of reasons that are logged of one loss, because a text may differ each time.
const MAX_REASONS: usize = 8;

/// The reasons that were logged since the database could be used last.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<String>);

impl Reasons {
    /// Whether a reason was not logged yet. The caller logs it then.
    pub(super) fn is_new(&mut self, reason: &str) -> bool {
        let is_new = self.0.len() < MAX_REASONS && !self.0.iter().any(|known| known == reason);
        if is_new {
            self.0.push(reason.to_owned());
        }
        is_new
    }

    /// Forgets all reasons: the database can be used.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_new_once_until_the_database_can_be_used_again() {
        let mut reasons = Reasons::default();
        assert!(reasons.is_new("it starts") && reasons.is_new("the password is wrong"));
        assert!(!reasons.is_new("it starts") && !reasons.is_new("the password is wrong"));
        reasons.clear();
        assert!(reasons.is_new("it starts"));
        let new = (0..100).filter(|number| reasons.is_new(&number.to_string())).count();
        assert_eq!(new, MAX_REASONS - 1);
    }
}
