//! Patterns of paths, in which `*` stands for any text.

/// Whether a text matches a pattern: `*` matches any text, including the empty text and slashes; other characters match
/// themselves.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_any_text_and_all_else_is_itself() {
        for (pattern, text) in [
            ("/v3/dids", "/v3/dids"),
            ("/v3/dids*", "/v3/dids"),
            ("/v3/dids/*", "/v3/dids/1/trunk"),
            ("*/trunk", "/v3/dids/1/trunk"),
            ("/v3/*/1/*", "/v3/dids/1/trunk"),
            ("*", ""),
            ("a*b*b", "abb"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("/v3/dids", "/v3/dids/1"), ("/v3/dids/*", "/v3/dids"), ("a*b*b", "ab"), ("*x", "xy"), ("", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
