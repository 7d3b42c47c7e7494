//! The form of the caller's number in a call to a trunk (`cli_format`, `cli_prefix`).
//!
//! DIDWW converts "where it can be converted". Here the table of numbering plans decides: a number that is neither
//! complete nor a number of the DID's country is passed on as it was received.

use didww_types::resources::CliFormat;

use crate::outbound::{Country, calling_code, country};

/// Returns the caller's number in the form that a trunk requires, with its prefix.
///
/// `did` is the called number in E.164 form without the plus sign. Without a format, the number is converted to E.164
/// without the plus sign, which a prefix can add. A caller without a number (`anonymous`, a name, an empty text) is
/// passed on unchanged, without the prefix.
pub fn caller_number(received: &str, did: &str, format: Option<&CliFormat>, prefix: &str) -> String {
    let digits = received.strip_prefix('+').unwrap_or(received);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return received.to_owned();
    }
    let number = match format {
        Some(CliFormat::Raw) => None,
        Some(CliFormat::Local) => full(received, did).map(|full| national(&full, did).unwrap_or(full)),
        _ => full(received, did),
    };
    format!("{prefix}{}", number.as_deref().unwrap_or(received))
}

/// Returns the country of the caller's number; `None` of a caller without a number, and of one that belongs to no
/// country.
///
/// `did` is the called number in E.164 form without the plus sign: a national number is one of its country.
pub fn caller_country(received: &str, did: &str) -> Option<Country> {
    let digits = received.strip_prefix('+').unwrap_or(received);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    country(&full(received, did)?)
}

/// The number with its calling code and without a plus sign; `None` if it cannot be determined.
///
/// A number that is complete as received is taken as complete, even if it could also be a national one.
fn full(received: &str, did: &str) -> Option<String> {
    if let Some(digits) = received.strip_prefix('+') {
        return Some(digits.to_owned());
    }
    let international = received.strip_prefix("00").unwrap_or(received);
    if country(international).is_some() {
        return Some(international.to_owned());
    }
    let (home, code) = (country(did)?, calling_code(&format!("+{did}"))?);
    // Some countries, such as Italy, keep the zero in full numbers.
    let without_trunk_prefix = received.strip_prefix('0').unwrap_or(received);
    [received, without_trunk_prefix]
        .into_iter()
        .map(|national| format!("{code}{national}"))
        .find(|candidate| country(candidate) == Some(home))
}

/// The number without its calling code, if it is of the DID's country.
fn national(full: &str, did: &str) -> Option<String> {
    let home = country(did)?;
    let code = calling_code(&format!("+{did}"))?.to_string();
    if country(full)? != home {
        return None;
    }
    full.strip_prefix(&code).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GB: &str = "442079460018";
    const US: &str = "12025550143";

    fn written(received: &str, did: &str, format: &CliFormat) -> String {
        caller_number(received, did, Some(format), "")
    }

    #[test]
    fn e164_is_the_full_number_without_a_plus_sign() {
        for (received, did, expected) in [
            ("+442079460999", GB, "442079460999"),
            ("00442079460999", GB, "442079460999"),
            ("442079460999", US, "442079460999"),
            ("02079460999", GB, "442079460999"),
            ("12025550187", GB, "12025550187"),
        ] {
            assert_eq!(written(received, did, &CliFormat::E164), expected, "{received}");
            assert_eq!(caller_number(received, did, None, ""), expected, "{received} without a format");
        }
    }

    #[test]
    fn the_country_of_a_caller_is_that_of_the_full_number() {
        for (received, did, expected) in [
            ("+442079460999", US, Some("gb")),
            ("00442079460999", US, Some("gb")),
            ("02079460999", GB, Some("gb")),
            ("12025550187", GB, Some("us")),
            ("+4", GB, None),
            ("anonymous", GB, None),
            ("", GB, None),
        ] {
            assert_eq!(caller_country(received, did).map(Country::as_str), expected, "{received}");
        }
    }

    #[test]
    fn local_is_the_national_number_if_the_caller_is_in_the_country_of_the_did() {
        assert_eq!(written("+442079460999", GB, &CliFormat::Local), "2079460999");
        assert_eq!(written("+12025550187", US, &CliFormat::Local), "2025550187");
        assert_eq!(written("+442079460999", US, &CliFormat::Local), "442079460999");
    }

    #[test]
    fn raw_is_what_was_received() {
        for received in ["+442079460999", "00442079460999", "02079460999", "112"] {
            assert_eq!(written(received, GB, &CliFormat::Raw), received);
        }
    }

    #[test]
    fn what_cannot_be_converted_is_passed_on_and_no_name_receives_a_prefix() {
        assert_eq!(caller_number("112", GB, Some(&CliFormat::E164), "+"), "+112");
        for caller in ["anonymous", "", "+", "alice"] {
            assert_eq!(caller_number(caller, GB, Some(&CliFormat::E164), "+"), caller);
        }
        assert_eq!(caller_number("442079460999", US, Some(&CliFormat::Raw), "0011#"), "0011#442079460999");
    }

    proptest! {
        #[test]
        fn every_caller_keeps_its_last_digits_behind_the_prefix(
            received in "\\+?[0-9]{1,15}",
            did in "[0-9]{1,20}",
            format in prop::sample::select(vec![CliFormat::Raw, CliFormat::E164, CliFormat::Local]),
            prefix in "[A-Za-z0-9+#]{0,7}",
        ) {
            let written = caller_number(&received, &did, Some(&format), &prefix);
            let number = written.strip_prefix(&prefix).unwrap();
            let ends = |whole: &str, end: &str| whole.ends_with(end);
            prop_assert!(!number.is_empty());
            // A conversion changes only the beginning: codes, zeros and the plus sign.
            prop_assert!(ends(number, received.trim_start_matches(['+', '0'])) || ends(&received, number));
        }

        #[test]
        fn no_text_makes_it_panic(received in "\\PC{0,20}", did in "\\PC{0,20}") {
            for format in [CliFormat::Raw, CliFormat::E164, CliFormat::Local] {
                caller_number(&received, &did, Some(&format), "");
            }
        }
    }
}
