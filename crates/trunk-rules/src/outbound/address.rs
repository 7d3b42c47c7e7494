//! An endpoint of a call, as the platform describes it.

/// An address object. A member that was not sent is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The type: `tel`, `sip` or another one.
    pub kind: String,
    /// The number or URI.
    pub target: String,
    /// The display name of the target.
    pub target_name: String,
    /// A name for the address itself.
    pub name: String,
    /// Free-text notes.
    pub detail: String,
}

impl Address {
    /// Creates an address of type `tel`.
    pub fn tel(target: impl Into<String>) -> Self {
        Self { kind: "tel".into(), target: target.into(), ..Self::default() }
    }

    /// Returns the address as a call record stores it: a `tel` target becomes a leading `+` and digits.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let target = if self.kind == "tel" { normalise_tel(&self.target) } else { self.target.clone() };
        Self { target, ..self.clone() }
    }
}

/// Trims the text and keeps a leading `+` and the ASCII digits. A text without a digit is returned unchanged.
pub fn normalise_tel(target: &str) -> String {
    let mut number = String::with_capacity(target.len());
    if target.trim().starts_with('+') {
        number.push('+');
    }
    number.extend(target.chars().filter(char::is_ascii_digit));
    if number.len() > usize::from(number.starts_with('+')) { number } else { target.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn separators_go_and_the_leading_plus_stays() {
        assert_eq!(normalise_tel(" +1 (415) 555-1234 "), "+14155551234");
        assert_eq!(normalise_tel("1+2"), "12");
    }

    #[test]
    fn a_text_without_digits_is_kept() {
        for text in ["alice", "+", ""] {
            assert_eq!(normalise_tel(text), text);
        }
    }

    #[test]
    fn only_telephone_addresses_are_normalised() {
        let address = Address { kind: "sip".into(), target: "sip:a 1@x".into(), ..Address::default() };
        assert_eq!(address.normalised(), address);
        assert_eq!(Address::tel("+1 2").normalised().target, "+12");
    }

    proptest! {
        #[test]
        fn normalising_is_idempotent(text in "\\PC{0,20}") {
            let once = normalise_tel(&text);
            prop_assert_eq!(normalise_tel(&once), once);
        }
    }
}
