//! The rules of outbound trunks.

use didww_types::{ApiVersion, Feature, Violation};
use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::{Credentials, Refusal, WriteContext, WriteKind, blocking};

pub(super) fn apply(context: &WriteContext<'_>, sent: &Map<String, Value>, draft: &mut Draft) {
    threshold(context, sent, draft);
    mismatch_action(context, sent, draft);
    authentication(context, sent, draft);
    draft.require_linked_records(context);
    clear_managed_members("allow_any_did_as_cli", "dids", context, draft);
    clear_managed_members("emergency_enable_all", "emergency_dids", context, draft);
    emergency_members(context, draft);
    blocking::apply(context, draft);
}

/// In the older API versions, a new trunk has no threshold unless one is sent.
fn threshold(context: &WriteContext<'_>, sent: &Map<String, Value>, draft: &mut Draft) {
    let is_older = context.version < ApiVersion::V2026_04_16;
    if is_older && matches!(context.kind, WriteKind::Create) && !sent.contains_key("threshold_amount") {
        draft.attributes.insert("threshold_amount".to_owned(), Value::Null);
    }
}

/// Two of the mismatch actions require a feature of the account.
fn mismatch_action(context: &WriteContext<'_>, sent: &Map<String, Value>, draft: &mut Draft) {
    let feature = match sent.get("on_cli_mismatch_action").and_then(Value::as_str) {
        Some("replace_cli") => Feature::ReplaceCli,
        Some("randomize_cli") => Feature::RandomizeCli,
        _ => return,
    };
    if !context.features.has(feature) {
        let why = format!("the account does not have the feature {}", feature.as_str());
        draft
            .refusals
            .push(Refusal::attribute("on_cli_mismatch_action", Violation::NotIncluded).because(why));
    }
}

/// Only staff can set `ip_only`. A trunk that changes to `credentials_and_ip` receives new credentials; a
/// trunk that has this method already keeps its credentials.
fn authentication(context: &WriteContext<'_>, sent: &Map<String, Value>, draft: &mut Draft) {
    let Some(method) = sent.get("authentication_method") else { return };
    let before = match context.kind {
        WriteKind::Create => None,
        WriteKind::Update(before) => before.get("authentication_method"),
    };
    let is_older = context.version < ApiVersion::V2026_04_16;
    if kind(Some(method)) == Some("ip_only") {
        let violation =
            if before.is_none() { Violation::NotAllowedForCreation } else { Violation::NotAllowedForUpdate };
        let pointer = "/data/attributes/authentication_method/type";
        draft.refusals.push(Refusal::attribute("type", violation).at(pointer));
        return;
    }
    if is_older && kind(before) == Some("ip_only") {
        let why = "only staff can change the addresses of an ip_only trunk";
        draft
            .refusals
            .push(Refusal::attribute("allowed_sip_ips", Violation::NotAllowedForUpdate).because(why));
        return;
    }
    if kind(Some(method)) != Some("credentials_and_ip") {
        return;
    }
    let stored = |name: &str| before.and_then(|method| method.get("attributes")?.get(name)).cloned();
    let keeps_credentials = kind(before) == Some("credentials_and_ip");
    let sent = |name: &str| method.get("attributes").and_then(|inner| inner.get(name)).cloned();
    // The older versions have no member for the tech prefix, so they keep the stored one.
    let prefix = if is_older { stored("tech_prefix") } else { sent("tech_prefix") };
    let (username, password) = match (stored("username"), stored("password")) {
        (Some(username), Some(password)) if keeps_credentials => (username, password),
        _ => (json!(context.fresh.username), json!(context.fresh.password)),
    };
    let method = json!({
        "type": "credentials_and_ip",
        "attributes": {
            "allowed_sip_ips": sent("allowed_sip_ips").unwrap_or_else(|| json!([])),
            "tech_prefix": prefix.unwrap_or(Value::Null),
            "username": username,
            "password": password,
        },
    });
    draft.attributes.insert("authentication_method".to_owned(), method);
}

fn kind(method: Option<&Value>) -> Option<&str> {
    method?.get("type")?.as_str()
}

/// While the switch is on, the service maintains the members: a request may name none, and the linked members
/// are removed.
fn clear_managed_members(
    switch: &str,
    relationship: &'static str,
    context: &WriteContext<'_>,
    draft: &mut Draft,
) {
    if draft.attributes.get(switch) != Some(&Value::Bool(true)) {
        return;
    }
    if context.links.get(relationship).is_some_and(|linked| !linked.records.is_empty()) {
        let why = format!("{switch} is on");
        draft.refusals.push(Refusal::relationship(relationship, Violation::MustBeBlank).because(why));
    }
    draft.links.insert(relationship, Vec::new());
}

/// Only a DID with emergency calling may be an emergency DID.
fn emergency_members(context: &WriteContext<'_>, draft: &mut Draft) {
    let Some(linked) = context.links.get("emergency_dids") else { return };
    for record in &linked.records {
        let Some(did) = &record.attributes else { continue };
        if did.get("emergency_enabled") != Some(&Value::Bool(true)) {
            draft.refusals.push(Refusal::member("emergency_dids", &record.id, Violation::NoEmergency));
        }
    }
}

/// An operation on a trunk that only staff may perform.
#[derive(Debug, Clone)]
pub enum TrunkOperation {
    /// Set the authentication method to `ip_only`, with these normalised networks.
    IpOnly {
        /// The addresses and subnets that calls may come from.
        allowed_sip_ips: Vec<String>,
    },
    /// Replace the digest credentials.
    Regenerate(Credentials),
}

/// Applies an operation to a trunk's canonical attributes. Returns `None` if the trunk's authentication
/// method does not permit it.
pub fn apply_to_trunk(
    attributes: &Map<String, Value>,
    operation: TrunkOperation,
) -> Option<Map<String, Value>> {
    let mut attributes = attributes.clone();
    let method = attributes.get_mut("authentication_method")?;
    match operation {
        TrunkOperation::IpOnly { allowed_sip_ips } => {
            let prefix = method.get("attributes").and_then(|inner| inner.get("tech_prefix")).cloned();
            *method = json!({
                "type": "ip_only",
                "attributes": { "allowed_sip_ips": allowed_sip_ips, "tech_prefix": prefix.unwrap_or(Value::Null) },
            });
        }
        TrunkOperation::Regenerate(fresh) => {
            if kind(Some(method)) != Some("credentials_and_ip") {
                return None;
            }
            let inner = method.get_mut("attributes")?.as_object_mut()?;
            inner.insert("username".to_owned(), json!(fresh.username));
            inner.insert("password".to_owned(), json!(fresh.password));
        }
    }
    Some(attributes)
}
