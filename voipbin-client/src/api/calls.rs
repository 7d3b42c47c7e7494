//! `/calls`.

mod wait;

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{Call, CallCreate, CallsCreated};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/calls";

/// Calls of the caller's customer.
#[derive(Debug, Clone)]
pub struct Calls(Client);

impl Calls {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// All of them that are not deleted.
    pub fn list(&self) -> ListRequest<Call> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads one. A deleted one is [`Error::Conflict`].
    pub async fn get(&self, id: Uuid) -> Result<Call, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Places calls by the customer's routes.
    ///
    /// It is sent again only where it cannot have placed a call.
    pub async fn create(&self, body: CallCreate) -> Result<CallsCreated, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body)?).await
    }

    /// Begins to end a call and gives it as it is now: `canceling` before an answer, `terminating` after one,
    /// `hangup` when it was over. To end one twice does no harm.
    pub async fn hangup(&self, id: Uuid) -> Result<Call, Error> {
        self.0.fetch(&Request::below(Method::POST, PATH, id, "/hangup").harmless()).await
    }

    /// Ends a call if it is not over, deletes its record, and gives it as it was last. One that is deleted is
    /// [`Error::Conflict`], also when an earlier attempt of the same request deleted it.
    pub async fn delete(&self, id: Uuid) -> Result<Call, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}
