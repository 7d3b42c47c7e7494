//! Every setter of every relationship sends the type that its declaration states.

use std::collections::BTreeSet;

use didww_types::derive_support::Linkable;
use didww_types::resources::{
    Address, AddressRequirementValidation, AddressVerification, AuthenticationMethod, CapacityPool, Did,
    DidReservation, EmergencyRequirementValidation, EmergencyVerification, EncryptedFile, Identity,
    IdentityType, OnCliMismatchAction, Order, PermanentSupportingDocument, Proof, SenderIdVerification,
    SharedCapacityGroup, SmsConfiguration, SmsTrunk, SmsTrunkGroup, SmsTrunkRegenerateCredentials,
    TrunkConfiguration, VoiceInTrunk, VoiceInTrunkGroup, VoiceOutTrunk, VoiceOutTrunkRegenerateCredentials,
};
use didww_types::values::IpNetworks;
use didww_types::{Access, Create, Id, REGISTRY, Resource, Sent, Updatable, Update as _};
use serde_json::{Value, json};

use crate::fixtures::json as document;

const IDS: [&str; 2] = ["0a161808-bb05-42b1-8398-7888abdfa9ef", "7de7f718-4042-4d74-9fe9-863fa1777520"];

/// A setter: the resource's type, `create` or `update`, and the relationship.
type Setter = (&'static str, &'static str, &'static str);

/// Checks the linkage that a body sends, and notes its setter.
fn prove(proven: &mut BTreeSet<Setter>, setter: Setter, many: bool, target: &str, sent: &Sent) {
    let member = |id| json!({ "type": target, "id": id });
    let expected = if many { IDS.iter().map(member).collect() } else { member(&IDS[0]) };
    assert_eq!(sent.relationships[setter.2]["data"], expected, "{setter:?}");
    proven.insert(setter);
}

fn updates<R: Updatable>(proven: &mut BTreeSet<Setter>)
where
    R::Patch: Linkable,
{
    for relationship in R::SPEC.relationships.iter().filter(|relationship| relationship.update) {
        let setter = (R::TYPE, "update", relationship.name);
        let patch = R::Patch::default().link(relationship.name, &IDS).unwrap_or_else(|| panic!("{setter:?}"));
        prove(proven, setter, relationship.many, relationship.target, &patch.to_sent().unwrap());
    }
    assert!(R::Patch::default().link("bogus", &IDS).is_none());
}

/// Proves the setters of a create body. A required relationship is a parameter of its constructor, which received the
/// first id.
fn creates<R: Resource, C: Create + Linkable>(proven: &mut BTreeSet<Setter>, body: &C) {
    for relationship in R::SPEC.relationships.iter().filter(|relationship| relationship.create.allowed()) {
        let setter = (R::TYPE, "create", relationship.name);
        let linked = body.clone().link(relationship.name, &IDS);
        assert_eq!(linked.is_none(), relationship.create == Access::Required, "{setter:?}");
        let sent = linked.unwrap_or_else(|| body.clone()).to_sent().unwrap();
        prove(proven, setter, relationship.many, relationship.target, &sent);
    }
}

#[test]
fn every_setter_of_every_relationship_sends_the_declared_type() {
    let mut proven = BTreeSet::new();
    updates::<CapacityPool>(&mut proven);
    updates::<Did>(&mut proven);
    updates::<Order>(&mut proven);
    updates::<SharedCapacityGroup>(&mut proven);
    updates::<VoiceInTrunk>(&mut proven);
    updates::<VoiceInTrunkGroup>(&mut proven);
    updates::<Identity>(&mut proven);
    updates::<SenderIdVerification>(&mut proven);
    updates::<SmsTrunk>(&mut proven);
    updates::<SmsTrunkGroup>(&mut proven);
    updates::<VoiceOutTrunk>(&mut proven);
    let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["192.0.2.1"]).unwrap());
    let trunk = VoiceOutTrunk::create("A", OnCliMismatchAction::RejectCall, method);
    creates::<VoiceOutTrunk, _>(&mut proven, &trunk);
    creates::<SharedCapacityGroup, _>(&mut proven, &SharedCapacityGroup::create("A", IDS[0]));
    let inbound = VoiceInTrunk::create("A", TrunkConfiguration::sip_registration());
    creates::<VoiceInTrunk, _>(&mut proven, &inbound);
    creates::<VoiceInTrunkGroup, _>(&mut proven, &VoiceInTrunkGroup::create("A"));
    let rotation = VoiceOutTrunkRegenerateCredentials::create(IDS[0]);
    creates::<VoiceOutTrunkRegenerateCredentials, _>(&mut proven, &rotation);
    creates::<SmsTrunk, _>(&mut proven, &SmsTrunk::create("A", SmsConfiguration::http_out()));
    creates::<SmsTrunkGroup, _>(&mut proven, &SmsTrunkGroup::create("A"));
    let rotation = SmsTrunkRegenerateCredentials::create(IDS[0]);
    creates::<SmsTrunkRegenerateCredentials, _>(&mut proven, &rotation);
    creates::<DidReservation, _>(&mut proven, &DidReservation::create(IDS[0]));
    creates::<Identity, _>(&mut proven, &Identity::create(IdentityType::Personal, "A", "B", "1"));
    creates::<Address, _>(&mut proven, &Address::create(IDS[0], IDS[0], "C", "D", "E"));
    let (files, dids) = (ids::<EncryptedFile>(), ids::<Did>());
    creates::<Proof, _>(&mut proven, &Proof::create(IDS[0], IDS[0], files.clone()));
    let document = PermanentSupportingDocument::create(IDS[0], IDS[0], files);
    creates::<PermanentSupportingDocument, _>(&mut proven, &document);
    creates::<AddressVerification, _>(&mut proven, &AddressVerification::create(IDS[0], dids));
    let validation = AddressRequirementValidation::create(IDS[0]);
    creates::<AddressRequirementValidation, _>(&mut proven, &validation);
    let validation = EmergencyRequirementValidation::create(IDS[0]);
    creates::<EmergencyRequirementValidation, _>(&mut proven, &validation);
    creates::<EmergencyVerification, _>(&mut proven, &EmergencyVerification::create(IDS[0]));

    let declared: BTreeSet<Setter> = REGISTRY
        .iter()
        .flat_map(|spec| spec.relationships.iter().map(move |relationship| (spec.name, relationship)))
        .flat_map(|(name, relationship)| {
            let update = relationship.update.then_some((name, "update", relationship.name));
            let create = relationship.create.allowed().then_some((name, "create", relationship.name));
            update.into_iter().chain(create)
        })
        .collect();
    let missing: Vec<_> = declared.difference(&proven).collect();
    assert!(missing.is_empty(), "a new type needs a line above: {missing:?}");
}

/// All ids, for the constructor of a body.
fn ids<R>() -> Vec<Id<R>> {
    IDS.iter().map(|id| Id::new(*id)).collect()
}

#[test]
fn what_a_document_proves_is_sent_with_its_type_and_read_with_it() {
    let identity: Id<Identity> = Id::new(IDS[0]);
    let address: Id<Address> = Id::new(IDS[1]);
    let of = |body: didww_types::resources::ProofCreate| linkage(&body.to_sent().unwrap(), "entity");
    let expected = |kind, id| json!({ "entity": { "data": { "type": kind, "id": id } } });
    assert_eq!(of(Proof::create(IDS[0], &identity, ids::<EncryptedFile>())), expected("identities", IDS[0]));
    assert_eq!(
        of(Proof::create(IDS[0], address.clone(), ids::<EncryptedFile>())),
        expected("addresses", IDS[1])
    );
    let recorded = document("2026-04-16/proofs.create.request.json");
    let relationships = &recorded["data"]["relationships"];
    let id = |name: &str| relationships[name]["data"]["id"].as_str().unwrap();
    let entity: Id<Address> = Id::new(id("entity"));
    let file: Id<EncryptedFile> = Id::new(relationships["files"]["data"][0]["id"].as_str().unwrap());
    let sent = Proof::create(id("proof_type"), entity, vec![file]).to_sent().unwrap();
    assert_eq!(&Value::Object(sent.relationships), relationships);

    let shown = |entity: Value| {
        let document = json!({
            "id": IDS[0], "type": "proofs",
            "attributes": { "created_at": "2026-11-29T12:00:00.000Z", "expires_at": null },
            "relationships": { "entity": { "data": entity } },
        });
        Proof::decode(serde_json::from_value(document).unwrap()).unwrap()
    };
    let of_address = shown(json!({ "type": "addresses", "id": IDS[1] }));
    assert_eq!((of_address.identity(), of_address.address()), (None, Some(address)));
    let of_identity = shown(json!({ "type": "identities", "id": IDS[0] }));
    assert_eq!((of_identity.identity(), of_identity.address()), (Some(identity), None));
    assert_eq!((shown(Value::Null).identity(), shown(Value::Null).address()), (None, None));
}

fn linkage(sent: &Sent, relationship: &str) -> Value {
    json!({ relationship: sent.relationships[relationship] })
}

#[test]
fn recorded_linkage_is_reproduced() {
    let recorded = document("2017-09-18/dids.update.request.json");
    let relationships = &recorded["data"]["relationships"];
    let group = relationships["shared_capacity_group"]["data"]["id"].as_str().unwrap();
    let sent = Did::patch().shared_capacity_group(group).to_sent().unwrap();
    assert_eq!(&linkage(&sent, "shared_capacity_group"), relationships);

    let recorded = document("2026-04-16/voice_out_trunks.update_emergency_dids.request.json");
    let members = recorded["data"]["relationships"]["emergency_dids"]["data"].as_array().unwrap();
    let ids: Vec<&str> = members.iter().map(|member| member["id"].as_str().unwrap()).collect();
    let sent = VoiceOutTrunk::patch().emergency_dids(ids).to_sent().unwrap();
    assert_eq!(linkage(&sent, "emergency_dids"), recorded["data"]["relationships"]);

    let recorded = document("2021-12-15/voice_out_trunk_regenerate_credentials.create.request.json");
    let relationships = &recorded["data"]["relationships"];
    let trunk = relationships["voice_out_trunk"]["data"]["id"].as_str().unwrap();
    let sent = VoiceOutTrunkRegenerateCredentials::create(trunk).to_sent().unwrap();
    assert_eq!(&linkage(&sent, "voice_out_trunk"), relationships);
}
