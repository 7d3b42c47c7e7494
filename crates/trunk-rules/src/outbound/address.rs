//! The form in which a call record stores the address of a party.

use voipbin_types::{Address, AddressKind};

/// Returns the address as a call record stores it: a `tel` target becomes a leading `+` and digits.
#[must_use]
pub fn normalise_address(address: &Address) -> Address {
    let target = match address.kind {
        AddressKind::Tel => normalise_tel(&address.target),
        _ => address.target.clone(),
    };
    Address { target, ..address.clone() }
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
        let address = Address::sip("sip:a 1@x");
        assert_eq!(normalise_address(&address), address);
        assert_eq!(normalise_address(&Address::tel("+1 2")).target, "+12");
    }

    proptest! {
        #[test]
        fn normalising_is_idempotent(text in "\\PC{0,20}") {
            let once = normalise_tel(&text);
            prop_assert_eq!(normalise_tel(&once), once);
        }
    }
}
