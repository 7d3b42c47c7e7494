//! Downloads of files that the service made for an account: `/v3/{type}/{file}` with the ending that the type declares.
//!
//! Either credential is enough, in every version: an access token, or an API key alone. The refusal of a key has no
//! body, that of a token has a document.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::response::Response;
use didww_types::REGISTRY;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use service_core::exports::parts::{self, Encoding};
use uuid::Uuid;

use crate::authentication::{Caller, authenticate_for_file};
use crate::jsonapi::{ApiError, Endpoint, Target};
use crate::state::Api;

/// The path of each type that has files, with their ending. Every GET is compared with these, and most types have none.
static ENDINGS: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let mut endings = Vec::new();
    for spec in REGISTRY {
        for path in spec.paths() {
            // If several types have this path, the first one decides.
            let first = REGISTRY.iter().find(|other| other.paths().any(|own| own == path));
            if let Some(ending) = spec.downloads_below(path)
                && first.is_some_and(|first| first.name == spec.name)
            {
                endings.push((path, ending));
            }
        }
    }
    endings
});

/// A request for a file.
#[derive(Debug)]
pub(crate) struct Download {
    /// The name of the file, as in the path.
    name: String,
    /// The id of the file; `None` if the name is not that of a file.
    id: Option<Uuid>,
    encoding: Encoding,
}

/// A file of an account that was not read yet.
#[derive(Debug)]
pub(crate) struct OpenFile {
    name: String,
    id: Uuid,
    encoding: Encoding,
}

/// The media type of files. That of plain files was recorded in 2019; the pages of then have `text/csv`.
fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gzip => "application/gzip",
        Encoding::Plain => "application/octet-stream",
    }
}

impl Download {
    /// The file that a request downloads; `None` if the request is not a download.
    pub(crate) fn of(method: &Method, target: &Target) -> Option<Self> {
        if *method != Method::GET && *method != Method::HEAD {
            return None;
        }
        let Endpoint::Record(name) = &target.endpoint else { return None };
        let (_, ending) = ENDINGS.iter().find(|(path, _)| *path == target.resource)?;
        let id = name.strip_suffix(*ending)?;
        let id = if id.len() == 36 { Uuid::try_parse(id).ok() } else { None };
        Some(Self { name: name.clone(), id, encoding: Encoding::of(ending) })
    }

    /// Finds the file of the account that sends the request.
    ///
    /// # Errors
    /// 401 without a valid credential, 429 above the budget, and 404 if the account has no such file.
    pub(crate) async fn open(self, api: &Api, request: &Parts) -> Result<OpenFile, ApiError> {
        let Caller { key, .. } = authenticate_for_file(api, request).await?;
        let Self { name, id, encoding } = self;
        match id {
            Some(id) if parts::exists(&api.core, key.account.id, id, encoding).await? => {
                Ok(OpenFile { name, id, encoding })
            }
            _ => Err(ApiError::not_found(&name)),
        }
    }
}

impl OpenFile {
    /// Streams the file as the body of the response, one part at a time.
    pub(crate) fn fill(self, api: &Api, request: &Parts, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(self.encoding)));
        // The name is valid: a UUID and a declared ending.
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", self.name)) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        if request.method == Method::GET && response.status() == StatusCode::OK {
            *response.body_mut() = Body::from_stream(parts::content(Arc::clone(&api.core), self.id));
        }
    }
}
