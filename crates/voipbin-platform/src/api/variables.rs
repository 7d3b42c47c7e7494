//! The limits of the variables that a request passes to the flow of its calls.

use std::collections::BTreeMap;

use crate::error::{ApiError, Status};

/// Maximum number of variables of a request.
const MAX_VARIABLES: usize = 100;
/// Maximum number of bytes of one value.
const MAX_VALUE_BYTES: usize = 32 * 1024;
/// Maximum number of bytes of all names and values together.
const MAX_TOTAL_BYTES: usize = 64 * 1024;

/// Checks the limits, in VoIPBIN's order and with its messages. It checks them before the caller's
/// permissions.
///
/// # Errors
/// The first limit that is exceeded.
pub(super) fn check(variables: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    let exceeded = if variables.len() > MAX_VARIABLES {
        "too many variables (max 100)"
    } else if variables.values().any(|value| value.len() > MAX_VALUE_BYTES) {
        "variable value exceeds 32KB"
    } else if bytes > MAX_TOTAL_BYTES {
        "variables total size exceeds 64KB"
    } else {
        return Ok(());
    };
    Err(ApiError::new(Status::InvalidArgument, "INVALID_VARIABLES", exceeded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(variables: impl IntoIterator<Item = (String, String)>) -> Option<String> {
        check(&variables.into_iter().collect()).err().map(|error| error.message.into_owned())
    }

    #[test]
    fn each_limit_is_exceeded_by_one_more_and_not_before() {
        let many = |count: usize| (0..count).map(|n| (format!("v{n}"), String::new()));
        assert_eq!(refusal(many(100)), None);
        assert_eq!(refusal(many(101)).as_deref(), Some("too many variables (max 100)"));
        let value = |bytes| [("a".to_owned(), "x".repeat(bytes))];
        assert_eq!(refusal(value(32_768)), None);
        assert_eq!(refusal(value(32_769)).as_deref(), Some("variable value exceeds 32KB"));
        let total = |bytes: usize| {
            [("a".to_owned(), "x".repeat(32_768)), ("b".to_owned(), "x".repeat(bytes - 32_768 - 2))]
        };
        assert_eq!(refusal(total(65_536)), None);
        let named = [("a".repeat(10), "x".repeat(32_768)), ("b".to_owned(), "x".repeat(32_758))];
        assert_eq!(refusal(named).as_deref(), Some("variables total size exceeds 64KB"));
    }
}
