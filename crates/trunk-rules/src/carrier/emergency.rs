//! Recognises emergency numbers, by the country of the caller number.
//!
//! An emulated edge never forwards an emergency call to a real network. The country is derived from the
//! calling code alone; countries that share a calling code (those of +1) share their emergency numbers here.

use std::collections::{BTreeSet, HashMap};

use super::Digits;

/// The emergency numbers of one calling code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyCountry {
    /// The calling code, such as 44. The longest matching code is used.
    pub calling_code: Digits,
    /// The emergency numbers, as dialled.
    pub numbers: BTreeSet<Digits>,
    /// The number that tests the service, if any; the call is answered with an announcement.
    pub test_number: Option<Digits>,
}

/// The emergency numbers of all countries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyNumbers {
    by_code: HashMap<Digits, EmergencyCountry>,
    max_length: usize,
}

/// A call to an emergency number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmergencyCall {
    /// The emergency number as dialled, without a plus, such as 112.
    pub number: Digits,
    /// The calling code of the caller's country; `None` if the caller number belongs to no known country.
    pub calling_code: Option<Digits>,
    /// Whether the call goes to the test number.
    pub test: bool,
}

impl EmergencyNumbers {
    /// Builds the table. Of two countries with the same calling code, the last one is kept.
    pub fn new(countries: impl IntoIterator<Item = EmergencyCountry>) -> Self {
        let by_code: HashMap<_, _> =
            countries.into_iter().map(|country| (country.calling_code, country)).collect();
        let max_length = by_code
            .values()
            .flat_map(|country| country.numbers.iter().chain(&country.test_number))
            .map(|number| number.len())
            .max();
        Self { by_code, max_length: max_length.unwrap_or(0) }
    }

    /// Returns the emergency call that a dialled text (after the tech prefix) makes in the caller's country,
    /// or `None` for an ordinary number.
    ///
    /// For a caller number of no known country, the emergency numbers of every country are recognised:
    /// otherwise 112 would be treated as an ordinary number.
    pub fn find(&self, dialled: &[u8], caller: Option<Digits>) -> Option<EmergencyCall> {
        // Some emergency numbers begin with 00, so the text is looked up as dialled before it is normalised.
        let without_plus = dialled.strip_prefix(b"+").unwrap_or(dialled);
        if without_plus.len() > self.max_length + 2 {
            return None;
        }
        let candidates = [Digits::parse(without_plus), super::normalise(dialled).ok()];
        let country = caller.and_then(|number| self.country(number));
        candidates.into_iter().flatten().find_map(|number| match country {
            Some(country) => country.call(number),
            None => self
                .by_code
                .values()
                .filter_map(|country| country.call(number))
                .min_by_key(|call| call.test)
                .map(|call| EmergencyCall { calling_code: None, ..call }),
        })
    }

    fn country(&self, number: Digits) -> Option<&EmergencyCountry> {
        (1..=number.len()).rev().find_map(|count| self.by_code.get(&number.first(count)?))
    }
}

impl EmergencyCountry {
    fn call(&self, number: Digits) -> Option<EmergencyCall> {
        let test = self.test_number == Some(number);
        (test || self.numbers.contains(&number)).then_some(EmergencyCall {
            number,
            calling_code: Some(self.calling_code),
            test,
        })
    }
}

impl Default for EmergencyNumbers {
    /// Public knowledge, not published by DIDWW. 933 is the test number everywhere, as it is in North
    /// America.
    fn default() -> Self {
        let test_number = Digits::parse(b"933");
        Self::new(DEFAULT_NUMBERS.iter().filter_map(|(code, numbers)| {
            Some(EmergencyCountry {
                calling_code: Digits::parse(code.as_bytes())?,
                numbers: numbers.split(' ').filter_map(|number| Digits::parse(number.as_bytes())).collect(),
                test_number,
            })
        }))
    }
}

const DEFAULT_NUMBERS: &[(&str, &str)] = &[
    ("1", "911"),
    ("7", "112 101 102 103"),
    ("27", "112 10111 10177"),
    ("30", "112 100 166 199"),
    ("31", "112"),
    ("32", "112 100 101"),
    ("33", "112 15 17 18 114"),
    ("34", "112"),
    ("36", "112 104 105 107"),
    ("39", "112 113 115 118"),
    ("40", "112"),
    ("41", "112 117 118 144"),
    ("43", "112 122 133 144"),
    ("44", "999 112"),
    ("45", "112"),
    ("46", "112"),
    ("47", "112 110 113"),
    ("48", "112 997 998 999"),
    ("49", "112 110"),
    ("52", "911"),
    ("54", "911 100 101 107"),
    ("55", "190 192 193"),
    ("56", "131 132 133"),
    ("57", "123"),
    ("60", "999 112"),
    ("61", "000 112 106"),
    ("62", "112"),
    ("63", "911"),
    ("64", "111"),
    ("65", "995 999"),
    ("66", "191 199 1669"),
    ("81", "110 119"),
    ("82", "112 119"),
    ("86", "110 119 120"),
    ("90", "112"),
    ("91", "112 100 101 102 108"),
    ("351", "112"),
    ("352", "112 113"),
    ("353", "112 999"),
    ("354", "112"),
    ("356", "112"),
    ("357", "112 199"),
    ("358", "112"),
    ("359", "112"),
    ("370", "112"),
    ("371", "112 110 113"),
    ("372", "112"),
    ("380", "112 101 102 103"),
    ("385", "112 192 193 194"),
    ("386", "112 113"),
    ("420", "112 150 155 158"),
    ("421", "112 150 155 158"),
    ("852", "999 112"),
    ("886", "110 119"),
    ("971", "997 998 999"),
    ("972", "100 101 102"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(dialled: &str, caller: &str) -> Option<EmergencyCall> {
        EmergencyNumbers::default().find(dialled.as_bytes(), caller.parse().ok())
    }

    #[test]
    fn an_emergency_number_is_one_in_the_country_of_the_caller_number() {
        assert!(find("999", "442012345678").is_some());
        assert!(find("911", "442012345678").is_none());
        assert!(find("911", "12125550100").is_some());
        assert!(find("999", "12125550100").is_none());
    }

    #[test]
    fn the_longest_calling_code_determines_the_country() {
        let country = |code: &str, number: &str| EmergencyCountry {
            calling_code: code.parse().unwrap(),
            numbers: [number.parse().unwrap()].into(),
            test_number: None,
        };
        let numbers = EmergencyNumbers::new([country("1", "911"), country("1876", "119")]);
        let find = |dialled: &[u8], caller: &str| numbers.find(dialled, caller.parse().ok()).is_some();
        assert!(find(b"119", "18765550100") && !find(b"911", "18765550100"));
        assert!(find(b"911", "12125550100") && !find(b"119", "12125550100"));
    }

    #[test]
    fn an_emergency_number_of_zeros_is_not_mistaken_for_an_international_prefix() {
        assert_eq!(find("000", "61212345678").unwrap().number.to_string(), "000");
    }

    #[test]
    fn a_plus_or_00_before_an_emergency_number_does_not_hide_it() {
        assert!(find("+112", "442012345678").is_some() && find("00112", "442012345678").is_some());
    }

    #[test]
    fn a_caller_of_no_known_country_reaches_the_emergency_numbers_of_every_country() {
        let call = find("999", "anonymous").unwrap();
        assert_eq!((call.calling_code, call.test), (None, false));
    }

    #[test]
    fn the_test_number_is_marked_as_such() {
        assert!(find("933", "12125550100").unwrap().test);
        assert!(!find("911", "12125550100").unwrap().test);
    }

    #[test]
    fn a_number_that_only_begins_like_an_emergency_number_is_ordinary() {
        assert!(find("9115550100", "12125550100").is_none() && find("", "12125550100").is_none());
    }

    #[test]
    fn the_built_in_table_is_read_whole() {
        let numbers = EmergencyNumbers::default();
        assert_eq!(numbers.by_code.len(), DEFAULT_NUMBERS.len());
        for (code, texts) in DEFAULT_NUMBERS {
            let country = &numbers.by_code[&code.parse::<Digits>().unwrap()];
            assert_eq!(country.numbers.len(), texts.split(' ').count(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(dialled in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = EmergencyNumbers::default().find(&dialled, None);
        }
    }
}
