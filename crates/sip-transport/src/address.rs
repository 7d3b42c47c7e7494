//! Lists of addresses in header values, such as `Contact` and `Route`.

/// Splits a header value at its commas, except for those in quotes or angle brackets. Entries are trimmed;
/// empty ones are left out.
pub fn entries(value: &str) -> Vec<&str> {
    let (mut entries, mut from) = (Vec::new(), 0);
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => bracketed = true,
            b'>' if !quoted => bracketed = false,
            b',' if !quoted && !bracketed => {
                entries.push(value.get(from..at).unwrap_or_default().trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    entries.push(value.get(from..).unwrap_or_default().trim());
    entries.retain(|entry| !entry.is_empty());
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_at_commas_that_are_neither_quoted_nor_in_brackets() {
        assert_eq!(
            entries("<sip:a,b@h;lr>, \"x, \\\"y\" <sip:c@h>,,"),
            ["<sip:a,b@h;lr>", "\"x, \\\"y\" <sip:c@h>"]
        );
        assert!(entries(" ").is_empty());
    }
}
