//! Which provider takes a customer's calls to a country.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::{or_default, uuid_or_zero};
use super::{Extra, Timestamp};

/// Which provider takes a customer's calls to a country.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Route {
    /// The id.
    pub id: Uuid,
    /// The customer; [`BASIC`](super::BASIC) is every customer.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// A name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// A note.
    #[serde(default, deserialize_with = "or_default")]
    pub detail: String,
    /// The provider.
    #[serde(default, deserialize_with = "or_default")]
    pub provider_id: Uuid,
    /// Lower ones are tried first.
    #[serde(default, deserialize_with = "or_default")]
    pub priority: i64,
    /// A calling code with its plus, such as `+82`, or `all`.
    #[serde(default, deserialize_with = "or_default")]
    pub target: String,
    /// When it was made.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// When it was changed.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
    /// Members that are not declared here; an update sends them back.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A new route.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteCreate {
    /// The customer; [`BASIC`](super::BASIC) is every customer.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub customer_id: Uuid,
    /// What it says.
    #[serde(flatten)]
    pub route: RouteUpdate,
}

/// All of what a route becomes: an update replaces it whole, and what is left out becomes empty. Its customer
/// stays.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteUpdate {
    /// A name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// A note.
    #[serde(deserialize_with = "or_default")]
    pub detail: String,
    /// The provider.
    #[serde(deserialize_with = "uuid_or_zero")]
    pub provider_id: Uuid,
    /// Lower ones are tried first.
    #[serde(deserialize_with = "or_default")]
    pub priority: i64,
    /// A calling code with its plus, such as `+82`, or `all`.
    #[serde(deserialize_with = "or_default")]
    pub target: String,
    /// Members that are not declared here.
    #[serde(flatten)]
    pub extra: Extra,
}

impl RouteUpdate {
    /// A route of this calling code, or of `all`, to a provider.
    pub fn new(target: impl Into<String>, provider_id: Uuid) -> Self {
        Self { target: target.into(), provider_id, ..Self::default() }
    }

    /// This route for a customer.
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
