//! Determines the country and the calling code of a telephone number.
//!
//! A country whitelist is only as reliable as this look-up, so a number that does not clearly belong to one
//! country belongs to none. The table is this project's own: crates with libphonenumber's complete metadata
//! bring a parser, a formatter, several hundred regular expressions, some ten megabytes of memory and a slow
//! first call, where a few string comparisons suffice. Human-readable forms (spaces, brackets, national
//! numbers) are not parsed: a number here is `+` and digits, or digits alone.

mod plan;

use plan::{PLANS, Plan, WITHOUT_COUNTRY};

/// Two-letter codes that a whitelist may contain: ISO 3166-1, and `ac` and `xk`.
const COUNTRY_CODES: &str = "\
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs \
    bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg \
    eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr \
    ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr \
    ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng \
    ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se \
    sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua \
    ug um us uy uz va vc ve vg vi vn vu wf ws xk ye yt za zm zw";

/// A country, by its ISO 3166 alpha-2 code in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    /// Parses a two-letter code in any case; `None` if it is unknown.
    pub fn parse(code: &str) -> Option<Self> {
        Self::all().find(|country| country.0.eq_ignore_ascii_case(code))
    }

    /// All countries that a whitelist may contain, sorted by code.
    pub fn all() -> impl Iterator<Item = Self> {
        COUNTRY_CODES.split_ascii_whitespace().map(Self)
    }

    /// The code in lower case.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Returns the country of a full number, with or without `+`. The calling code, the leading digits and the
/// length must all match.
pub fn country(number: &str) -> Option<Country> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let (code, national) = split(digits)?;
    let mut found: Option<(&Plan, usize)> = None;
    for plan in plans(code) {
        let matching = plan.beginnings.split_ascii_whitespace().filter(|start| national.starts_with(*start));
        if let Some(longest) = matching.map(str::len).max()
            && found.is_none_or(|(_, length)| length < longest)
        {
            found = Some((plan, longest));
        }
    }
    let (plan, _) = found.filter(|(plan, _)| plan.has_length(national.len()))?;
    Some(Country(plan.region))
}

/// Returns the calling code of a dialled text, parsed as dialled in the United States: `+` or `011` begins an
/// international number, anything else is a number of calling code 1. Characters other than digits are
/// ignored.
pub fn calling_code(dialled: &str) -> Option<u16> {
    let digits: String = dialled.chars().filter(char::is_ascii_digit).collect();
    let international = if dialled.trim_start().starts_with('+') {
        Some(digits.as_str())
    } else {
        digits.strip_prefix("011").filter(|rest| !rest.starts_with('0'))
    };
    match international {
        Some(digits) => split(digits).filter(|(_, national)| national.len() >= 2).map(|(code, _)| code),
        None => (digits.len() >= 2).then_some(1),
    }
}

/// Returns the target under which routes for a dialled text are stored: `+` and the calling code.
pub fn route_target(dialled: &str) -> Option<String> {
    calling_code(dialled).map(|code| format!("+{code}"))
}

/// Splits digits into calling code and national number. No calling code is a prefix of another, so the first
/// match is the only one.
fn split(digits: &str) -> Option<(u16, &str)> {
    if digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.starts_with('0') {
        return None;
    }
    (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        let code = code.parse().ok()?;
        (!plans(code).is_empty() || WITHOUT_COUNTRY.contains(&code)).then_some((code, national))
    })
}

fn plans(code: u16) -> &'static [Plan] {
    let first = PLANS.partition_point(|plan| plan.code < code);
    let rest = PLANS.get(first..).unwrap_or_default();
    rest.get(..rest.partition_point(|plan| plan.code == code)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const EXAMPLES: &str = include_str!("../../../../fixtures/numbering/examples.tsv");

    fn of(number: &str) -> Option<&'static str> {
        country(number).map(Country::as_str)
    }

    #[test]
    fn every_example_number_of_the_metadata_belongs_to_its_region() {
        let mut seen = 0;
        for line in EXAMPLES.lines().filter(|line| !line.starts_with('#')) {
            let (region, number) = line.split_once('\t').unwrap();
            assert_eq!(of(number), Some(region), "{number}");
            seen += 1;
        }
        assert!(seen > 450, "{seen}");
    }

    #[test]
    fn within_calling_code_1_the_area_code_decides() {
        for (number, region) in [
            ("+12125551234", "us"),
            ("+14165551234", "ca"),
            ("+12425551234", "bs"),
            ("+12465551234", "bb"),
            ("+18765551234", "jm"),
            ("+16585551234", "jm"),
            ("+18095551234", "do"),
            ("+17875551234", "pr"),
            ("+18685551234", "tt"),
            ("+18085551234", "us"),
        ] {
            assert_eq!(of(number), Some(region), "{number}");
        }
        assert_eq!(of("+19995551234"), None, "an unassigned area code");
    }

    #[test]
    fn regions_that_share_a_calling_code_are_distinguished() {
        for (number, region) in [
            ("+74951234567", "ru"),
            ("+77271234567", "kz"),
            ("+442079460000", "gb"),
            ("+441481256789", "gg"),
            ("+441534456789", "je"),
            ("+441624756789", "im"),
            ("+390612345678", "it"),
            ("+390669812345", "va"),
            ("+4722123456", "no"),
            ("+4779123456", "sj"),
            ("+61291234567", "au"),
            ("+61891641234", "cx"),
            ("+61891621234", "cc"),
            ("+358912345678", "fi"),
            ("+3581812345678", "ax"),
            ("+262262161234", "re"),
            ("+262269601234", "yt"),
            ("+59997001234", "cw"),
            ("+5997151234", "bq"),
            ("+672106609", "nf"),
        ] {
            assert_eq!(of(number), Some(region), "{number}");
        }
    }

    #[test]
    fn the_plus_is_optional_and_nothing_else_is_read() {
        assert_eq!(of("821012345678"), Some("kr"));
        for number in
            ["", "+", "++12125551234", "+1 212 555 1234", "+1-212-555-1234", "0012125551234", "tel", "１"]
        {
            assert_eq!(of(number), None, "{number}");
        }
    }

    #[test]
    fn a_number_too_short_too_long_or_of_no_country_belongs_nowhere() {
        for number in
            ["+1212555123", "+121255512345", "+44207946", "+999123456789", "+80012345678", "+883510012345"]
        {
            assert_eq!(of(number), None, "{number}");
        }
    }

    #[test]
    fn the_calling_code_is_read_as_from_the_united_states() {
        for (dialled, code) in [
            ("+821012345678", Some(82)),
            ("+12125551234", Some(1)),
            ("2125551234", Some(1)),
            ("01182-10-1234-5678", Some(82)),
            ("821012345678", Some(1)),
            ("+80012345678", Some(800)),
            ("+999123456789", None),
            ("+012345", None),
            ("+4", None),
            ("", None),
        ] {
            assert_eq!(calling_code(dialled), code, "{dialled}");
        }
        assert_eq!(route_target("+442079460000").as_deref(), Some("+44"));
    }

    #[test]
    fn rows_stand_in_order_and_each_names_a_country_that_a_whitelist_may_hold() {
        assert!(PLANS.is_sorted_by_key(|plan| plan.code));
        let mut beginnings = HashMap::new();
        for plan in PLANS {
            assert_eq!(Country::parse(plan.region).map(Country::as_str), Some(plan.region));
            for start in plan.beginnings.split_ascii_whitespace() {
                assert!(start.bytes().all(|byte| byte.is_ascii_digit()), "{} {start}", plan.region);
                let other = beginnings.insert((plan.code, start), plan.region);
                assert_eq!(other, None, "+{} {start} occurs twice", plan.code);
            }
        }
    }

    #[test]
    fn codes_are_read_in_any_case_and_unknown_ones_are_refused() {
        assert_eq!(Country::parse("US"), Country::parse("us"));
        assert_eq!(Country::parse("Xk").map(Country::as_str), Some("xk"));
        for code in ["zz", "usa", "u", "", "us "] {
            assert_eq!(Country::parse(code), None, "{code}");
        }
        assert!(Country::all().is_sorted() && Country::all().count() == 251);
    }

    proptest! {
        #[test]
        fn a_number_with_a_country_has_the_calling_code_of_one_of_its_rows(number in "[1-9][0-9]{4,15}") {
            if let Some(country) = country(&number) {
                let code = calling_code(&format!("+{number}")).unwrap();
                prop_assert!(plans(code).iter().any(|plan| plan.region == country.as_str()));
            }
        }

        #[test]
        fn no_text_makes_the_lookups_panic(text in "\\PC{0,20}") {
            let _ = (country(&text), calling_code(&text));
        }
    }
}
