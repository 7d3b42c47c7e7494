//! The difference between the record that a create request would make and an existing record.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    ApiVersion, AttributeSpec, DecodeError, Linkage, RelationshipSpec, ResourceObject, ResourceSpec, Sent,
    Update,
};

/// The changes that would make an existing record equal to the one that a create request would make.
///
/// Only the members that the request sets are compared, after both were brought into the form in which the service
/// stores them. So addresses without their prefix length, decimals with other zeros and values that only the service
/// sets, such as generated credentials, make no difference.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::resources::{AuthenticationMethod, OnCliMismatchAction, VoiceOutTrunk};
/// use didww_client::values::IpNetworks;
/// use didww_client::{ApiVersion, Create as _, Difference, Resource as _, ResourceObject};
/// use serde_json::json;
///
/// let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"])?);
/// let wanted = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, method).to_sent()?;
/// let existing: ResourceObject = serde_json::from_value(json!({
///     "type": "voice_out_trunks",
///     "id": "1",
///     "attributes": {
///         "name": "Berlin",
///         "on_cli_mismatch_action": "send_original_cli",
///         "authentication_method": {
///             "type": "credentials_and_ip",
///             "attributes": { "allowed_sip_ips": ["203.0.113.7/32"], "username": "u", "password": "p" },
///         },
///     },
/// }))?;
/// let difference = Difference::between(VoiceOutTrunk::SPEC, ApiVersion::NEWEST, &wanted, &existing);
/// assert_eq!(difference.members(), ["on_cli_mismatch_action"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// The body of an update request that removes the difference.
    pub changes: Sent,
    /// The attributes and relationships that differ, and that update requests cannot contain.
    pub fixed: Vec<String>,
}

impl Difference {
    /// Compares a record in the canonical form with the body of a create request. A relationship whose linkage the
    /// record does not contain counts as different.
    pub fn between(
        spec: &'static ResourceSpec,
        version: ApiVersion,
        wanted: &Sent,
        existing: &ResourceObject,
    ) -> Self {
        let mut difference = Self::default();
        for (name, value) in &wanted.attributes {
            let Some(attribute) = spec.attribute(name).filter(|attribute| !attribute.write_only) else {
                continue;
            };
            let stored = existing.attributes.get(name).unwrap_or(&Value::Null);
            if is_same(attribute, version, value, stored) {
                continue;
            }
            if attribute.update {
                difference.changes.attributes.insert(name.clone(), value.clone());
            } else {
                difference.fixed.push(name.clone());
            }
        }
        for (name, value) in &wanted.relationships {
            let found = spec.relationship(name).filter(|relationship| Self::compares(relationship));
            let Some(relationship) = found else { continue };
            let linked = existing.relationships.get(name).and_then(|object| object.data.as_ref());
            if linked.map(linked_ids) == Some(wanted_ids(value)) {
                continue;
            }
            if relationship.update {
                difference.changes.relationships.insert(name.clone(), value.clone());
            } else if linked.is_some() {
                difference.fixed.push(name.clone());
            }
        }
        difference
    }

    /// Whether a relationship is compared: whether records show it.
    pub fn compares(relationship: &RelationshipSpec) -> bool {
        !relationship.hidden && !relationship.write_only
    }

    /// Whether the record is as the request would make it.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.fixed.is_empty()
    }

    /// The attributes and then the relationships that an update request changes, each in the order of their names.
    pub fn members(&self) -> Vec<&str> {
        fn sorted(members: &Map<String, Value>) -> Vec<&str> {
            let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
            names.sort_unstable();
            names
        }
        let mut names = sorted(&self.changes.attributes);
        names.extend(sorted(&self.changes.relationships));
        names
    }
}

/// A body that was made at run time, such as that of a [`Difference`].
impl Update for Sent {
    fn to_sent(&self) -> Result<Self, DecodeError> {
        Ok(self.clone())
    }

    fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.relationships.is_empty()
    }
}

fn is_same(attribute: &AttributeSpec, version: ApiVersion, wanted: &Value, stored: &Value) -> bool {
    let normal = attribute.normal(version, wanted);
    if attribute.merged {
        return has_what_is_wanted(wanted, &normal, stored);
    }
    normal == attribute.normal(version, stored)
}

/// Whether an object has the type and each attribute of one that would be merged into it. `normal` is the latter as the
/// service stores it, without the attributes that it sets to null.
fn has_what_is_wanted(wanted: &Value, normal: &Value, stored: &Value) -> bool {
    fn members(value: &Value) -> Map<String, Value> {
        value.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default()
    }
    let (normal_members, stored_members) = (members(normal), members(stored));
    let is_there = |name: &String| {
        normal_members.get(name).unwrap_or(&Value::Null) == stored_members.get(name).unwrap_or(&Value::Null)
    };
    normal.get("type") == stored.get("type") && members(wanted).keys().all(is_there)
}

fn linked_ids(linkage: &Linkage) -> BTreeSet<&str> {
    match linkage {
        Linkage::One(member) => member.iter().map(|member| member.id.as_str()).collect(),
        Linkage::Many(members) => members.iter().map(|member| member.id.as_str()).collect(),
    }
}

/// The ids of a relationship in the body of a request: `{"data": ...}`.
fn wanted_ids(relationship: &Value) -> BTreeSet<&str> {
    let data = relationship.get("data").unwrap_or(&Value::Null);
    let members = data.as_array().map_or(std::slice::from_ref(data), Vec::as_slice).iter();
    members.filter_map(|member| member.get("id").and_then(Value::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::{
        Address, AuthenticationMethod, EncryptedFile, OnCliMismatchAction, Proof, TrunkConfiguration,
        VoiceInTrunk, VoiceOutTrunk,
    };
    use crate::values::{CapacityLimit, IpNetworks, SipHost, ThresholdAmount};
    use crate::{Create as _, Id, Resource};

    fn existing<R: Resource>(mut attributes: Value, relationships: &Value) -> ResourceObject {
        attributes["name"] = json!("Berlin");
        serde_json::from_value(json!({
            "type": R::TYPE, "id": "1", "attributes": attributes, "relationships": relationships,
        }))
        .unwrap()
    }

    fn trunk() -> Sent {
        let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"]).unwrap());
        VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, method)
            .threshold_amount("1000".parse::<ThresholdAmount>().unwrap())
            .dids(["d-1", "d-2"])
            .to_sent()
            .unwrap()
    }

    fn between(wanted: &Sent, existing: &ResourceObject) -> Difference {
        Difference::between(VoiceOutTrunk::SPEC, ApiVersion::NEWEST, wanted, existing)
    }

    fn method(networks: &[&str], prefix: Option<&str>) -> Value {
        json!({"type": "credentials_and_ip", "attributes": {"allowed_sip_ips": networks, "tech_prefix": prefix,
            "username": "u", "password": "p"}})
    }

    #[test]
    fn what_the_service_normalises_generates_or_adds_is_no_difference() {
        let attributes = json!({"on_cli_mismatch_action": "reject_call", "threshold_amount": "1000.0",
            "authentication_method": method(&["203.0.113.7/32"], None), "capacity_limit": 7, "status": "blocked"});
        let dids = json!({"dids": {"data": [{"type": "dids", "id": "d-2"}, {"type": "dids", "id": "d-1"}]}});
        let found = between(&trunk(), &existing::<VoiceOutTrunk>(attributes, &dids));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn each_member_that_differs_is_in_the_update_and_no_other() {
        let attributes = json!({"on_cli_mismatch_action": "reject_call", "threshold_amount": "999.0",
            "authentication_method": method(&["203.0.113.7/32"], Some("9"))});
        let dids = json!({"dids": {"data": [{"type": "dids", "id": "d-2"}]}});
        let found = between(&trunk(), &existing::<VoiceOutTrunk>(attributes.clone(), &dids));
        assert_eq!(found.members(), ["authentication_method", "threshold_amount", "dids"]);
        assert_eq!(found.changes.relationships["dids"], trunk().relationships["dids"]);
        assert!(found.fixed.is_empty());
        // A linkage that was not loaded is written again, because it may differ.
        let unloaded = between(&trunk(), &existing::<VoiceOutTrunk>(attributes, &json!({})));
        assert!(unloaded.members().contains(&"dids"));
    }

    #[test]
    fn null_is_a_value_that_can_differ() {
        let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"]).unwrap());
        let body = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, method);
        let attributes = |limit: Value| {
            json!({"on_cli_mismatch_action": "reject_call", "capacity_limit": limit,
                "authentication_method": self::method(&["203.0.113.7/32"], None)})
        };
        let cleared = body.clone().clear_capacity_limit().to_sent().unwrap();
        let limited = existing::<VoiceOutTrunk>(attributes(json!(3)), &json!({}));
        assert_eq!(between(&cleared, &limited).members(), ["capacity_limit"]);
        let set = body.capacity_limit(CapacityLimit::new(3).unwrap()).to_sent().unwrap();
        assert!(between(&set, &limited).is_empty());
        let unlimited = existing::<VoiceOutTrunk>(attributes(Value::Null), &json!({}));
        assert!(between(&cleared, &unlimited).is_empty());
    }

    #[test]
    fn a_relationship_that_only_requests_have_is_not_compared() {
        let (address, file): (Id<Address>, Id<EncryptedFile>) = (Id::new("a-1"), Id::new("f-1"));
        let wanted = Proof::create("t-1", address, vec![file]).to_sent().unwrap();
        let compared: Vec<&String> = wanted
            .relationships
            .keys()
            .filter(|name| Proof::SPEC.relationship(name).is_some_and(Difference::compares))
            .collect();
        assert!(wanted.relationships.contains_key("files") && compared.len() == 2, "{compared:?}");
        let between = |address: &str| {
            let shown = json!({
                "proof_type": {"data": {"type": "proof_types", "id": "t-1"}},
                "entity": {"data": {"type": "addresses", "id": address}},
            });
            Difference::between(
                Proof::SPEC,
                ApiVersion::NEWEST,
                &wanted,
                &existing::<Proof>(json!({}), &shown),
            )
        };
        assert!(between("a-1").is_empty());
        assert_eq!(between("a-2").fixed, ["entity"]);
    }

    #[test]
    fn a_configuration_that_is_merged_is_compared_by_what_the_request_sets() {
        let sip = TrunkConfiguration::sip(SipHost::new("sip.example.com").unwrap());
        let wanted = VoiceInTrunk::create("Berlin", sip).to_sent().unwrap();
        let stored = |host: &str| {
            let mut configuration = wanted.attributes["configuration"].clone();
            configuration["attributes"]["host"] = json!(host);
            configuration["attributes"]["port"] = json!(5060);
            existing::<VoiceInTrunk>(json!({"configuration": configuration}), &json!({}))
        };
        let between =
            |host| Difference::between(VoiceInTrunk::SPEC, ApiVersion::NEWEST, &wanted, &stored(host));
        assert!(between("sip.example.com").is_empty());
        assert_eq!(between("other.example.com").members(), ["configuration"]);
    }
}
