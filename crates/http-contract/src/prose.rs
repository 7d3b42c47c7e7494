//! The comments of Rust types as descriptions for readers of the document.

/// Removes the targets of rustdoc's links, which lead nowhere outside of rustdoc: ``[`ZERO`](super::ZERO)`` becomes
/// `` `ZERO` ``. Links to URLs stay.
pub(crate) fn without_rust_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        rest = after;
        let Some((label, after_label)) = after.split_once(']') else {
            plain.push('[');
            continue;
        };
        let target = after_label.strip_prefix('(').and_then(|target| target.split_once(')'));
        match target {
            Some((target, _)) if target.contains("://") => plain.push('['),
            Some((_, after_target)) => {
                plain.push_str(label);
                rest = after_target;
            }
            None if label.starts_with('`') => {
                plain.push_str(label);
                rest = after_label;
            }
            None => plain.push('['),
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_rustdoc_become_their_label_and_other_brackets_stay() {
        for (text, plain) in [
            ("none", "none"),
            ("[`ZERO`](super::ZERO) for none", "`ZERO` for none"),
            ("see [`Cause::id`].", "see `Cause::id`."),
            ("[the page](https://example.com/) says", "[the page](https://example.com/) says"),
            ("`[]` clears it, `[1]` too", "`[]` clears it, `[1]` too"),
            ("[open", "[open"),
        ] {
            assert_eq!(without_rust_links(text), plain);
        }
    }
}
