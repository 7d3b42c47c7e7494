//! Secrets in texts that contain members or parameters, such as the body of requests to a customer.

use crate::secret_names::names_secret;
use crate::url_secrets::hidden_pair;

/// Whether a text has a secret by the names in it: a text that begins as JSON, also one with placeholders for values,
/// or a form.
///
/// ```
/// # use wire_core::text_holds_secret;
/// assert!(text_holds_secret(r#"{ "api_key": "k", "to": {SMS_DST_ADDR} }"#));
/// assert!(text_holds_secret("to=1&token=t"));
/// assert!(!text_holds_secret("my password=p") && !text_holds_secret(r#"{"to": "password"}"#));
/// ```
pub fn text_holds_secret(text: &str) -> bool {
    if text.trim_start().starts_with(['{', '[']) {
        let parts: Vec<&str> = text.split('"').collect();
        let is_secret_member = |parts: &[&str]| match parts {
            [name, after] => after.trim_start().starts_with(':') && names_secret(name),
            _ => false,
        };
        return parts.windows(2).any(is_secret_member);
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(&byte);
    let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| name.bytes().all(is_plain));
    text.split('&').all(is_pair) && text.split('&').any(|pair| hidden_pair(pair) != pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_the_names_before_them() {
        let json = [r#" [{"a":1, "X-Api-Key" : "k"}]"#, r#"{"auth_password":{SMS_TEXT}"#];
        for text in json.into_iter().chain(["a=&pass%77ord=p"]) {
            assert!(text_holds_secret(text), "{text}");
        }
        let forms = ["", "a=1&token=", "token=(hidden)", "a&token=t", "see: token=t"];
        for text in forms.into_iter().chain(["{SMS_TEXT}", r#"{"a":"token"}"#]) {
            assert!(!text_holds_secret(text), "{text}");
        }
    }
}
