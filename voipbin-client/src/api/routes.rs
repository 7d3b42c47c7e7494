//! `/routes`: which provider takes which calls.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{Route, RouteCreate, RouteUpdate};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/routes";

/// Which provider takes which calls. Needs an administrator of the platform.
#[derive(Debug, Clone)]
pub struct Routes(Client);

impl Routes {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Those of all customers, or of [one](ListRequest::customer).
    pub fn list(&self) -> ListRequest<Route> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads one; a deleted one is still there, with its `tm_delete`.
    pub async fn get(&self, id: Uuid) -> Result<Route, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Makes one.
    ///
    /// ```
    /// # async fn f(client: &voipbin_client::Client, provider: voipbin_client::Uuid) -> Result<(), voipbin_client::Error> {
    /// use voipbin_client::types::{BASIC, RouteUpdate};
    ///
    /// let route = client.routes().create(RouteUpdate::new("+82", provider).of(BASIC)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create(&self, body: RouteCreate) -> Result<Route, Error> {
        self.0.fetch(&Request::new(Method::POST, PATH).with_body(&body)?).await
    }

    /// Replaces one, except its customer: what the body leaves empty becomes empty. `RouteUpdate::from` begins
    /// with what is there.
    pub async fn update(&self, id: Uuid, body: RouteUpdate) -> Result<Route, Error> {
        self.0.fetch(&Request::record(Method::PUT, PATH, id).with_body(&body)?).await
    }

    /// Deletes one and gives it as it is now.
    pub async fn delete(&self, id: Uuid) -> Result<Route, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}

impl ListRequest<Route> {
    /// Those of one customer alone.
    pub fn customer(self, id: Uuid) -> Self {
        self.filter("customer_id", id)
    }
}
