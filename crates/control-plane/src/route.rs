//! One route of the control API: its declaration, and its handler.
//!
//! The router and the document `/control/v1/openapi.json` are made from the same list ([`crate::routes`]), so that no
//! handler is without a declaration. To add a route:
//!
//! 1. Derive `JsonSchema` for the type that the handler decodes (`parse_body`, `parse_query`) and for the one that it
//!    answers, which is in `answers` unless another crate has it. Doc comments become descriptions.
//! 2. Add a [`Route`] to the list of its file, such as `routes::routes`:
//!    `Route::post("/accounts/{id}/keys", "Adds an API key.", add_key).body::<KeyBody>().answers::<NewKey>(201)`
//!    `.errors(&[404, 422])`. Parameters of the path are UUIDs, unless `text_parameter` names them. Bodies, the token
//!    and the store add the statuses of [`COMMON_ERRORS`], which are not repeated.
//! 3. Describe it in `docs/control.md`, with a line to paste.
//! 4. Run `UPDATE_DOCS=1 cargo test -p trunk-tests --test it docs`, which writes `trunk-server/openapi/control.json`.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use http::Method;
use http_contract::{Contract, Header, Operation, Security};
use schemars::JsonSchema;
use serde_json::Value;

use crate::Control;
use crate::answers::Refused;

/// The path above those of the routes.
const BASE: &str = "/control/v1";

/// The statuses with which every route can refuse: a body that was cut off, no token, a web page or a foreign host, a
/// body that is too slow or too long, wrong tokens, a failure, and a store that accepts no work.
const COMMON_ERRORS: &[u16] = &[400, 401, 403, 408, 413, 429, 500, 503];

/// A declared route with its handler.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    operation: Operation,
    handler: MethodRouter<Control>,
}

impl Route {
    /// Declares `GET` of a path below [`BASE`]. `summary` is one sentence.
    pub(crate) fn get<H, T>(path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Control>,
        T: 'static,
    {
        Self { operation: Operation::new(Method::GET, path, summary), handler: get(handler) }
    }

    /// Declares `POST` of a path below [`BASE`].
    pub(crate) fn post<H, T>(path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Control>,
        T: 'static,
    {
        Self { operation: Operation::new(Method::POST, path, summary), handler: post(handler) }
    }

    /// Declares `PUT` of a path below [`BASE`].
    pub(crate) fn put<H, T>(path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Control>,
        T: 'static,
    {
        Self { operation: Operation::new(Method::PUT, path, summary), handler: put(handler) }
    }

    /// Declares `PATCH` of a path below [`BASE`].
    pub(crate) fn patch<H, T>(path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Control>,
        T: 'static,
    {
        Self { operation: Operation::new(Method::PATCH, path, summary), handler: patch(handler) }
    }

    /// Declares `DELETE` of a path below [`BASE`].
    pub(crate) fn delete<H, T>(path: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Control>,
        T: 'static,
    {
        Self { operation: Operation::new(Method::DELETE, path, summary), handler: delete(handler) }
    }

    /// Returns the whole path, with the names of its parameters in braces.
    pub(crate) fn path(&self) -> String {
        [BASE, self.operation.path()].concat()
    }

    /// Declares that a parameter of the path is any text instead of a UUID.
    pub(crate) fn text_parameter(self, name: &'static str) -> Self {
        self.declare(|operation| operation.text_parameter(name))
    }

    /// Declares the query: each member of the type is a parameter.
    pub(crate) fn query<T: JsonSchema>(self) -> Self {
        self.declare(Operation::query::<T>)
    }

    /// Declares the JSON body, whose schema is that of this type.
    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        self.declare(Operation::body::<T>)
    }

    /// Declares a JSON answer with this status.
    pub(crate) fn answers<T: JsonSchema>(self, status: u16) -> Self {
        self.declare(|operation| operation.answers::<T>(status))
    }

    /// Declares the statuses with which the route refuses, in addition to [`COMMON_ERRORS`].
    pub(crate) fn errors(self, statuses: &[u16]) -> Self {
        self.declare(|operation| operation.errors(statuses))
    }

    /// Declares properties that have no method of their own here, such as an answer of another media type.
    pub(crate) fn declare(self, add: impl FnOnce(Operation) -> Operation) -> Self {
        Self { operation: add(self.operation), ..self }
    }
}

/// Builds the router of declared routes.
pub(crate) fn router(routes: Vec<Route>) -> Router<Control> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(&route.path(), route.handler))
}

/// Builds the document of declared routes.
pub(crate) fn document(routes: &[Route]) -> Value {
    let description = "What staff, time and the real world do to a trunk-server. It is served on a listener of its own, to \
                       programs on the same machine or with the control token, and not to web pages.";
    let contract = Contract::new::<Refused>("trunk-server control", BASE, description)
        .security(Security::Bearer)
        .security(Security::None)
        .header(Header::IDEMPOTENCY_KEY)
        .errors(COMMON_ERRORS);
    contract.document(routes.iter().map(|route| &route.operation))
}
