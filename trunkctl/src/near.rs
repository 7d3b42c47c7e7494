//! Names that may be meant by a misspelt one.

/// Whether two names differ by at most two characters, or one contains the other.
pub(crate) fn is_like(known: &str, given: &str) -> bool {
    let given = given.replace('-', "_").to_ascii_lowercase();
    let contains = given.len() > 2 && (known.contains(&given) || given.contains(known));
    contains || distance(known, &given) <= 2
}

/// The number of characters to insert, delete or replace that make one text of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, character) in one.chars().enumerate() {
        let mut next = vec![index + 1];
        for ((above_left, above), with) in row.iter().zip(row.iter().skip(1)).zip(&other) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above + 1).min(left + 1).min(above_left + usize::from(character != *with)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
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
