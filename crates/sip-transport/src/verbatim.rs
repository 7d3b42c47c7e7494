//! URIs in request lines, exactly as they were received.

use rsipstack::sip::{Domain, Host, HostWithPort, Uri};

/// A URI that the library writes unchanged. It would escape a user part again, so that `#` would become
/// `%23`, and `%23` would become `%2523`. It does not change a host, so the entire URI is stored as one.
pub fn verbatim(uri: &str) -> Uri {
    Uri {
        host_with_port: HostWithPort { host: Host::Domain(Domain(uri.to_owned())), port: None },
        ..Uri::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_written_unchanged() {
        for uri in ["sip:0011+15551234#@h;transport=udp", "sip:123%23+44@h:5070", "sip:\u{7f}%@h"] {
            assert_eq!(verbatim(uri).to_string(), uri);
        }
    }
}
