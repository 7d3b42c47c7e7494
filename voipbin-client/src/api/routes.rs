//! The endpoints below `/routes`: which provider receives which calls.

use reqwest::Method;
use uuid::Uuid;

use crate::request::Request;
use crate::types::{Route, RouteCreate, RouteUpdate};
use crate::{Client, Error, ListRequest};

const PATH: &str = "/routes";

/// The routes, which assign calls to providers by customer and destination. They require the permission of an
/// administrator of the platform.
#[derive(Debug, Clone)]
pub struct Routes(Client);

impl Routes {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Lists the routes of all customers, or of [one customer](ListRequest::customer), the newest first.
    pub fn list(&self) -> ListRequest<Route> {
        ListRequest::new(self.0.clone(), PATH)
    }

    /// Reads a route. A deleted one can still be read and has a `tm_delete`.
    pub async fn get(&self, id: Uuid) -> Result<Route, Error> {
        self.0.fetch(&Request::record(Method::GET, PATH, id)).await
    }

    /// Creates a route. The request is retried only when it cannot have taken effect.
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

    /// Replaces all members of a route, except its customer, and returns it. A member that is empty in the
    /// body becomes empty. To change single members, build the body with `RouteUpdate::from` the present
    /// route.
    pub async fn update(&self, id: Uuid, body: RouteUpdate) -> Result<Route, Error> {
        self.0.fetch(&Request::record(Method::PUT, PATH, id).with_body(&body)?).await
    }

    /// Deletes a route and returns it.
    pub async fn delete(&self, id: Uuid) -> Result<Route, Error> {
        self.0.fetch(&Request::record(Method::DELETE, PATH, id)).await
    }
}

impl ListRequest<Route> {
    /// Lists only the routes of this customer.
    pub fn customer(self, id: Uuid) -> Self {
        self.filter("customer_id", id)
    }
}
