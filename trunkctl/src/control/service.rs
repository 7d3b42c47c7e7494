//! Requests of the control API.

use std::time::Duration;

use didww_client::{Method, Secret, encode_component};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use crate::context::Target;
use crate::exit::{Exit, Failure};
use crate::output::{self, Format, Row};
use crate::terminal::print;

/// The path prefix of the control API.
const BASE: &str = "/control/v1";
/// Maximum time until a response is complete; a stream has none.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The control API of a server.
pub(crate) struct Service {
    http: reqwest::Client,
    url: String,
    token: Option<Secret>,
}

impl Service {
    /// The control API that is selected.
    ///
    /// # Errors
    /// When its token cannot be read, or no HTTP client can be built.
    pub(crate) fn of(target: &Target) -> Result<Self, Failure> {
        let (url, token) = target.control()?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // It fails if another thread has installed the same provider meanwhile.
            let _installed = rustls::crypto::ring::default_provider().install_default();
        }
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10));
        // Plain HTTP needs no root certificates, and a minimal container has none to load.
        let builder = if url.starts_with("https:") { builder } else { builder.tls_certs_only([]) };
        let http = builder.build().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        Ok(Self { http, url, token })
    }

    /// Reads a path, with a query if there is one.
    ///
    /// # Errors
    /// The failures of [`send`](Self::send).
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None).await
    }

    /// Sends a request and returns the JSON of the answer.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the request.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.json(method, path, body.map(|body| ("application/json", body.to_string()))).await
    }

    /// Posts a text of a media type, and returns the JSON of the answer.
    ///
    /// # Errors
    /// The failures of [`send`](Self::send).
    pub(crate) async fn post_text(
        &self,
        path: &str,
        media_type: &'static str,
        text: String,
    ) -> Result<Value, Failure> {
        self.json(Method::POST, path, Some((media_type, text))).await
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, String)>,
    ) -> Result<Value, Failure> {
        let response = self.answer(method, path, body, Some(TIMEOUT)).await?;
        let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Sends a request and returns the text of the answer.
    ///
    /// # Errors
    /// The failures of [`send`](Self::send).
    pub(crate) async fn text(&self, path: &str) -> Result<String, Failure> {
        let response = self.answer(Method::GET, path, None, Some(TIMEOUT)).await?;
        response.text().await.map_err(|error| self.unreachable(error))
    }

    /// Passes each line of a stream to `take`, until the stream ends or `take` fails.
    ///
    /// # Errors
    /// The failures of [`send`](Self::send), and that of `take`.
    pub(crate) async fn lines(
        &self,
        path: &str,
        mut take: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        /// Maximum number of bytes of a line. A record has a few thousand.
        const MAX_LINE: usize = 1 << 20;
        let mut response = self.answer(Method::GET, path, None, None).await?;
        let mut rest: Vec<u8> = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                take(String::from_utf8_lossy(&line).trim_end())?;
            }
            if rest.len() > MAX_LINE {
                return Err(Failure::new(Exit::Failed, "the stream has a line without an end"));
            }
        }
        Ok(())
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, String)>,
        timeout: Option<Duration>,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = self.http.request(method, format!("{}{BASE}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if let Some((media_type, body)) = body {
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let said = response.bytes().await.unwrap_or_default();
        let said: Value = serde_json::from_slice(&said).unwrap_or_default();
        let why = said.get("error").and_then(Value::as_str).unwrap_or("no readable error message");
        let exit = match status.as_u16() {
            401 | 403 => Exit::Denied,
            404 => Exit::NotFound,
            409 | 422 => Exit::Invalid,
            429 | 500.. => Exit::Unavailable,
            _ => Exit::Failed,
        };
        Err(Failure::new(exit, format!("the control API at {} responded {status}: {why}", self.url)))
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        // The outermost text contains no detail.
        let cause =
            std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source()).last();
        let cause = cause.map(ToString::to_string).unwrap_or_default();
        let text = format!(
            "the control API at {} cannot be reached: {cause}; --control-url is its address",
            self.url
        );
        Failure::new(Exit::Unavailable, text)
    }
}

/// The items of a member that is a list; none if it is not.
pub(super) fn items<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

/// A path with a query of the parameters that have a value.
pub(super) fn with_query(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encode_component(value.as_deref()?))))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Prints each line of a stream, as a sentence or unchanged, until it ends or this number of lines was printed.
///
/// # Errors
/// The failures of [`Service::lines`], and the silent one of success after the last line.
pub(super) async fn print_lines(
    service: &Service,
    path: &str,
    is_json: bool,
    limit: Option<u64>,
    sentence: fn(&Value) -> String,
) -> Result<(), Failure> {
    let mut left = limit.unwrap_or(u64::MAX);
    let end = service.lines(path, |line| {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let text = match event.get("missed") {
            _ if is_json => line.to_owned(),
            Some(missed) => format!("(missed {missed}: they came too quickly)"),
            None => sentence(&event),
        };
        print(&format!("{text}\n"))?;
        left -= 1;
        // The stream has no other end.
        if left == 0 { Err(Failure::silent(Exit::Success)) } else { Ok(()) }
    });
    end.await
}

/// Prints the objects of a list, with these members first, which are the columns of a table.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn print_list(
    answer: &Value,
    member: &str,
    columns: &[&str],
    format: Format,
) -> Result<(), Failure> {
    let rows: Vec<Row> = items(answer, member).iter().map(|item| Row::of(item, columns)).collect();
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    print(&output::list(&rows, &columns, format)?)
}

/// Prints one object, with these members first.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn print_single(answer: &Value, first: &[&str], format: Format) -> Result<(), Failure> {
    print(&output::single(&Row::of(answer, first), format)?)
}

/// The id of the account that a filter names, if there is a filter.
///
/// # Errors
/// When there is no such account.
pub(super) async fn account_if_named(
    service: &Service,
    named: Option<&str>,
) -> Result<Option<String>, Failure> {
    match named {
        Some(named) => Ok(Some(account(service, Some(named)).await?)),
        None => Ok(None),
    }
}

/// The id of the account that a text names: the text itself if it is an id, else the id of the account with this name.
/// Without a text, the id of the only account.
///
/// # Errors
/// When there is no such account, or without a text if there are several.
pub(super) async fn account(service: &Service, named: Option<&str>) -> Result<String, Failure> {
    if let Some(id) = named.filter(|text| crate::resource::is_id(text)) {
        return Ok(id.to_owned());
    }
    let answer = service.get("/accounts").await?;
    let accounts = items(&answer, "accounts");
    let text = |account: &Value, member: &str| {
        account.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut candidates = accounts.iter().filter(|known| named.is_none_or(|name| text(known, "name") == name));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(text(only, "id")),
        (None, _) => {
            Err(Failure::new(Exit::NotFound, format!("there is no account {}", named.unwrap_or_default())))
        }
        (Some(_), Some(_)) => {
            let known: Vec<String> = accounts.iter().map(|known| text(known, "name")).collect();
            Err(Failure::usage(format!("name the account: --account with one of {}", known.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_the_parameters_that_have_a_value_with_escapes() {
        let parameters = [("a", Some("1&2".to_owned())), ("b", None), ("c", Some("x".to_owned()))];
        assert_eq!(with_query("/calls", &parameters), "/calls?a=1%262&c=x");
        assert_eq!(with_query("/calls", &[("b", None)]), "/calls");
    }
}
