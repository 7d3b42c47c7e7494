//! The forms of VAT numbers, by country.
//!
//! Those of the European Union are the forms that its service for the validation of VAT numbers (VIES) publishes, with
//! or without the two letters in front. Only the form is checked, not the check digit or whether the number exists.

/// Whether a number can be a VAT number of a country, by its two letters of ISO 3166-1. For a country whose form is not
/// known here, any text of letters, digits, spaces and `-./` is one.
pub(super) fn is_valid(country: &str, number: &str) -> bool {
    let is_mark = |letter: char| letter.is_whitespace() || "-./".contains(letter);
    let text: String = number.chars().filter(|letter| !is_mark(*letter)).collect();
    let text = text.to_ascii_uppercase();
    if text.is_empty()
        || !text.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"+*".contains(&letter))
    {
        return false;
    }
    let country = country.to_ascii_uppercase();
    let Some((_, prefix, forms)) = FORMS.iter().find(|(iso, ..)| *iso == country) else { return true };
    let bare = text.strip_prefix(prefix).unwrap_or(&text);
    forms.iter().any(|form| matches(form, bare) || matches(form, &text))
}

/// The forms of a country: its letters in ISO 3166-1, those in front of its numbers, and the forms of the rest. In a
/// form `9` is a digit, `A` a letter and `X` either; other characters are literal.
type Country = (&'static str, &'static str, &'static [&'static str]);

const FORMS: &[Country] = &[
    ("AT", "AT", &["U99999999"]),
    ("BE", "BE", &["0999999999", "1999999999"]),
    ("BG", "BG", &["999999999", "9999999999"]),
    ("CY", "CY", &["99999999A"]),
    ("CZ", "CZ", &["99999999", "999999999", "9999999999"]),
    ("DE", "DE", &["999999999"]),
    ("DK", "DK", &["99999999"]),
    ("EE", "EE", &["999999999"]),
    ("ES", "ES", &["X9999999X"]),
    ("FI", "FI", &["99999999"]),
    ("FR", "FR", &["XX999999999"]),
    ("GB", "GB", &["999999999", "999999999999", "GD999", "HA999"]),
    ("GR", "EL", &["999999999"]),
    ("HR", "HR", &["99999999999"]),
    ("HU", "HU", &["99999999"]),
    ("IE", "IE", &["9999999A", "9999999AA", "9X99999A"]),
    ("IT", "IT", &["99999999999"]),
    ("LT", "LT", &["999999999", "999999999999"]),
    ("LU", "LU", &["99999999"]),
    ("LV", "LV", &["99999999999"]),
    ("MT", "MT", &["99999999"]),
    ("NL", "NL", &["XXXXXXXXXXXX"]),
    ("PL", "PL", &["9999999999"]),
    ("PT", "PT", &["999999999"]),
    ("RO", "RO", &["99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999"]),
    ("SE", "SE", &["999999999999"]),
    ("SI", "SI", &["99999999"]),
    ("SK", "SK", &["9999999999"]),
];

fn matches(form: &str, text: &str) -> bool {
    form.len() == text.len()
        && form.bytes().zip(text.bytes()).all(|(form, letter)| match form {
            b'9' => letter.is_ascii_digit(),
            b'A' => letter.is_ascii_uppercase(),
            // Dutch numbers also have `+` and `*`.
            b'X' => letter.is_ascii_alphanumeric() || b"+*".contains(&letter),
            _ => letter == form,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_form_of_its_country_with_or_without_its_letters() {
        for (country, number) in [
            ("DE", "DE123456789"),
            ("de", "123 456 789"),
            ("GR", "EL123456789"),
            ("AT", "ATU12345678"),
            ("AT", "U12345678"),
            ("ES", "ESX1234567X"),
            ("NL", "NL123456789B01"),
            ("GB", "GB123456789"),
            ("GB", "GBGD123"),
            ("RO", "RO12"),
            ("US", "12-3456789"),
        ] {
            assert!(is_valid(country, number), "{country} {number}");
        }
        for (country, number) in [
            ("DE", "DE12345678"),
            ("DE", "FR123456789"),
            ("DE", "ABCDEFGHI"),
            ("GR", "GR12345678"),
            ("AT", "AT12345678"),
            ("IT", "1234567890"),
            ("US", ""),
            ("US", " - "),
            ("US", "12_3"),
        ] {
            assert!(!is_valid(country, number), "{country} {number}");
        }
    }

    #[test]
    fn the_countries_are_in_their_order() {
        assert!(FORMS.is_sorted_by_key(|(country, ..)| *country));
        assert!(FORMS.iter().all(|(.., forms)| !forms.is_empty()));
    }
}
