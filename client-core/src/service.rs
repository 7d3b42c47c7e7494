//! What a client knows of the service that it speaks to.

use std::num::NonZeroU32;

use reqwest::Url;

use crate::address::base_url;
use crate::{Rate, SetupError, SpanFields};

/// A service, as its own documents describe it.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The base URL of its production environment.
    pub production: &'static str,
    /// The domain that its own hosts lie in.
    pub domain: &'static str,
    /// The most requests in a second that it documents; nothing where it documents none.
    pub rate: Option<NonZeroU32>,
    /// What is told of a request to it.
    pub fields: SpanFields,
}

impl Service {
    /// Reads a base URL, of this service or of another one that speaks as it does: http or https, no credentials, no
    /// query. A slash at its end is dropped.
    pub fn base_url(&self, text: &str) -> Result<Url, SetupError> {
        base_url(text).map_err(|problem| SetupError::BaseUrl { problem, example: self.production })
    }

    /// The most requests in a second that are sent to a host; nothing when there is no limit.
    pub fn limit(&self, rate: Rate, base: &Url) -> Option<NonZeroU32> {
        match rate {
            Rate::Documented => self.rate.filter(|_| self.runs(base)),
            Rate::PerSecond(rate) => Some(rate),
            Rate::Unlimited => None,
        }
    }

    fn runs(&self, base: &Url) -> bool {
        let before = base.host_str().and_then(|host| host.strip_suffix(self.domain));
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: Service = Service {
        production: "https://api.example.com/v1",
        domain: "example.com",
        rate: NonZeroU32::new(10),
        fields: SpanFields { attempts: "attempts", request_id: "request_id" },
    };

    #[test]
    fn the_documented_rate_is_that_of_the_services_own_hosts() {
        let limit = |rate, url: &str| SERVICE.limit(rate, &SERVICE.base_url(url).unwrap()).map(u32::from);
        for own in [SERVICE.production, "https://example.com", "https://a.b.example.com/v1/"] {
            assert_eq!(limit(Rate::Documented, own), Some(10), "{own}");
            assert_eq!(limit(Rate::Unlimited, own), None, "{own}");
        }
        for other in ["http://127.0.0.1:8080/v1", "https://notexample.com", "https://example.com.org"] {
            assert_eq!(limit(Rate::Documented, other), None, "{other}");
            assert_eq!(limit(Rate::PerSecond(NonZeroU32::MIN), other), Some(1), "{other}");
        }
    }

    #[test]
    fn a_base_url_that_cannot_be_used_is_told_with_its_mistake_and_one_that_can() {
        for (text, problem) in [
            ("", "is no URL"),
            ("api.example.com", "is no URL"),
            ("ftp://x/v1", "is not one of http or https"),
            ("data:x", "is not one of http or https"),
            ("http://u:p@x/v1", "holds credentials, which would reach logs"),
            ("http://x/v1?a", "has a query or a fragment"),
            ("http://x/v1#a", "has a query or a fragment"),
        ] {
            let told = format!("the base URL {problem}; it looks like `https://api.example.com/v1`");
            assert_eq!(SERVICE.base_url(text).unwrap_err().to_string(), told, "{text}");
        }
    }
}
