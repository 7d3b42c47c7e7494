//! The host that a request names.

use http::{HeaderMap, Uri, header};

/// Returns the host of `HOST:PORT` or `HOST`, an IPv6 address in its brackets. Any other text is returned unchanged.
pub fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Returns the host that a request names, with its port if it names one. A request target that is a whole URI names it,
/// whatever the header `Host` has (RFC 9112, section 3.2.2). A user in that URI is not part of it.
pub fn named_authority<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let Some(authority) = uri.authority() else {
        return headers.get(header::HOST).and_then(|value| value.to_str().ok());
    };
    let text = authority.as_str();
    Some(text.rsplit_once('@').map_or(text, |(_, host)| host))
}

/// Returns the host that a request names ([`named_authority`]), without its port and without the full stop that can end
/// a full name.
pub fn named_host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let host = host_of(named_authority(headers, uri)?);
    Some(host.strip_suffix('.').unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_names_the_host_of_its_uri_or_else_of_its_header() {
        for (uri, host, authority, named) in [
            ("/", Some("a.test:80"), Some("a.test:80"), Some("a.test")),
            ("/", Some("A.test.:80"), Some("A.test.:80"), Some("A.test")),
            ("/", Some("[::1]:80"), Some("[::1]:80"), Some("[::1]")),
            ("/", Some(""), Some(""), Some("")),
            ("/", None, None, None),
            ("http://a.test:80/", Some("b.test"), Some("a.test:80"), Some("a.test")),
            ("http://a.test./", None, Some("a.test."), Some("a.test")),
            ("http://user:word@a.test:80/", Some("b.test"), Some("a.test:80"), Some("a.test")),
            ("https://[::1]:80/", None, Some("[::1]:80"), Some("[::1]")),
        ] {
            let request = Request::builder().uri(uri);
            let request = match host {
                Some(host) => request.header(header::HOST, host),
                None => request,
            };
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(named_authority(&parts.headers, &parts.uri), authority, "{uri} {host:?}");
            assert_eq!(named_host(&parts.headers, &parts.uri), named, "{uri} {host:?}");
        }
    }

    #[test]
    fn a_port_is_no_part_of_the_host() {
        for (authority, host) in
            [("a.test:80", "a.test"), ("a.test", "a.test"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
