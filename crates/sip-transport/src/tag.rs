//! The tag of a `From` or `To` value.

/// The `tag` parameter of a `From` or `To` value; `None` if it is absent or empty.
///
/// Parameters inside `<>` belong to the URI and not to the header, and quoted text is a display name: both
/// are ignored.
pub fn tag_of(value: &str) -> Option<&str> {
    let after_name = match value.rfind('"') {
        Some(quote) => value.get(quote + 1..)?,
        None => value,
    };
    let parameters = match after_name.rfind('>') {
        Some(end) => after_name.get(end + 1..)?,
        // Without brackets, the value must at least resemble an address.
        None if after_name.contains('<') || !after_name.contains(':') => return None,
        None => after_name,
    };
    let tag = parameters.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("tag").then(|| value.trim())
    })?;
    (!tag.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_headers_own_and_not_the_uris_or_the_names() {
        assert_eq!(tag_of("<sip:a@b;tag=no>;x=1;TAG = yes ;y"), Some("yes"));
        assert_eq!(tag_of("sip:a@b;tag=bare"), Some("bare"));
        assert_eq!(tag_of("\"x>;tag=no\" <sip:a@b>;tag=yes"), Some("yes"));
        assert_eq!(tag_of("\"x;tag=no\" <sip:a@b>"), None);
        assert_eq!(tag_of("<sip:a@b>;tag="), None);
        assert_eq!(tag_of("<sip:a@b;tag;tag=x"), None);
        assert_eq!(tag_of(";tag=x"), None);
    }
}
