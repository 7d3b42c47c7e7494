//! Whether the caller's number is withheld from the callee.
//!
//! Any text is accepted and stored: nothing enforces the three documented values, and only `yes` has an
//! effect.

/// The `anonymous` value of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anonymous {
    /// The number is withheld.
    Yes,
    /// The number is presented.
    No,
    /// The platform decides; at present it presents the number. Every unknown text counts as this value.
    #[default]
    Auto,
}

impl Anonymous {
    /// Parses the value of a request; `None` if it was not sent.
    pub fn read(text: Option<&str>) -> Self {
        match text {
            Some("yes") => Self::Yes,
            Some("no") => Self::No,
            _ => Self::Auto,
        }
    }

    /// Whether the number is withheld.
    pub const fn hides(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// Returns the value for the record of a provider call: the text as sent, or `auto` if none was.
pub fn recorded_anonymous(text: Option<&str>) -> &str {
    text.unwrap_or("auto")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_hides_the_caller() {
        assert!(Anonymous::read(Some("yes")).hides());
        for text in [Some("no"), Some("auto"), Some(""), Some("Yes"), Some("maybe"), None] {
            assert!(!Anonymous::read(text).hides(), "{text:?}");
        }
    }

    #[test]
    fn an_absent_value_is_recorded_as_auto_and_any_other_as_sent() {
        assert_eq!(recorded_anonymous(None), "auto");
        assert_eq!(recorded_anonymous(Some("")), "");
        assert_eq!(recorded_anonymous(Some("maybe")), "maybe");
    }
}
