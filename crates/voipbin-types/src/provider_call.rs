//! Calls that are made through one provider and no other.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lenient::{is_zero, or_default};
use super::{ActionBody, Address, Anonymous, Timestamp};

/// The record of calls that were made through one provider. It does not follow them: ask for each call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProviderCall {
    /// The id.
    pub id: Uuid,
    /// The customer who pays: the caller's own.
    #[serde(default, deserialize_with = "or_default")]
    pub customer_id: Uuid,
    /// The provider.
    #[serde(default, deserialize_with = "or_default")]
    pub provider_id: Uuid,
    /// The flow that runs after the answer; one that was made for it when there were actions.
    #[serde(default, deserialize_with = "or_default")]
    pub flow_id: Uuid,
    /// Who calls, as it was given.
    #[serde(default)]
    pub source: Option<Address>,
    /// Who is called, as it was given.
    #[serde(default, deserialize_with = "or_default")]
    pub destinations: Vec<Address>,
    /// Whether the caller's number is shown, as it was given.
    #[serde(default, deserialize_with = "or_default")]
    pub anonymous: Anonymous,
    /// The calls that were made; fewer than the destinations when some could not be called.
    #[serde(default, deserialize_with = "or_default")]
    pub call_ids: Vec<Uuid>,
    /// The groups of calls that were made, for agents and extensions.
    #[serde(default, deserialize_with = "or_default")]
    pub groupcall_ids: Vec<Uuid>,
    /// When it was made.
    #[serde(default)]
    pub tm_create: Option<Timestamp>,
    /// When it was changed.
    #[serde(default)]
    pub tm_update: Option<Timestamp>,
    /// When it was deleted. Its calls go on.
    #[serde(default)]
    pub tm_delete: Option<Timestamp>,
}

/// Places calls through one provider.
///
/// ```
/// use voipbin_types::{ActionBody, Address, ProviderCallCreate, ZERO};
/// let body = ProviderCallCreate::new(ZERO, [Address::tel("+821012345678")])
///     .source(Address::tel("+14155551234"))
///     .actions([ActionBody::answer(), ActionBody::talk("Hello", "en-US"), ActionBody::hangup()]);
/// assert_eq!(body.actions.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderCallCreate {
    /// The provider.
    #[serde(deserialize_with = "or_default")]
    pub provider_id: Uuid,
    /// Who calls; without one the carrier is given no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Address>,
    /// Who is called, at least one.
    #[serde(deserialize_with = "or_default")]
    pub destinations: Vec<Address>,
    /// The flow that runs after the answer.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub flow_id: Uuid,
    /// What is done after the answer; ignored when there is a flow.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionBody>,
    /// Whether the caller's number is shown; `auto` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<Anonymous>,
}

impl ProviderCallCreate {
    /// Calls through this provider.
    pub fn new(provider_id: Uuid, destinations: impl IntoIterator<Item = Address>) -> Self {
        Self { provider_id, destinations: destinations.into_iter().collect(), ..Self::default() }
    }

    /// Sets who calls.
    #[must_use]
    pub fn source(mut self, source: Address) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets the flow that runs after the answer.
    #[must_use]
    pub fn flow_id(mut self, flow: Uuid) -> Self {
        self.flow_id = flow;
        self
    }

    /// Sets what is done after the answer.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = ActionBody>) -> Self {
        self.actions = actions.into_iter().collect();
        self
    }

    /// Sets whether the caller's number is shown.
    #[must_use]
    pub fn anonymous(mut self, anonymous: Anonymous) -> Self {
        self.anonymous = Some(anonymous);
        self
    }
}
