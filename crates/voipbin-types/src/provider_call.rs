//! Provider calls: calls that are placed through one provider, without the use of routes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::{is_default, or_default};
use super::{ActionBody, Address, Anonymous, Timestamp};

/// The record of calls that were placed through one provider. It is not updated when the calls proceed; read
/// each call for its status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProviderCall {
    /// The record's id.
    pub id: Uuid,
    /// The id of the customer who is charged: that of the credentials of the request.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// The id of the provider.
    #[serde(default, deserialize_with = "or_default")]
    pub provider_id: Uuid,
    /// The id of the flow to execute when a call is answered. For a request with actions, the service creates
    /// a flow.
    #[serde(default, deserialize_with = "or_default")]
    pub flow_id: Uuid,
    /// The address of the calling party, as in the request.
    #[serde(default)]
    pub source: Option<Address>,
    /// The called addresses, as in the request.
    #[serde(default, deserialize_with = "or_default")]
    pub destinations: Vec<Address>,
    /// Whether the caller's number is presented, as in the request.
    #[serde(default, deserialize_with = "or_default")]
    pub anonymous: Anonymous,
    /// The ids of the calls that were placed: fewer than the destinations when some of those could not be
    /// called.
    #[serde(default, deserialize_with = "or_default")]
    pub call_ids: Vec<Uuid>,
    /// The ids of the groups of calls that were placed, for destinations that are agents or extensions.
    #[serde(default, deserialize_with = "or_default")]
    pub groupcall_ids: Vec<Uuid>,
    /// The time at which the record was created.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// The time of the last change.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// The time at which the record was deleted. Its calls continue.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

/// The body of a request that places calls through one provider.
///
/// ```
/// # mod voipbin_client { pub use voipbin_types as types; }
/// use voipbin_client::types::{ActionBody, Address, ProviderCallCreate, ZERO};
/// let body = ProviderCallCreate::new(ZERO, [Address::tel("+821012345678")])
///     .source(Address::tel("+14155551234"))
///     .actions([ActionBody::answer(), ActionBody::talk("Hello", "en-US"), ActionBody::hangup()]);
/// assert_eq!(body.actions.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProviderCallCreate {
    /// The id of the provider.
    #[serde(deserialize_with = "or_default")]
    pub provider_id: Uuid,
    /// The address of the calling party. Without one, no caller number is sent to the carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Address>,
    /// The addresses to call; at least one.
    #[serde(deserialize_with = "or_default")]
    pub destinations: Vec<Address>,
    /// The id of the flow to execute when a call is answered; [`ZERO`](super::ZERO) for none.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub flow_id: Uuid,
    /// The actions to execute when a call is answered; ignored when there is a flow.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionBody>,
    /// Whether the caller's number is presented; `None` is `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<Anonymous>,
}

impl ProviderCallCreate {
    /// Creates a body that places a call to each destination through this provider.
    pub fn new(provider_id: Uuid, destinations: impl IntoIterator<Item = Address>) -> Self {
        Self { provider_id, destinations: destinations.into_iter().collect(), ..Self::default() }
    }

    /// Sets the address of the calling party.
    #[must_use]
    pub fn source(mut self, source: Address) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets the flow to execute when a call is answered.
    #[must_use]
    pub fn flow_id(mut self, flow: Uuid) -> Self {
        self.flow_id = flow;
        self
    }

    /// Sets the actions to execute when a call is answered.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = ActionBody>) -> Self {
        self.actions = actions.into_iter().collect();
        self
    }

    /// Sets whether the caller's number is presented.
    #[must_use]
    pub fn anonymous(mut self, anonymous: Anonymous) -> Self {
        self.anonymous = Some(anonymous);
        self
    }
}
