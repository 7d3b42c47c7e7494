//! Suggestions for misspelt names.

/// Whether two names differ by at most two characters, or one contains the other.
pub(crate) fn is_like(known: &str, given: &str) -> bool {
    let given = given.replace('-', "_").to_ascii_lowercase();
    let contains = given.len() > 2 && (known.contains(&given) || given.contains(known));
    contains || strsim::levenshtein(known, &given) <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_are_found_and_others_are_not() {
        assert!(is_like("name", "nmae") && is_like("capacity_limit", "capacity-limit"));
        assert!(is_like("capacity_limit", "limit") && is_like("dids", "did"));
        assert!(!is_like("status", "name") && !is_like("rtp_ping", "callback_url"));
    }
}
