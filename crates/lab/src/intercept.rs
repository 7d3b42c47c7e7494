//! Interception of requests: finds the fault, calls the API, records the exchange, and changes the response.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, header};
use http_listener::{Abort, BodyLimits, HEALTH_PATHS, Handler, Intercept, read_body};
use service_base::boxed::Boxed;
use uuid::Uuid;

use crate::body;
use crate::fault::{Effect, Fault, Target};
use crate::faults::{Seen, Strike};
use crate::handle::Lab;
use crate::journal::Recording;

/// Limits on the body of a request that a fault does not pass to its API.
const UNSERVED: BodyLimits = BodyLimits { max_bytes: 1 << 20, deadline: Duration::from_secs(10) };

impl Intercept for Lab {
    fn is_active(&self) -> bool {
        self.journal().is_some() || self.faults().takes_requests()
    }

    fn serve<'a>(&'a self, request: Request<Body>, handler: &'a Handler) -> Boxed<'a, Response> {
        // A monitoring program must not mistake an injected fault for a failure.
        if HEALTH_PATHS.contains(&request.uri().path()) {
            return handler.serve(request);
        }
        let (parts, body) = request.into_parts();
        Box::pin(self.serve_request(parts, body, handler))
    }
}

impl Lab {
    async fn serve_request(&self, mut parts: Parts, body: Body, handler: &Handler) -> Response {
        let account = self.account(&mut parts).await;
        let seen = Seen {
            target: Target::Requests,
            account,
            trunk: None,
            method: parts.method.as_str(),
            path: parts.uri.path(),
        };
        let strike = if self.faults().takes_requests() { self.faults().strike(seen) } else { None };
        let (mut recording, body) = match self.journal() {
            Some(journal) => {
                let (recording, body) = Recording::begin(journal, self.clock(), &parts, account, body);
                (Some(recording), body)
            }
            None => (None, body),
        };
        if let Some(strike) = strike {
            if let Some(recording) = recording.as_mut() {
                recording.note_fault(strike.id);
            }
            // In a box, so that it does not enlarge the future of every other request.
            return Box::pin(self.struck(strike, parts, body, handler, recording)).await;
        }
        let response = handler.serve(Request::from_parts(parts, body)).await;
        match recording {
            Some(recording) => recording.answered(response).await,
            None => response,
        }
    }

    /// The account of a request, where it matters.
    async fn account(&self, parts: &mut Parts) -> Option<Uuid> {
        let matters = self.journal().is_some() || self.faults().names_accounts();
        let surroundings = self.surroundings().filter(|_| matters)?;
        surroundings.account(parts).await
    }

    /// Serves a request that a fault applies to.
    async fn struck(
        &self,
        Strike { fault, delay, .. }: Strike,
        parts: Parts,
        body: Body,
        handler: &Handler,
        recording: Option<Recording<'_>>,
    ) -> Response {
        let refusal = self.refusal(&fault, &parts);
        let response = if fault.is_served() {
            handler.serve(Request::from_parts(parts, body)).await
        } else {
            // The client must be able to send its whole request before it receives the response.
            let _discarded = read_body(body, UNSERVED).await;
            Response::new(Body::empty())
        };
        self.pause(delay).await;
        match fault.effect {
            Effect::Close | Effect::Reset => {
                // The entry is added without a status.
                drop(recording);
                let abort = if fault.effect == Effect::Close { Abort::Close } else { Abort::Reset };
                let mut response = Response::new(Body::empty());
                // The status is not sent; it makes the request count as a failure of the listener.
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response.extensions_mut().insert(abort);
                response
            }
            Effect::Status => recorded(recording, refusal.unwrap_or(response)).await,
            Effect::ContentType => {
                let mut response = response;
                name_media_type(&mut response, &fault);
                recorded(recording, response).await
            }
            Effect::SlowBody => {
                let (parts, body) = recorded(recording, response).await.into_parts();
                let (bytes, pause) = fault.pieces();
                Response::from_parts(parts, body::slow(body, bytes, pause).await)
            }
            Effect::CutBody => {
                let (parts, body) = recorded(recording, response).await.into_parts();
                Response::from_parts(parts, body::cut(body, fault.bytes_before_cut()).await)
            }
            // Effects on callbacks and calls are invalid for requests.
            Effect::Delay
            | Effect::Lose
            | Effect::NoAnswer
            | Effect::LostAck
            | Effect::OneWayAudio
            | Effect::PacketLoss => recorded(recording, response).await,
        }
    }

    /// The response of the effect `status`; `None` for other effects.
    fn refusal(&self, fault: &Fault, parts: &Parts) -> Option<Response> {
        let status = fault.status.filter(|_| fault.effect == Effect::Status)?;
        let status = StatusCode::from_u16(status).ok()?;
        let mut response = match (&fault.body, self.surroundings()) {
            (None, Some(surroundings)) => surroundings.refusal(parts, status),
            (body, _) => {
                let mut response = Response::new(Body::from(body.clone().unwrap_or_default()));
                *response.status_mut() = status;
                response
            }
        };
        name_media_type(&mut response, fault);
        Some(response)
    }
}

/// Replaces the media type of the response with that of the fault, if it sets one.
fn name_media_type(response: &mut Response, fault: &Fault) {
    let value = fault.content_type.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
    if let Some(value) = value {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
}

/// Adds the answer to the journal, if there is one.
async fn recorded(recording: Option<Recording<'_>>, response: Response) -> Response {
    match recording {
        Some(recording) => recording.answered(response).await,
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::{get, post};
    use http_body_util::BodyExt as _;

    use super::*;

    fn handler() -> Handler {
        let router = Router::new()
            .route("/v3/dids", get(async || "served").post(post_echo))
            .route("/livez", get(async || "live"))
            .route("/other", post(async || "other"));
        router.into()
    }

    async fn post_echo(body: String) -> String {
        body
    }

    async fn answer(lab: &Lab, method: &str, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Body::from("sent")).unwrap();
        let response = lab.serve(request, &handler()).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_lab_is_active_with_a_journal_or_a_fault_for_requests() {
        assert!(!Lab::default().is_active());
        assert!(Lab::new(service_base::clock::Clock::system(), 1).is_active());
        let lab = Lab::default();
        lab.faults().add(Fault::close()).unwrap();
        assert!(lab.is_active());
    }

    #[tokio::test]
    async fn the_health_endpoints_know_neither_faults_nor_the_journal() {
        let lab = Lab::new(service_base::clock::Clock::system(), 10);
        lab.faults().add(Fault::status(503)).unwrap();
        assert_eq!(answer(&lab, "GET", "/livez").await, (200, "live".to_owned()));
        assert_eq!(lab.journal().unwrap().last(), 0);
        assert_eq!(answer(&lab, "GET", "/v3/dids").await, (503, String::new()));
    }

    #[tokio::test]
    async fn a_request_and_its_answer_are_in_the_journal_when_the_client_has_it() {
        let lab = Lab::new(service_base::clock::Clock::system(), 10);
        assert_eq!(answer(&lab, "POST", "/v3/dids").await, (200, "sent".to_owned()));
        let (entries, _) = lab.journal().unwrap().entries_after(0, 10);
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].method.as_str(), entries[0].path.as_str()), ("POST", "/v3/dids"));
        assert_eq!(
            (entries[0].status, entries[0].request_body.bytes, entries[0].fault),
            (Some(200), 4, None)
        );
    }

    #[tokio::test]
    async fn a_request_that_is_kept_from_its_api_is_in_the_journal_with_its_fault() {
        let lab = Lab::new(service_base::clock::Clock::system(), 10);
        let id = lab.faults().add(Fault::close()).unwrap();
        let request = Request::post("/v3/dids").body(Body::from("\"sent\"")).unwrap();
        let response = lab.serve(request, &handler()).await;
        assert_eq!(response.extensions().get::<Abort>(), Some(&Abort::Close));
        let (entries, _) = lab.journal().unwrap().entries_after(0, 10);
        assert_eq!((entries[0].status, entries[0].fault), (None, Some(id)));
        assert_eq!(entries[0].request_body.text.as_deref(), Some("\"sent\""));
    }
}
