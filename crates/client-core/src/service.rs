//! The facts about a service that its client depends on.

use std::num::NonZeroU32;

use reqwest::Url;

use crate::address::base_url;
use crate::{Rate, SetupError, SpanFields};

/// A service, as its own documents describe it.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The base URL of the production environment.
    pub production: &'static str,
    /// The domain of the service's own hosts, such as `example.com`.
    pub domain: &'static str,
    /// The documented limit of requests a second; `None` where the service documents none.
    pub rate: Option<NonZeroU32>,
    /// The names of the span fields of a request.
    pub fields: SpanFields,
}

impl Service {
    /// Parses a base URL of this service or of a compatible one. Slashes at the end are removed.
    ///
    /// # Errors
    /// Returns [`SetupError::BaseUrl`] unless the text is an http or https URL without credentials, query and
    /// fragment.
    pub fn base_url(&self, text: &str) -> Result<Url, SetupError> {
        base_url(text).map_err(|problem| SetupError::BaseUrl { problem, example: self.production })
    }

    /// The rate limit for requests to `base`, in requests a second; `None` when there is no limit.
    pub fn limit(&self, rate: Rate, base: &Url) -> Option<NonZeroU32> {
        match rate {
            Rate::Documented => self.rate.filter(|_| self.owns_host_of(base)),
            Rate::PerSecond(rate) => Some(rate),
            Rate::Unlimited => None,
        }
    }

    fn owns_host_of(&self, base: &Url) -> bool {
        let subdomain = base.host_str().and_then(|host| host.strip_suffix(self.domain));
        subdomain.is_some_and(|subdomain| subdomain.is_empty() || subdomain.ends_with('.'))
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
    fn the_documented_rate_applies_to_the_services_own_hosts_only() {
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
    fn the_error_of_a_base_url_names_its_problem_and_an_example() {
        for (text, problem) in [
            ("", "is not a URL"),
            ("api.example.com", "is not a URL"),
            ("ftp://x/v1", "is not one of http or https"),
            ("data:x", "is not one of http or https"),
            ("http://u:p@x/v1", "holds credentials, which would reach logs"),
            ("http://x/v1?a", "has a query or a fragment"),
            ("http://x/v1#a", "has a query or a fragment"),
        ] {
            let expected = format!("the base URL {problem}; it looks like `https://api.example.com/v1`");
            assert_eq!(SERVICE.base_url(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
