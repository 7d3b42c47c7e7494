//! Selects the headers of a provider record that are sent to its carrier.
//!
//! A header that cannot be sent is left out silently, as on the platform: a provider record may contain any
//! text. In addition to the platform's list, headers that frame a SIP message are left out, and names are
//! compared without regard to case, as in SIP; otherwise `privacy: none` would undo an anonymous call.
//!
//! The platform's hints to its own proxy (`VBOUT-SDP_Transport`, `VBOUT-CODECS`) never leave it. There is no
//! such proxy here, so they are not generated: a provider's codecs are those of the offer.

/// Headers that the platform sets itself, and those for its bookkeeping.
const RESERVED: &[&str] = &[
    "P-Asserted-Identity",
    "Privacy",
    "VBOUT-SDP_Transport",
    "VBOUT-CODECS",
    "VB-CALL-ID",
    "VB-CONFBRIDGE-ID",
    "VB-DIRECTION",
];

/// Headers that frame the message, with their compact forms.
const FRAMING: &[&str] = &[
    "Via",
    "v",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Max-Forwards",
    "Contact",
    "m",
    "Route",
    "Record-Route",
    "Content-Length",
    "l",
    "Content-Type",
    "c",
    "Content-Encoding",
    "e",
    "Authorization",
    "Proxy-Authorization",
    "Require",
    "Proxy-Require",
    "Supported",
    "k",
    "Allow",
    "User-Agent",
];

/// Returns the headers to send, in order.
pub fn carrier_headers<'a, K, V>(headers: impl IntoIterator<Item = (&'a K, &'a V)>) -> Vec<(String, String)>
where
    K: AsRef<str> + ?Sized + 'a,
    V: AsRef<str> + ?Sized + 'a,
{
    let texts = headers.into_iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    let sendable = texts.filter(|(name, value)| !is_in(RESERVED, name) && can_be_added(name, value));
    sendable.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns the names of the headers that [`carrier_headers`] leaves out, in order.
pub fn unsent_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = &'a str> {
    let unsent = |(name, value): &(&str, &str)| is_in(RESERVED, name) || !can_be_added(name, value);
    headers.into_iter().filter(unsent).map(|(name, _)| name)
}

/// Whether a header may be added to a message: its name is a token and does not frame the message, and its
/// value has no control characters except tabs.
pub fn can_be_added(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    let is_one_line = !value.chars().any(|character| character.is_control() && character != '\t');
    !name.is_empty() && name.bytes().all(is_token) && !is_in(FRAMING, name) && is_one_line
}

fn is_in(list: &[&str], name: &str) -> bool {
    list.iter().any(|other| other.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(headers: &[(&str, &str)]) -> Vec<String> {
        carrier_headers(headers.iter().map(|(name, value)| (*name, *value)))
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn a_free_header_goes_out_and_reserved_or_broken_ones_do_not() {
        assert_eq!(names(&[("X-A", "1"), ("Privacy", "none"), ("B(", "x")]), ["X-A"]);
        for name in
            ["", "a)", "a,b", "a\r\nb", "a b", "a:", "é", "CALLERID(num)", "VB-CALL-ID", "VBOUT-CODECS"]
        {
            assert!(names(&[(name, "x")]).is_empty(), "{name:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_named() {
        let headers = [("X-A", "1"), ("privacy", "none"), ("X-B", "a\r\nb"), ("X C", "1")];
        assert_eq!(unsent_headers(headers).collect::<Vec<_>>(), ["privacy", "X-B", "X C"]);
    }

    #[test]
    fn a_value_with_a_line_break_is_left_out() {
        for value in ["a\r\nB: c", "a\n", "\0"] {
            assert!(names(&[("X-A", value)]).is_empty(), "{value:?}");
        }
        assert_eq!(names(&[("X-A", "")]), ["X-A"]);
    }

    #[test]
    fn case_does_not_help_a_reserved_name_and_framing_is_not_for_providers() {
        for name in ["privacy", "P-ASSERTED-IDENTITY", "content-length", "L", "via", "authorization"] {
            assert!(names(&[(name, "x")]).is_empty(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_goes_out_can_begin_a_second_header(name in "\\PC{0,8}|[\r\n:a-z]{0,8}", value in "[\\x00-\\x7f]{0,12}") {
            for (name, value) in carrier_headers([(name.as_str(), value.as_str())]) {
                let broken = |text: &str| text.contains(['\r', '\n', '\0']);
                prop_assert!(!broken(&name) && !broken(&value) && !name.contains(':'));
            }
        }
    }
}
