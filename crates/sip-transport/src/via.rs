//! The syntax of a `Via` value, as far as a response needs it (RFC 3261 §20.42).

/// Whether a `Via` line has only values of the form `protocol/version/transport host;parameters`.
///
/// Host names and parameters are not checked: a response is sent to the source address.
pub(crate) fn is_via(line: &str) -> bool {
    parts_outside_quotes(line, ',').all(|value| {
        let sent = parts_outside_quotes(value, ';').next().unwrap_or_default();
        let mut slashes = sent.splitn(3, '/').map(str::trim);
        let (Some(protocol), Some(version), Some(rest)) = (slashes.next(), slashes.next(), slashes.next())
        else {
            return false;
        };
        let mut words = rest.split_ascii_whitespace();
        let has_host = words.next().is_some() && words.next().is_some();
        !protocol.is_empty() && !version.is_empty() && has_host
    })
}

/// The parts of a text between separators that are not in quotes.
fn parts_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match character {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        character == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_a_protocol_a_version_a_transport_and_a_host() {
        for valid in [
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport",
            "SIP / 2.0 / TCP host ; a=\"x;,\" , SIP/2.0/UNKNOWN [2001:db8::1]",
            "SIP/7.0/UDP c.example.com:5060;",
        ] {
            assert!(is_via(valid), "{valid}");
        }
        for invalid in ["", "x", "SIP/2.0/UDP", "SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP a,"] {
            assert!(!is_via(invalid), "{invalid}");
        }
    }
}
