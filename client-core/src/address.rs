//! Where a request goes, and how it is kept from going elsewhere.

use reqwest::Url;

/// Reads a base URL, or says what it does wrong.
pub(crate) fn base_url(text: &str) -> Result<Url, &'static str> {
    let url: Url = text.trim_end_matches('/').parse().map_err(|_| "is no URL")?;
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

/// The URL of a percent-encoded path and query below a base.
///
/// Nothing when the path would make the URL another one, a collection in place of a record: an empty segment,
/// `..`, or no slash at its beginning.
pub fn url_below(base: &Url, path: &str, query: &str) -> Option<Url> {
    let whole = [base.path().trim_end_matches('/'), path].concat();
    let mut url = base.clone();
    url.set_path(&whole);
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    let empty_segment = path.split('/').skip(1).any(str::is_empty);
    (url.path() == whole && !empty_segment && path.starts_with('/')).then_some(url)
}
