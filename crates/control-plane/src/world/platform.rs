//! The communication platform in the file of a world: its providers, its customers with their outbound configs, and
//! its routes.

use std::collections::BTreeMap;
use std::fmt;

use didww_types::Secret;
use didww_types::values::Money;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::secrets::{HIDDEN, hide};
use super::strict;
use crate::without_secrets::remove_credentials;

/// The communication platform of a world.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldPlatform {
    /// The carriers through which calls are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<WorldProvider>,
    /// The customers of the platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<WorldCustomer>,
    /// The routes, which assign providers to destinations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<WorldRoute>,
}

/// A carrier of a world.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldProvider {
    /// A name within the file, by which routes can refer to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The id; if `None`, one that follows from the label or the position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The protocol; `sip` by default.
    #[serde(rename = "type", default = "sip")]
    pub kind: String,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// A note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The SIP host; an empty one cannot be called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// The text before the called number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tech_prefix: String,
    /// The text after the called number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tech_postfix: String,
    /// Additional headers, any of which can be a credential.
    #[serde(default, deserialize_with = "strict::secrets", skip_serializing_if = "BTreeMap::is_empty")]
    pub tech_headers: BTreeMap<String, Secret>,
    /// The codecs, with commas between them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub codecs: String,
    /// The metadata of the trunk at the carrier.
    #[serde(default, deserialize_with = "strict::members", skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// The user that answers digest challenges; if `None`, a provider that exists keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its password; if `None`, that of the provider that exists, else a random one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// The metadata of the trunk can contain credentials, so it is left out.
impl fmt::Debug for WorldProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, id, name, hostname, .. } = self;
        let mut text = f.debug_struct("WorldProvider");
        text.field("label", label).field("id", id).field("name", name).field("hostname", hostname);
        text.finish_non_exhaustive()
    }
}

/// A customer of a world.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldCustomer {
    /// A name within the file, by which routes can refer to the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The id; if `None`, one that follows from the label or the position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The name.
    pub name: String,
    /// A note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// The telephone number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone_number: String,
    /// The postal address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Whether the API refuses the customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
    /// Whether the identity was verified, which calls to telephone numbers need; true by default.
    #[serde(default = "verified")]
    pub identity_verified: bool,
    /// The balance in US dollars; 1000 by default.
    #[serde(default = "balance")]
    pub balance: Money,
    /// Whether the media of calls is to be recorded for support.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rtp_debug: bool,
    /// The http or https URL that receives events; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub webhook_uri: String,
    /// The HTTP method of these requests; an empty one is POST.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub webhook_method: String,
    /// The secret that signs them; if `None`, a new customer's are not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<Secret>,
    /// The outbound config; if `None`, the empty one, which permits no destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_config: Option<WorldConfig>,
}

/// The URL can hold credentials, so it is left out.
impl fmt::Debug for WorldCustomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, id, name, .. } = self;
        let mut text = f.debug_struct("WorldCustomer");
        text.field("label", label).field("id", id).field("name", name).finish_non_exhaustive()
    }
}

/// The outbound config of a customer of a world. A save leaves out the default source number, as it does all numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldConfig {
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The countries that can be called, as ISO 3166-1 alpha-2 codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destination_whitelist: Vec<String>,
    /// The codecs for calls to SIP URIs, with commas between them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub codecs: String,
}

/// A route of a world.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorldRoute {
    /// A name within the file, from which the id follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The id; if `None`, one that follows from the label or the position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The label or the id of the customer; if `None`, the route is that of every customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The label or the id of the provider.
    pub provider: String,
    /// The calling code with the plus sign, or `all`.
    pub target: String,
    /// The priority: routes with a lower number are tried first.
    #[serde(default)]
    pub priority: i64,
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

fn sip() -> String {
    "sip".to_owned()
}

fn verified() -> bool {
    true
}

fn balance() -> Money {
    Money::new(1000.into())
}

impl WorldPlatform {
    /// Whether there are no providers, customers and routes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of providers, customers and routes.
    pub fn len(&self) -> usize {
        self.providers.len() + self.customers.len() + self.routes.len()
    }

    /// Hides the secrets, and removes the credentials in URLs.
    pub(super) fn hide(&mut self) {
        let hidden = || Secret::new(HIDDEN);
        for provider in &mut self.providers {
            if let Some(password) = &mut provider.password {
                *password = hidden();
            }
            for header in provider.tech_headers.values_mut() {
                *header = hidden();
            }
            hide(&mut provider.metadata);
        }
        for customer in &mut self.customers {
            if let Some(secret) = &mut customer.webhook_secret {
                *secret = hidden();
            }
            let mut uri = Value::from(std::mem::take(&mut customer.webhook_uri));
            remove_credentials(&mut uri);
            uri.as_str().unwrap_or_default().clone_into(&mut customer.webhook_uri);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_hidden_and_no_text_of_it_for_programmers_has_a_secret() {
        let text = r#"{ "providers": [{ "hostname": "sip.example.com", "username": "u", "password": "planted",
                "tech_headers": { "X-Auth": "planted" }, "metadata": { "didww_base_url": "https://a:planted@h/v3" } }],
            "customers": [{ "name": "A", "webhook_uri": "https://a:planted@h/?token=planted&b=1",
                "webhook_secret": "planted" }] }"#;
        let mut platform: WorldPlatform = serde_json::from_str(text).unwrap();
        let shown = format!("{platform:?}");
        assert!(!shown.contains("planted"), "{shown}");
        assert!(serde_json::to_string(&platform).unwrap().contains("planted"));
        platform.hide();
        let hidden = serde_json::to_string(&platform).unwrap();
        assert!(!hidden.contains("planted") && hidden.contains("https://h/?b=1"), "{hidden}");
        assert_eq!((platform.len(), platform.is_empty()), (2, false));
    }

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_not_known_is_refused() {
        let customer: WorldCustomer = serde_json::from_str(r#"{ "name": "A" }"#).unwrap();
        assert!(customer.identity_verified && !customer.frozen && customer.webhook_secret.is_none());
        assert_eq!(customer.balance.to_string(), "1000.0");
        let refused =
            serde_json::from_str::<WorldRoute>(r#"{ "provider": "a", "target": "all", "prio": 1 }"#);
        assert!(refused.unwrap_err().to_string().contains("unknown field `prio`"));
    }
}
