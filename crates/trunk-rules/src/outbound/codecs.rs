//! Validates lists of codec names: strictly for a customer's configuration, loosely for providers. The names themselves
//! are not checked against known codecs; [`offered_codecs`] leaves out those that this server cannot send.

use crate::carrier::Codec;

/// The maximum length of either list in bytes.
const MAX_LIST_BYTES: usize = 255;

/// A configuration's codec list is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "codecs must be empty or a comma-separated list of codec names: letters and digits, single hyphens inside \
     (as in PCMU,AMR-WB), at most 255 characters"
)]
pub struct ConfigCodecsError;

/// Why a provider's codec list is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderCodecsError {
    /// The list is longer than 255 bytes.
    #[error("codecs string exceeds 255 characters")]
    TooLong,
    /// The list contains a line break.
    #[error("codecs must not contain CRLF characters")]
    LineBreak,
    /// The list contains a parenthesis.
    #[error("codecs must not contain parentheses")]
    Parenthesis,
    /// An element of the list is blank.
    #[error("codecs must not contain empty list elements (double comma)")]
    EmptyElement,
}

impl ProviderCodecsError {
    /// The error message for the client.
    pub fn message(self) -> String {
        format!("Invalid codecs value: {self}")
    }
}

/// Validates a configuration's list: empty, or names of letters and digits with single hyphens inside.
pub fn config_codecs(codecs: &str) -> Result<(), ConfigCodecsError> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let well_formed = codecs.split(',').all(|name| name.split('-').all(is_word));
    if codecs.is_empty() || (codecs.len() <= MAX_LIST_BYTES && well_formed) {
        Ok(())
    } else {
        Err(ConfigCodecsError)
    }
}

/// Validates a provider's list and returns it without blanks around its elements.
pub fn provider_codecs(codecs: &str) -> Result<String, ProviderCodecsError> {
    if codecs.len() > MAX_LIST_BYTES {
        return Err(ProviderCodecsError::TooLong);
    }
    if codecs.contains(['\r', '\n']) {
        return Err(ProviderCodecsError::LineBreak);
    }
    if codecs.contains(['(', ')']) {
        return Err(ProviderCodecsError::Parenthesis);
    }
    if codecs.is_empty() {
        return Ok(String::new());
    }
    let elements: Vec<&str> = codecs.split(',').map(str::trim).collect();
    if elements.contains(&"") { Err(ProviderCodecsError::EmptyElement) } else { Ok(elements.join(",")) }
}

/// Returns the codecs of a list that calls can be sent with, in its order: G.711 alone. Names are compared without
/// regard to case and without a clock rate (`PCMU/8000`). Empty for a list that has none of them.
pub fn offered_codecs(codecs: &str) -> Vec<Codec> {
    let mut offered: Vec<Codec> = Vec::new();
    for name in codecs.split(',').map(|element| element.split('/').next().unwrap_or_default().trim()) {
        let known = [Codec::Pcmu, Codec::Pcma];
        let known = known.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name));
        if let Some(codec) = known.filter(|codec| !offered.contains(codec)) {
            offered.push(codec);
        }
    }
    offered
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_codecs_of_an_offer_are_those_of_the_list_that_can_be_sent() {
        for (list, offered) in [
            ("", &[][..]),
            ("G729,opus", &[]),
            ("PCMA", &[Codec::Pcma]),
            ("G729,pcma/8000,PCMU", &[Codec::Pcma, Codec::Pcmu]),
            ("PCMU,PCMU,PCMA,telephone-event", &[Codec::Pcmu, Codec::Pcma]),
        ] {
            assert_eq!(offered_codecs(list), offered, "{list}");
        }
    }

    #[test]
    fn a_configuration_takes_names_with_single_inner_hyphens() {
        for codecs in ["", "PCMU", "PCMU,AMR-WB", "telephone-event,G729", &"a".repeat(255)] {
            assert_eq!(config_codecs(codecs), Ok(()), "{codecs}");
        }
        for codecs in [
            "PCMU;PCMA",
            "-PCMU",
            "PCMU-",
            "A--B",
            "PCMU, PCMA",
            "a/b",
            "a\r\n",
            ",",
            "a,,b",
            &"a".repeat(256),
        ] {
            assert_eq!(config_codecs(codecs), Err(ConfigCodecsError), "{codecs}");
        }
    }

    #[test]
    fn a_providers_list_is_stored_without_blanks() {
        assert_eq!(provider_codecs("PCMU, PCMA").as_deref(), Ok("PCMU,PCMA"));
        assert_eq!(provider_codecs("").as_deref(), Ok(""));
    }

    #[test]
    fn a_providers_list_is_checked_in_a_fixed_order() {
        let long = format!("{}\r\n()", ",".repeat(255));
        assert_eq!(provider_codecs(&long), Err(ProviderCodecsError::TooLong));
        assert_eq!(provider_codecs("\n(,"), Err(ProviderCodecsError::LineBreak));
        assert_eq!(provider_codecs("(,"), Err(ProviderCodecsError::Parenthesis));
        assert_eq!(provider_codecs("PCMU,,PCMA"), Err(ProviderCodecsError::EmptyElement));
        assert_eq!(provider_codecs(" "), Err(ProviderCodecsError::EmptyElement));
        assert_eq!(
            ProviderCodecsError::EmptyElement.message(),
            "Invalid codecs value: codecs must not contain empty list elements (double comma)"
        );
    }

    proptest! {
        #[test]
        fn a_normalised_list_normalises_to_itself(codecs in "[A-Z ,]{0,40}") {
            if let Ok(once) = provider_codecs(&codecs) {
                prop_assert_eq!(provider_codecs(&once), Ok(once.clone()));
            }
        }
    }
}
