//! Waiting until a record meets a condition, with a deadline.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use didww_types::resources::{Export, ExportStatus, Order, OrderStatus};
use didww_types::{Gettable, Id, Resource};
use reqwest::Method;

use crate::request::Request;
use crate::{Api, Error, Exchange, Overdue, Single};

const DEFAULT_TIMEOUT: Duration = Duration::from_mins(5);
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);

/// The condition that each reading of the record is tested for.
type Condition<R> = Box<dyn FnMut(&R) -> bool + Send>;

/// A record that is read repeatedly until it meets a condition. Await it, or call [`send`](Self::send).
#[must_use = "nothing is sent until it is awaited"]
pub struct Waiting<R: Resource> {
    api: Api<R>,
    id: Id<R>,
    is_done: Condition<R>,
    timeout: Duration,
    interval: Duration,
}

impl<R: Gettable> Api<R> {
    /// Reads a record until the condition holds for it, and returns it: every two seconds for five minutes, unless
    /// [`every`](Waiting::every) and [`timeout`](Waiting::timeout) say otherwise. A program that can receive callbacks
    /// does not need it.
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client, id: didww_client::Id<didww_client::resources::Identity>)
    /// # -> Result<(), didww_client::Error> {
    /// use std::time::Duration;
    ///
    /// let hour = Duration::from_secs(3600);
    /// let identity = client.identities().wait_for(&id, |identity| identity.verified).timeout(hour).await?;
    /// println!("{} is verified", identity.id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`Error::Overdue`] when the timeout expires, [`Error::NotFound`] when the record is deleted meanwhile,
    /// and the errors of reading it after the retries that the policy allows.
    pub fn wait_for(&self, id: &Id<R>, condition: impl FnMut(&R) -> bool + Send + 'static) -> Waiting<R> {
        Waiting {
            api: self.clone(),
            id: id.clone(),
            is_done: Box::new(condition),
            timeout: DEFAULT_TIMEOUT,
            interval: DEFAULT_INTERVAL,
        }
    }
}

impl Api<Order> {
    /// Waits until an order is completed or canceled; see [`wait_for`](Self::wait_for).
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client, sku: &str) -> Result<(), didww_client::Error> {
    /// use didww_client::resources::{Order, OrderItem, OrderStatus};
    ///
    /// let orders = client.orders();
    /// let order = orders.create(Order::create(OrderItem::dids(sku, 2).with_billing_cycles(12))).await?;
    /// let order = orders.wait_until_carried_out(&order.id).await?;
    /// assert_eq!(order.status, OrderStatus::Completed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_until_carried_out(&self, id: &Id<Order>) -> Waiting<Order> {
        // Not every other status than `pending`: one that this crate does not know need not be an end.
        self.wait_for(id, |order| matches!(order.status, OrderStatus::Completed | OrderStatus::Canceled))
    }
}

impl Api<Export> {
    /// Waits until the file of an export can be downloaded; see [`wait_for`](Self::wait_for).
    ///
    /// ```
    /// # async fn f(client: &didww_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use didww_client::resources::{Export, ExportFilters, ExportType};
    ///
    /// let exports = client.exports();
    /// let filters = ExportFilters::between("2026-11-01T00:00:00Z".parse()?, "2026-11-08T00:00:00Z".parse()?);
    /// let export = exports.create(Export::create(ExportType::CdrOut, filters)).await?;
    /// let export = exports.wait_until_completed(&export.id).await?;
    /// assert!(export.url.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_until_completed(&self, id: &Id<Export>) -> Waiting<Export> {
        self.wait_for(id, |export| export.status == ExportStatus::Completed)
    }
}

impl<R: Gettable> Waiting<R> {
    /// Sets the time after which the wait fails. The record is read once more at its end, for which the service has the
    /// [`timeout`](crate::ClientBuilder::timeout) of one request, whatever the retry policy is.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time between two readings.
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Reads the record until the condition holds or the timeout expires.
    pub async fn send(mut self) -> Result<Single<R>, Error> {
        let started = client_core::now();
        loop {
            let waited = client_core::now().saturating_duration_since(started);
            let limit = self.timeout.saturating_sub(waited).saturating_add(self.api.client.timeout());
            let Some(read) = client_core::within(limit, self.api.get(&self.id).send()).await else {
                return Err(self.overdue(client_core::now().saturating_duration_since(started)));
            };
            let single = read?;
            let record: &R = &single;
            if (self.is_done)(record) {
                return Ok(single);
            }
            let waited = client_core::now().saturating_duration_since(started);
            let left = self.timeout.saturating_sub(waited);
            if left.is_zero() {
                return Err(self.overdue(waited));
            }
            // A wait of zero would be a busy loop.
            client_core::sleep(self.interval.max(Duration::from_millis(1)).min(left)).await;
        }
    }

    fn overdue(&self, waited: Duration) -> Error {
        let path = Request::record(Method::GET, self.api.path(), self.id.as_str()).path;
        let exchange = Exchange::unsent(&Method::GET, path);
        Error::Overdue(Box::new(Overdue::new(exchange, waited)))
    }
}

impl<R: Gettable> IntoFuture for Waiting<R> {
    type Output = Result<Single<R>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<R: Resource> fmt::Debug for Waiting<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("id", &self.id)
            .field("timeout", &self.timeout)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
