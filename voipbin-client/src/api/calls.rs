//! The endpoints below `/calls`.

mod wait;

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{Call, CallCreate, CallsCreated};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/calls";

/// The calls of the customer to whom the credentials belong.
#[derive(Debug, Clone)]
pub struct Calls(Client);

impl Calls {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Lists the calls that are not deleted, the newest first.
    pub fn list(&self) -> ListRequest<Call> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads a call. A deleted call is [`Error::Conflict`].
    pub async fn get(&self, id: Uuid) -> Result<Call, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Places calls through the customer's routes and returns them. The response can have fewer calls than
    /// the request has destinations; see [`CallsCreated::calls`].
    ///
    /// The request is retried only when it cannot have placed a call.
    pub async fn create(&self, body: CallCreate) -> Result<CallsCreated, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body)?).await
    }

    /// Begins to hang up a call, and returns the call with its new status: `canceling` if it has not been
    /// answered, `terminating` if it has, `hangup` if it had ended before. A second request has no further
    /// effect.
    pub async fn hangup(&self, id: Uuid) -> Result<Call, Error> {
        self.0.fetch(&Request::below(Method::POST, PATH, id, "/hangup").idempotent()).await
    }

    /// Hangs up a call unless it has ended, deletes its record, and returns the last state of the record.
    ///
    /// A call that is already deleted is [`Error::Conflict`], even when an earlier attempt of the same
    /// request deleted it.
    pub async fn delete(&self, id: Uuid) -> Result<Call, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}
