//! Routes, which assign a customer's calls to providers.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::{or_default, uuid_or_zero};
use super::{Extra, Timestamp};

/// The assignment of a customer's calls with a calling code to a provider.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Route {
    /// The route's id.
    pub id: Uuid,
    /// The id of the customer; [`BASIC`](super::BASIC) for every customer.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// The route's name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// A note about the route.
    #[serde(default, deserialize_with = "or_default")]
    pub detail: String,
    /// The id of the provider.
    #[serde(default, deserialize_with = "or_default")]
    pub provider_id: Uuid,
    /// The priority. Routes with a lower number are tried first.
    #[serde(default, deserialize_with = "or_default")]
    pub priority: i64,
    /// The calling code with the plus sign, such as `+82`, or `all`.
    #[serde(default, deserialize_with = "or_default")]
    pub target: String,
    /// The time at which the route was created.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the route was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
    /// Members that this crate does not declare. An update sends them back.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The body of a request that creates a route.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RouteCreate {
    /// The id of the customer; [`BASIC`](super::BASIC) for every customer.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub customer_id: Uuid,
    /// The members of the route; its fields are members of this object on the wire.
    #[serde(flatten)]
    pub route: RouteUpdate,
}

/// The body of a request that replaces all members of a route except its customer. Members that it leaves out
/// become empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RouteUpdate {
    /// The route's name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note about the route.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
    /// The id of the provider.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub provider_id: Uuid,
    /// The priority. Routes with a lower number are tried first.
    #[serde(deserialize_with = "or_default")]
    pub priority: i64,
    /// The calling code with the plus sign, such as `+82`, or `all`.
    #[serde(deserialize_with = "or_default")]
    pub target: String,
    /// Members that this crate does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl RouteUpdate {
    /// Creates a route with priority 0 from this calling code, or from `all`, to a provider.
    pub fn new(target: impl Into<String>, provider_id: Uuid) -> Self {
        Self { target: target.into(), provider_id, ..Self::default() }
    }

    /// Creates the body that creates this route for a customer, or for every customer with
    /// [`BASIC`](super::BASIC).
    pub fn of(self, customer_id: Uuid) -> RouteCreate {
        RouteCreate { customer_id, route: self }
    }
}

impl From<Route> for RouteUpdate {
    fn from(route: Route) -> Self {
        Self {
            name: route.name,
            detail: route.detail,
            provider_id: route.provider_id,
            priority: route.priority,
            target: route.target,
            extra: route.extra,
        }
    }
}
