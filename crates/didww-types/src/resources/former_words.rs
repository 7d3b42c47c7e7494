//! How older versions write words: with a capital letter, or in capitals.

use serde_json::{Map, Value};

/// Rewrites an attribute that is a text.
pub(super) fn rewrite(attributes: &mut Map<String, Value>, name: &str, form: fn(&str) -> String) {
    if let Some(Value::String(text)) = attributes.get_mut(name) {
        *text = form(text);
    }
}

/// Writes `world_wide` as `WorldWide`.
pub(super) fn capitalised(text: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    text.split('_').map(word).collect()
}
