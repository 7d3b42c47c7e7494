//! The countries that a customer may call.

use super::country::Country;

/// Why a whitelist is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhitelistError {
    /// An entry is empty or consists of blanks.
    #[error("destination_whitelist entry cannot be empty")]
    Empty,
    /// An entry is not a known country code.
    #[error("invalid ISO 3166 alpha-2 country code: {0:?}")]
    Unknown(String),
    /// A country occurs twice, in any case.
    #[error("duplicate country code after normalization: {0:?}")]
    Duplicate(String),
}

/// Parses entries in any case, with or without surrounding blanks, and keeps their order.
pub fn read_whitelist(entries: &[impl AsRef<str>]) -> Result<Vec<Country>, WhitelistError> {
    let mut whitelist = Vec::with_capacity(entries.len().min(256));
    for entry in entries.iter().map(AsRef::as_ref) {
        if entry.trim().is_empty() {
            return Err(WhitelistError::Empty);
        }
        let country =
            Country::parse(entry.trim()).ok_or_else(|| WhitelistError::Unknown(entry.to_owned()))?;
        if whitelist.contains(&country) {
            return Err(WhitelistError::Duplicate(entry.to_owned()));
        }
        whitelist.push(country);
    }
    Ok(whitelist)
}

/// Whether a country is on a stored whitelist. An empty list permits no country.
pub fn is_whitelisted(whitelist: &[impl AsRef<str>], country: Country) -> bool {
    whitelist.iter().any(|entry| entry.as_ref().eq_ignore_ascii_case(country.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(entries: &[&str]) -> Result<Vec<&'static str>, String> {
        let countries = read_whitelist(entries).map_err(|error| error.to_string())?;
        Ok(countries.into_iter().map(Country::as_str).collect())
    }

    #[test]
    fn entries_are_read_in_any_case_and_kept_in_lower_case_and_order() {
        assert_eq!(read(&["US", " gb ", "Kr"]), Ok(vec!["us", "gb", "kr"]));
        assert_eq!(read(&[]), Ok(vec![]));
    }

    #[test]
    fn blank_unknown_and_repeated_entries_are_refused_with_their_texts() {
        assert_eq!(read(&[" "]), Err("destination_whitelist entry cannot be empty".into()));
        assert_eq!(read(&["zz"]), Err("invalid ISO 3166 alpha-2 country code: \"zz\"".into()));
        assert_eq!(read(&["us", "US"]), Err("duplicate country code after normalization: \"US\"".into()));
    }

    #[test]
    fn the_first_broken_entry_is_the_one_named() {
        assert_eq!(read(&["us", "zz", ""]), Err("invalid ISO 3166 alpha-2 country code: \"zz\"".into()));
    }

    #[test]
    fn an_empty_list_permits_nothing() {
        assert!(!is_whitelisted(&[""; 0], Country::parse("us").unwrap()));
    }

    proptest! {
        #[test]
        fn exactly_the_listed_countries_are_permitted(picks in proptest::collection::vec(0usize..251, 0..20)) {
            let all: Vec<Country> = Country::all().collect();
            let listed: Vec<String> = picks.iter().map(|pick| all[*pick].as_str().to_uppercase()).collect();
            for (index, country) in all.iter().enumerate() {
                prop_assert_eq!(is_whitelisted(&listed, *country), picks.contains(&index));
            }
        }
    }
}
