//! Whether the caller's number is withheld from the callee.
//!
//! Any text is accepted and stored: nothing enforces the three documented values, and only `yes` has an
//! effect.

use voipbin_types::Anonymous;

/// Whether the number is withheld. `auto`, the value of a request that sends none, presents it at present,
/// and so does every unknown text.
pub const fn hides_caller(anonymous: &Anonymous) -> bool {
    matches!(anonymous, Anonymous::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_hides_the_caller() {
        assert!(hides_caller(&Anonymous::from("yes")));
        for text in ["no", "auto", "", "Yes", "maybe"] {
            assert!(!hides_caller(&Anonymous::from(text)), "{text:?}");
        }
        assert!(!hides_caller(&Anonymous::default()));
    }
}
