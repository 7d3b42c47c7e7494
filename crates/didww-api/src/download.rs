//! Downloads of files that the service made for an account: `/v3/{type}/{file}` with the ending that the type declares.
//!
//! Either credential is enough, in every version: an access token, or an API key alone. A refused key has no body where a refused
//! token has a document.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use didww_types::{REGISTRY, ResourceSpec};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use service_core::exports::parts;
use uuid::Uuid;

use crate::authentication::{Caller, authenticate_for_file};
use crate::jsonapi::{ApiError, Endpoint, Target};
use crate::state::Api;

/// The media type of the files.
const GZIP: &str = "application/gzip";

/// A request for a file.
#[derive(Debug)]
pub(crate) struct Download {
    /// The name of the file, as in the path.
    name: String,
    /// The id of the file; `None` if the name is that of none.
    id: Option<Uuid>,
}

/// The file of an account, of which nothing was read yet.
#[derive(Debug)]
pub(crate) struct OpenFile {
    name: String,
    id: Uuid,
}

impl Download {
    /// The file that a request is for; `None` if it is for anything else.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return None;
        }
        let target = Target::parse(parts.uri.path())?;
        let Endpoint::Record(name) = target.endpoint else { return None };
        let is_of = |spec: &&&ResourceSpec| spec.paths().any(|path| path == target.resource);
        let suffix = REGISTRY.iter().find(is_of)?.downloads?;
        let id = name.strip_suffix(suffix)?;
        let id = if id.len() == 36 { Uuid::try_parse(id).ok() } else { None };
        Some(Self { name, id })
    }

    /// Finds the file of the account that asks for it.
    ///
    /// # Errors
    /// 401 without a valid credential, 429 above the budget, and 404 if the account has no such file.
    pub(crate) async fn open(self, api: &Api, request: &Parts) -> Result<OpenFile, ApiError> {
        let Caller { key, .. } = authenticate_for_file(api, request).await?;
        let Self { name, id } = self;
        match id {
            Some(id) if parts::exists(&api.core, key.account.id, id).await? => Ok(OpenFile { name, id }),
            _ => Err(ApiError::not_found(&name)),
        }
    }
}

impl OpenFile {
    /// Puts the file into the response, a part at a time as it is read.
    pub(crate) fn fill(self, api: &Api, request: &Parts, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(GZIP));
        // The name is a UUID and a declared ending.
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", self.name)) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
        if request.method == Method::GET && response.status() == StatusCode::OK {
            *response.body_mut() = Body::from_stream(parts::content(Arc::clone(&api.core), self.id));
        }
    }
}
