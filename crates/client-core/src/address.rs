//! The URL of a request: validation of base URLs, and paths that cannot leave them.

use reqwest::Url;

/// Parses a base URL. The error completes a sentence that begins with "the base URL".
pub(crate) fn base_url(text: &str) -> Result<Url, &'static str> {
    let url: Url = text.trim_end_matches('/').parse().map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        Err("is not one of http or https")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("holds credentials, which would reach logs")
    } else if url.query().is_some() || url.fragment().is_some() {
        Err("has a query or a fragment")
    } else {
        Ok(url)
    }
}

/// Appends a percent-encoded path and query to a base URL.
///
/// Returns `None` when the path does not begin with a slash, has an empty segment or contains `..`: the URL
/// would then name something else, for example a collection instead of a record.
pub fn url_below(base: &Url, path: &str, query: &str) -> Option<Url> {
    let full_path = [base.path().trim_end_matches('/'), path].concat();
    let mut url = base.clone();
    url.set_path(&full_path);
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    let empty_segment = path.split('/').skip(1).any(str::is_empty);
    (url.path() == full_path && !empty_segment && path.starts_with('/')).then_some(url)
}
