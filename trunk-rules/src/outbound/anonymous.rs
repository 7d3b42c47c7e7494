//! Whether the called side sees who calls.
//!
//! Any text is accepted and kept: nothing enforces the three documented words, and only one has an effect.

/// What a request says of its caller's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anonymous {
    /// The number is withheld.
    Yes,
    /// The number is shown.
    No,
    /// The platform decides; today it shows the number. Every text that is not known counts as this.
    #[default]
    Auto,
}

impl Anonymous {
    /// Reads what a request said, which may be nothing.
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

/// What the record of a provider call says: the text as it was sent, `auto` where nothing was.
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
