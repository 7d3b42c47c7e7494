//! The registration of numbers: documents, checks of requirements, and verifications until staff have reviewed them.

use serde_json::{Value, json};
use trunk_server::control::{DidPatch, NewDid, RecordMembers, Review};
use uuid::Uuid;

use crate::support::api::{Answer, Api, FormPart, NEW, TOKENS};
use crate::support::world::*;

const VERIFICATIONS: &str = "/address_verifications";
const PROOFS: &str = "/proofs";
const DOCUMENTS: &str = "/permanent_supporting_documents";
const VALIDATIONS: &str = "/address_requirement_validations";
const ADDRESSES: &str = "/addresses";

/// An account with a person who has an address, and a number that awaits its registration.
struct Desk {
    world: World,
    /// A client at 2026-04-16.
    api: Api,
    country: String,
    identity: String,
    address: String,
    did: String,
}

impl Desk {
    async fn open() -> Self {
        let world = World::start().await;
        let members = RecordMembers::default().attribute("name", "Germany").attribute("iso", "DE");
        let country =
            world.server.control().put_record(None, "countries", None, members).await.unwrap().to_string();
        let api = world.api.at(Some(NEW));
        let person = json!({
            "identity_type": "personal", "first_name": "Ada", "last_name": "Lovelace", "phone_number": "442071234567",
        });
        let identity = created(&api, "/identities", &resource("identities", person)).await;
        let address = created(&api, ADDRESSES, &address(&identity, &country)).await;
        let did = world.did("37061498222").await;
        let mut patch = DidPatch::default();
        patch.awaiting_registration = Some(true);
        let (account, id) = (world.server.account(), did.parse().unwrap());
        world.server.control().update_did(account, id, patch).await.unwrap();
        Self { world, api, country, identity, address, did }
    }

    async fn put(&self, kind: &str, members: RecordMembers) -> String {
        self.world.server.control().put_record(None, kind, None, members).await.unwrap().to_string()
    }

    /// A verification of the address for a number.
    fn verification(&self, did: &str) -> Value {
        let body = resource("address_verifications", json!({}));
        linking(linking(body, "address", identifier("addresses", &self.address)), "dids", dids(&[did]))
    }

    async fn review(&self, verification: &str, review: Review) -> Result<(), String> {
        let (account, id) = (self.world.server.account(), verification.parse().unwrap());
        let control = self.world.server.control();
        control.review_address_verification(account, id, review).await.map_err(|error| error.to_string())
    }

    /// Uploads a file, encrypted with the keys of the server.
    async fn file(&self) -> String {
        let texts = ["one", "two"];
        if self.world.api.with_key(None).get("/public_keys").await.at("/data/0").is_null() {
            for text in texts {
                self.put("public_keys", RecordMembers::default().attribute("key", key(text))).await;
            }
        }
        let form = didww_types::find("encrypted_files").unwrap().form.unwrap();
        let keys = texts.map(|text| json!({ "key": key(text) }).as_object().unwrap().clone());
        let fingerprint = (form.check.expected)(&keys).unwrap();
        let parts = [
            ("encrypted_files[encryption_fingerprint]", FormPart::Text(&fingerprint)),
            ("encrypted_files[file]", FormPart::File(b"encrypted")),
        ];
        let answer = self.api.upload("/encrypted_files", &parts).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }

    async fn proof_type(&self, entity: &str) -> String {
        let members = RecordMembers::default().attribute("name", "Passport").attribute("entity_type", entity);
        self.put("proof_types", members).await
    }

    async fn template(&self, permanent: bool) -> String {
        let members = RecordMembers::default()
            .attribute("name", "Form")
            .attribute("url", "https://example.com/form.pdf")
            .attribute("permanent", permanent);
        self.put("supporting_document_templates", members).await
    }

    fn document(&self, template: &str, files: &[String]) -> Value {
        let body = resource("permanent_supporting_documents", json!({}));
        let body = linking(body, "template", identifier("supporting_document_templates", template));
        linking(linking(body, "identity", identifier("identities", &self.identity)), "files", all(files))
    }
}

fn key(text: &str) -> String {
    let base = if text == "one" { "MIIC0001" } else { "MIIC0002" };
    format!("-----BEGIN PUBLIC KEY-----\n{base}\n-----END PUBLIC KEY-----\n")
}

fn address(identity: &str, country: &str) -> Value {
    let attributes = json!({ "address": "221 Long Street", "city_name": "Berlin", "postal_code": "10115" });
    let body = linking(resource("addresses", attributes), "identity", identifier("identities", identity));
    linking(body, "country", identifier("countries", country))
}

fn proof(kind: &str, entity: Value, files: &[String]) -> Value {
    let body = linking(resource("proofs", json!({})), "proof_type", identifier("proof_types", kind));
    linking(linking(body, "entity", entity), "files", all(files))
}

fn all(files: &[String]) -> Value {
    files.iter().map(|file| identifier("encrypted_files", file)).collect()
}

async fn created(api: &Api, path: &str, body: &Value) -> String {
    let answer = api.post(path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

fn in_use(detail: &str) -> Expected {
    error(409, "409", "Conflict", detail)
}

fn relied_on() -> Expected {
    Expected::record("is used by a verification that is not reviewed yet")
}

fn reject(reasons: &[&str]) -> Review {
    let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
    Review::Reject { reasons, comment: Some("Please send a newer one".to_owned()) }
}

/// Creates a number of a group that has a requirement with these members.
async fn required(desk: &Desk, members: RecordMembers) -> String {
    let country: Uuid = desk.country.parse().unwrap();
    let requirement = desk.put("address_requirements", members.relationship("country", [country])).await;
    let group = RecordMembers::default()
        .attribute("area_name", "Berlin")
        .relationship("address_requirement", [requirement.parse().unwrap()]);
    let group: Uuid = desk.put("did_groups", group).await.parse().unwrap();
    let did = NewDid::new("493012345678").did_group(group);
    desk.world.server.control().add_did(desk.world.server.account(), did).await.unwrap().to_string()
}

#[tokio::test]
async fn an_approved_verification_registers_its_numbers_to_the_identity() {
    let desk = Desk::open().await;
    let did = format!("{DIDS}/{}?include=identity,address_verification", desk.did);
    let id = created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
    let pending = desk.api.get(&format!("{VERIFICATIONS}/{id}?include=dids,address")).await;
    assert_eq!(pending.at("/data/attributes/status"), "pending");
    assert_eq!(pending.at("/data/attributes/reject_reasons"), Value::Null);
    let reference = pending.at("/data/attributes/reference");
    let (letters, digits) = reference.as_str().unwrap().split_once('-').unwrap();
    assert!(letters.len() == 3 && letters.bytes().all(|byte| byte.is_ascii_uppercase()), "{reference}");
    assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{reference}");
    assert_eq!(pending.at("/data/relationships/dids/data"), dids(&[&desk.did]));
    let before = desk.api.get(&did).await;
    assert_eq!(before.at("/data/attributes/awaiting_registration"), true);
    assert_eq!(before.at("/data/attributes/blocked"), true, "it cannot receive traffic");
    assert_eq!(before.at("/data/relationships/address_verification/data/id"), id.as_str());
    assert_eq!(before.at("/data/relationships/identity/data"), Value::Null);
    assert_eq!(desk.api.get(&format!("{VERIFICATIONS}/{id}/addresses")).await.status, 404, "it is hidden");

    desk.review(&id, Review::Approve).await.unwrap();
    let approved = desk.api.get(&format!("{VERIFICATIONS}/{id}")).await;
    assert_eq!(approved.at("/data/attributes/status"), "approved");
    let after = desk.api.get(&did).await;
    assert_eq!(after.at("/data/attributes/awaiting_registration"), false);
    assert_eq!(after.at("/data/attributes/blocked"), false);
    assert_eq!(after.at("/data/relationships/identity/data/id"), desk.identity.as_str());
    for path in [format!("{ADDRESSES}/{}", desk.address), format!("/identities/{}", desk.identity)] {
        assert_eq!(desk.api.get(&path).await.at("/data/attributes/verified"), true, "{path}");
    }
    for again in [Review::Approve, reject(&["No"])] {
        let why = desk.review(&id, again).await.unwrap_err();
        assert_eq!(why, "`verification` is approved or rejected already");
    }
    let detach = linking(update("dids", &desk.did, json!({})), "address_verification", Value::Null);
    let answer = desk.api.patch(&format!("{DIDS}/{}", desk.did), &detach).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let address = desk.api.get(&format!("{ADDRESSES}/{}", desk.address)).await;
    assert_eq!(address.at("/data/attributes/verified"), false, "no DID is registered to it any more");
}

#[tokio::test]
async fn a_rejected_verification_has_its_reasons_which_older_versions_have_as_one_text() {
    let desk = Desk::open().await;
    let id = created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
    let long = "é".repeat(256);
    for (reasons, why) in [
        (vec![], "`reasons` must be 1 to 20 texts"),
        (vec![" "], "`reasons` has a text that is empty or longer than 255 characters"),
        (vec!["No"; 21], "`reasons` must be 1 to 20 texts"),
        (vec![long.as_str()], "`reasons` has a text that is empty or longer than 255 characters"),
    ] {
        assert_eq!(desk.review(&id, reject(&reasons)).await.unwrap_err(), why);
    }
    let comment = Review::Reject { reasons: vec!["No".to_owned()], comment: Some(long) };
    assert_eq!(desk.review(&id, comment).await.unwrap_err(), "`comment` has more than 255 characters");
    desk.review(&id, reject(&["The name is wrong", "The proof is old"])).await.unwrap();
    let path = format!("{VERIFICATIONS}/{id}");
    for version in [NEW, TOKENS] {
        let shown = desk.world.api.at(Some(version)).get(&path).await.at("/data/attributes");
        assert_eq!(shown["status"], "rejected", "{version}");
        assert_eq!(shown["reject_reasons"], json!(["The name is wrong", "The proof is old"]), "{version}");
        assert_eq!(shown["reject_comment"], "Please send a newer one", "{version}");
    }
    let former = desk.world.api.at(Some("2022-05-10")).get(&path).await.at("/data/attributes");
    assert_eq!(former["reject_reasons"], "The name is wrong, The proof is old");
    assert_eq!(former.get("reject_comment"), None);
    let did = desk.api.get(&format!("{DIDS}/{}", desk.did)).await;
    assert_eq!(did.at("/data/attributes/awaiting_registration"), true, "it still waits");
    assert_eq!(
        desk.api.get(&format!("{ADDRESSES}/{}", desk.address)).await.at("/data/attributes/verified"),
        false
    );
}

#[tokio::test]
async fn n90_what_a_verification_relies_on_is_kept_until_it_is_reviewed() {
    let desk = Desk::open().await;
    let files = [desk.file().await];
    let mut proofs = Vec::new();
    for (kind, entity) in [
        ("Personal", identifier("identities", &desk.identity)),
        ("Address", identifier("addresses", &desk.address)),
    ] {
        let kind = desk.proof_type(kind).await;
        proofs.push(format!("{PROOFS}/{}", created(&desk.api, PROOFS, &proof(&kind, entity, &files)).await));
    }
    let template = desk.template(true).await;
    let document = created(&desk.api, DOCUMENTS, &desk.document(&template, &files)).await;
    proofs.push(format!("{DOCUMENTS}/{document}"));
    let id = created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
    let (identity, address) =
        (format!("/identities/{}", desk.identity), format!("{ADDRESSES}/{}", desk.address));
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        for path in &proofs {
            refused(&api.delete(path).await, &[relied_on()]);
        }
        let why = "The address is used by a verification that is not reviewed yet.";
        refused(&api.delete(&address).await, &[in_use(why)]);
        let why = "The identity is used by a verification that is not reviewed yet.";
        refused(&api.delete(&identity).await, &[in_use(why)]);
    }
    desk.review(&id, reject(&["No"])).await.unwrap();
    assert_eq!(desk.api.delete(&proofs[0]).await.status, 204);
    assert_eq!(desk.api.delete(&identity).await.status, 204, "with its address and its documents");
    for path in proofs.iter().chain([&address]) {
        assert_eq!(desk.api.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_document_proves_what_its_kind_is_for() {
    let desk = Desk::open().await;
    let file = desk.file().await;
    let (personal, of_address) = (desk.proof_type("Personal").await, desk.proof_type("Address").await);
    let business = desk.proof_type("Business").await;
    let identity = || identifier("identities", &desk.identity);
    let address = || identifier("addresses", &desk.address);
    let files = [file.clone()];
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        let post = async |body: Value| api.post(PROOFS, &body).await;
        let wrong_kind = || [relationship("proof_type", "is invalid")];
        refused(&post(proof(&of_address, identity(), &files)).await, &wrong_kind());
        refused(&post(proof(&business, identity(), &files)).await, &wrong_kind());
        refused(&post(proof(&personal, address(), &files)).await, &wrong_kind());
        let unknown = || [relationship("entity", "is invalid")];
        refused(&post(proof(&personal, identifier("addresses", &desk.identity), &files)).await, &unknown());
        let other = post(proof(&personal, identifier("dids", &desk.did), &files)).await;
        assert_eq!((other.status, other.at("/errors/0/code")), (400, json!("116")));
        refused(&post(proof(&personal, identity(), &[])).await, &[relationship("files", "can't be blank")]);
        let absent = [UNKNOWN.to_owned()];
        refused(&post(proof(&personal, identity(), &absent)).await, &[relationship("files", "is invalid")]);

        for (kind, entity) in [(&personal, identity()), (&of_address, address())] {
            let id = created(&api, PROOFS, &proof(kind, entity.clone(), &files)).await;
            let path = format!("{PROOFS}/{id}");
            let shown = api.get(&format!("{path}?include=entity,proof_type")).await;
            assert_eq!(shown.at("/data/relationships/entity/data"), entity, "{version}");
            assert_eq!(shown.at("/data/relationships").as_object().unwrap().len(), 2, "without files");
            let included = shown.at("/included");
            let included: Vec<&Value> = included.as_array().unwrap().iter().map(|one| &one["id"]).collect();
            assert!(included.contains(&&entity["id"]), "{}", shown.text);
            assert_eq!(api.get(&format!("{path}/entity")).await.at("/data/id"), entity["id"]);
            assert_eq!(api.get(&format!("{path}/relationships/entity")).await.at("/data"), entity);
            assert_eq!(api.get(&format!("{path}/files")).await.status, 404);
            assert_eq!(api.get(&format!("{path}?include=files")).await.at("/errors/0/code"), "112");
            let note = update("proofs", &id, json!({ "external_reference_id": "crm-1" }));
            assert_eq!(api.patch(&path, &note).await.at("/data/attributes/external_reference_id"), "crm-1");
            let moved = linking(update("proofs", &id, json!({})), "entity", entity.clone());
            refused(&api.patch(&path, &moved).await, &[not_allowed("entity")]);
            let renewed = linking(update("proofs", &id, json!({})), "files", all(&files));
            refused(&api.patch(&path, &renewed).await, &[not_allowed("files")]);
            assert_eq!(api.delete(&path).await.status, 204);
        }
    }
    let listed = desk.api.get(&format!("{ADDRESSES}/{}/proofs", desk.address)).await;
    assert_eq!(listed.at("/data"), json!([]));
    let mut files = vec![file];
    while files.len() < 6 {
        files.push(desk.file().await);
    }
    let many = relationship("files", "is too long (maximum is 5 items)");
    refused(&desk.api.post(PROOFS, &proof(&personal, identity(), &files)).await, &[many]);
    created(&desk.api, PROOFS, &proof(&personal, identity(), &files[..5])).await;
    let listed = desk.api.get(&format!("/identities/{}?include=proofs.proof_type", desk.identity)).await;
    assert_eq!(listed.at("/data/relationships/proofs/data").as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_include_path_goes_on_from_what_a_proof_proves_whichever_type_that_has() {
    let desk = Desk::open().await;
    let files = [desk.file().await];
    let (personal, of_address) = (desk.proof_type("Personal").await, desk.proof_type("Address").await);
    let (identity, address) = (json!(desk.identity), json!(desk.address));
    let of_person = proof(&personal, identifier("identities", &desk.identity), &files);
    let of_person = created(&desk.api, PROOFS, &of_person).await;
    let of_place = proof(&of_address, identifier("addresses", &desk.address), &files);
    let of_place = created(&desk.api, PROOFS, &of_place).await;
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        let answer = api.get(&format!("{PROOFS}?include=entity.identity,entity.addresses")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let included = answer.at("/included");
        let shown = |id: &Value| included.as_array().unwrap().iter().find(|one| one["id"] == *id).unwrap();
        let (person, place) = (&shown(&identity)["relationships"], &shown(&address)["relationships"]);
        assert_eq!(place["identity"]["data"]["id"], identity, "{version}");
        assert_eq!(person["addresses"]["data"], json!([identifier("addresses", &desk.address)]), "{version}");
        let both = api.get(&format!("{PROOFS}?include=entity.country")).await;
        let countries = both.at("/included");
        let countries = countries.as_array().unwrap().iter().filter(|one| one["type"] == "countries");
        assert_eq!(countries.map(|one| &one["id"]).collect::<Vec<_>>(), [&json!(desk.country)], "{version}");
        let unknown = api.get(&format!("{PROOFS}?include=entity.dids")).await;
        assert_eq!((unknown.status, unknown.at("/errors/0/code")), (400, json!("112")), "{version}");
        let of_owner = api.get(&format!("{PROOFS}/{of_place}/entity?include=identity")).await;
        assert_eq!(of_owner.at("/included/0/id"), identity, "{}", of_owner.text);
        let without = api.get(&format!("{PROOFS}/{of_person}/entity?include=identity")).await;
        assert_eq!((without.status, without.at("/data/id")), (200, identity.clone()), "{}", without.text);
        assert_eq!(without.at("/included"), Value::Null, "an identity has none");
    }
}

#[tokio::test]
async fn a_new_document_of_a_form_takes_the_place_of_the_older_one() {
    let desk = Desk::open().await;
    let files = [desk.file().await];
    let (one, other) = (desk.template(true).await, desk.template(true).await);
    let first = created(&desk.api, DOCUMENTS, &desk.document(&one, &files)).await;
    let of_other = created(&desk.api, DOCUMENTS, &desk.document(&other, &files)).await;
    let second = created(&desk.api, DOCUMENTS, &desk.document(&one, &files)).await;
    let gone = desk.api.get(&format!("{DOCUMENTS}/{first}")).await;
    refused(&gone, &[none_of_type("permanent_supporting_documents")]);
    let listed = desk.api.get(&format!("/identities/{}/permanent_documents", desk.identity)).await;
    let listed = listed.at("/data");
    let listed: Vec<&Value> = listed.as_array().unwrap().iter().map(|document| &document["id"]).collect();
    assert_eq!(listed, [&json!(of_other), &json!(second)]);
    let for_each = desk.document(&desk.template(false).await, &files);
    refused(&desk.api.post(DOCUMENTS, &for_each).await, &[relationship("template", "is invalid")]);
    let moved = update("permanent_supporting_documents", &second, json!({}));
    let moved = linking(moved, "template", identifier("supporting_document_templates", &other));
    refused(&desk.api.patch(&format!("{DOCUMENTS}/{second}"), &moved).await, &[not_allowed("template")]);
}

#[tokio::test]
async fn the_error_of_a_get_for_an_unknown_proof_or_document_names_its_type() {
    let desk = Desk::open().await;
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        for (path, kind, related) in
            [(PROOFS, "proofs", "entity"), (DOCUMENTS, "permanent_supporting_documents", "identity")]
        {
            for id in [UNKNOWN, "1"] {
                let one = format!("{path}/{id}");
                refused(&api.get(&one).await, &[none_of_type(kind)]);
                refused(&api.get(&format!("{one}/{related}")).await, &[not_found(id)]);
                refused(&api.delete(&one).await, &[not_found(id)]);
                refused(&api.patch(&one, &update(kind, id, json!({}))).await, &[not_found(id)]);
            }
        }
    }
}

#[tokio::test]
async fn a_check_names_everything_that_is_missing_and_stores_nothing() {
    let desk = Desk::open().await;
    let files = [desk.file().await];
    let (passport, bill, form) =
        (desk.proof_type("Personal").await, desk.proof_type("Address").await, desk.template(true).await);
    let abroad = RecordMembers::default().attribute("name", "France").attribute("iso", "FR");
    let abroad = desk.put("countries", abroad).await;
    let requirement = RecordMembers::default()
        .attribute("identity_type", "personal")
        .attribute("personal_area_level", "world_wide")
        .attribute("address_area_level", "country")
        .attribute("personal_proof_qty", 1)
        .attribute("address_proof_qty", 1)
        .attribute("personal_mandatory_fields", json!(["birth_date", "country"]))
        .relationship("country", [abroad.parse().unwrap()])
        .relationship("personal_permanent_document", [form.parse().unwrap()])
        .relationship("personal_proof_types", [passport.parse().unwrap()])
        .relationship("address_proof_types", [bill.parse().unwrap()]);
    let requirement = desk.put("address_requirements", requirement).await;
    let check = |identity: Option<&str>, address: Option<&str>| {
        let body = resource("address_requirement_validations", json!({}));
        let mut body = linking(body, "address_requirement", identifier("address_requirements", &requirement));
        if let Some(id) = identity {
            body = linking(body, "identity", identifier("identities", id));
        }
        if let Some(id) = address {
            body = linking(body, "address", identifier("addresses", id));
        }
        body
    };
    let (identity, address_id) = (Some(desk.identity.as_str()), Some(desk.address.as_str()));
    let nothing = desk.api.post(VALIDATIONS, &check(None, None)).await;
    refused(&nothing, &[Expected::record("identity or address can't be blank")]);
    let of_identity = || {
        [
            "1 Identity Proof(s) (Passport) required",
            "Following Supporting Document(s) required (Form)",
            "Birth Date is required for Personal Identity",
            "Country of Tax Residence is required for Personal Identity",
        ]
        .map(Expected::record)
    };
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        refused(&api.post(VALIDATIONS, &check(identity, None)).await, &of_identity());
        let of_address = [
            Expected::record("Address in France required"),
            Expected::record("1 Address Proof(s) (Passport) required"),
        ];
        refused(&api.post(VALIDATIONS, &check(None, address_id)).await, &of_address);
    }
    let stranger = desk
        .api
        .post(
            "/identities",
            &resource(
                "identities",
                json!({
                    "identity_type": "personal", "first_name": "Bob", "last_name": "B", "phone_number": "1",
                }),
            ),
        )
        .await
        .id();
    let foreign = desk.api.post(VALIDATIONS, &check(Some(&stranger), address_id)).await;
    refused(&foreign, &[relationship("address", "is invalid")]);

    let complete = update("identities", &desk.identity, json!({ "birth_date": "1985-12-10" }));
    let complete = linking(complete, "country", identifier("countries", &desk.country));
    let patched = desk.api.patch(&format!("/identities/{}", desk.identity), &complete).await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    let of_person = proof(&passport, identifier("identities", &desk.identity), &files);
    created(&desk.api, PROOFS, &of_person).await;
    created(&desk.api, DOCUMENTS, &desk.document(&form, &files)).await;
    let home = created(&desk.api, ADDRESSES, &address(&desk.identity, &abroad)).await;
    created(&desk.api, PROOFS, &proof(&bill, identifier("addresses", &home), &files)).await;
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        let valid = api.post(VALIDATIONS, &check(identity, Some(home.as_str()))).await;
        assert_eq!(valid.status, 201, "{}", valid.text);
        let shown = json!({ "id": requirement, "type": "address_requirement_validations" });
        assert_eq!(valid.at("/data"), shown, "{version}");
    }
    refused(&desk.api.get(VALIDATIONS).await, &[no_route()]);
}

/// The answer of the sandbox in April 2021, and that of the official Postman collection of 2026-04-16.
#[tokio::test]
async fn a_check_has_the_texts_of_the_recording_and_of_the_official_example() {
    let desk = Desk::open().await;
    let country = async |name: &str, iso: &str| {
        let members = RecordMembers::default().attribute("name", name).attribute("iso", iso);
        desk.put("countries", members).await.parse::<Uuid>().unwrap()
    };
    let in_country = |country: Uuid| {
        RecordMembers::default()
            .attribute("personal_area_level", "country")
            .attribute("address_area_level", "country")
            .relationship("country", [country])
    };
    let form = RecordMembers::default()
        .attribute("name", "Belgium Registration Form")
        .attribute("url", "https://example.com/form.pdf")
        .attribute("permanent", true);
    let form: Uuid = desk.put("supporting_document_templates", form).await.parse().unwrap();
    let recorded = in_country(country("Belgium", "BE").await);
    let recorded = recorded.relationship("personal_permanent_document", [form]);
    let recorded = desk.put("address_requirements", recorded).await;
    let names = ["Drivers License", "National ID", "Passport", "Residence Permit", "Visa", "Other"];
    let mut kinds: Vec<Uuid> = Vec::new();
    for name in names {
        let kind = RecordMembers::default().attribute("name", name).attribute("entity_type", "Personal");
        kinds.push(desk.put("proof_types", kind).await.parse().unwrap());
    }
    let official = in_country(country("Austria", "AT").await).attribute("personal_proof_qty", 2);
    let official = official.relationship("personal_proof_types", kinds);
    let official = desk.put("address_requirements", official).await;
    let check = |requirement: &str, is_older: bool| {
        let (kind, name) = if is_older {
            ("requirement_validations", "requirement")
        } else {
            ("address_requirement_validations", "address_requirement")
        };
        let body = linking(resource(kind, json!({})), name, identifier(&format!("{name}s"), requirement));
        let body = linking(body, "identity", identifier("identities", &desk.identity));
        linking(body, "address", identifier("addresses", &desk.address))
    };
    let fixture = include_str!("../../../fixtures/errors/requirement_not_met.json");
    let older = desk.world.api.at(Some("2022-05-10"));
    let answer = older.post("/requirement_validations", &check(&recorded, true)).await;
    assert_eq!((answer.status, answer.text.as_str()), (422, fixture));
    let proofs = format!("2 Identity Proof(s) ({}) required", names.join(", "));
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        assert_eq!(api.post(VALIDATIONS, &check(&recorded, false)).await.text, fixture, "{version}");
        let expected =
            ["Identity Place of Birth must be Austria", proofs.as_str(), "Address in Austria required"];
        let answer = api.post(VALIDATIONS, &check(&official, false)).await;
        refused(&answer, &expected.map(Expected::record));
    }
}

#[tokio::test]
async fn a_verification_says_what_the_numbers_are_for_where_that_is_required() {
    let desk = Desk::open().await;
    let members = RecordMembers::default().attribute("service_description_required", true);
    let did = required(&desk, members).await;
    let body = desk.verification(&did);
    let blank = || attribute("service_description", "can't be blank");
    refused(&desk.api.post(VERIFICATIONS, &body).await, &[blank()]);
    let spaces = with(body.clone(), json!({ "service_description": " " }));
    refused(&desk.api.post(VERIFICATIONS, &spaces).await, &[blank()]);
    created(&desk.api, VERIFICATIONS, &with(body, json!({ "service_description": "Support line" }))).await;
    created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
}

/// The texts are those of the official Postman collection.
#[tokio::test]
async fn a_verification_has_nothing_that_its_numbers_do_not_require() {
    let desk = Desk::open().await;
    let did = required(&desk, RecordMembers::default()).await;
    let files = [desk.file().await];
    let texts = ["one-time document is not needed", "service description is not needed"];
    let described = with(desk.verification(&did), json!({ "service_description": "Support line" }));
    let both = linking(described.clone(), "onetime_files", all(&files));
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        refused(&api.post(VERIFICATIONS, &both).await, &texts.map(Expected::record));
        refused(&api.post(VERIFICATIONS, &described).await, &[Expected::record(texts[1])]);
        let absent = linking(desk.verification(&did), "onetime_files", all(&[UNKNOWN.to_owned()]));
        refused(&api.post(VERIFICATIONS, &absent).await, &[relationship("onetime_files", "is invalid")]);
    }
    created(&desk.api, VERIFICATIONS, &desk.verification(&did)).await;

    let desk = Desk::open().await;
    let form = desk.template(false).await.parse().unwrap();
    let members = RecordMembers::default().relationship("business_onetime_document", [form]);
    let did = required(&desk, members).await;
    let with_file = linking(desk.verification(&did), "onetime_files", all(&[desk.file().await]));
    created(&desk.api, VERIFICATIONS, &with_file).await;
    let unknown = linking(desk.verification(&desk.did), "onetime_files", all(&[desk.file().await]));
    created(&desk.api, VERIFICATIONS, &unknown).await;
}

#[tokio::test]
async fn n79_the_url_and_the_method_of_callbacks_come_together_in_verifications_too() {
    let desk = Desk::open().await;
    let url = json!({ "callback_url": "https://example.com/hook" });
    let method = json!({ "callback_method": "post" });
    for (sent, lacks) in [(&url, "callback_method"), (&method, "callback_url")] {
        let body = with(desk.verification(&desk.did), sent.clone());
        refused(&desk.api.post(VERIFICATIONS, &body).await, &[attribute(lacks, "can't be blank")]);
    }
    let both = with(with(desk.verification(&desk.did), url), method);
    let answer = desk.api.post(VERIFICATIONS, &both).await;
    assert_eq!(answer.at("/data/attributes/callback_method"), "post", "{}", answer.text);
}

#[tokio::test]
async fn a_number_belongs_to_its_newest_verification_and_can_be_detached() {
    let desk = Desk::open().await;
    let older = created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
    let newer = created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
    let of = async |id: &str| -> Answer { desk.api.get(&format!("{VERIFICATIONS}/{id}/dids")).await };
    assert_eq!(of(&older).await.at("/data"), json!([]));
    assert_eq!(of(&newer).await.at("/data/0/id"), desk.did.as_str());
    let detached = linking(update("dids", &desk.did, json!({})), "address_verification", Value::Null);
    assert_eq!(desk.api.patch(&format!("{DIDS}/{}", desk.did), &detached).await.status, 200);
    assert_eq!(of(&newer).await.at("/data"), json!([]));
    let empty = linking(desk.verification(&desk.did), "dids", json!([]));
    refused(&desk.api.post(VERIFICATIONS, &empty).await, &[relationship("dids", "can't be blank")]);
}

#[tokio::test]
async fn n82_a_number_does_not_join_a_verification_that_exists() {
    let desk = Desk::open().await;
    let id = created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
    let other = desk.world.did("37061498223").await;
    let verification = identifier("address_verifications", &id);
    for version in [NEW, TOKENS] {
        let api = desk.world.api.at(Some(version));
        let of = async |did: &str| {
            api.get(&format!("{DIDS}/{did}/relationships/address_verification")).await.at("/data")
        };
        for did in [&other, &desk.did] {
            let joined =
                linking(update("dids", did, json!({})), "address_verification", verification.clone());
            let answer = api.patch(&format!("{DIDS}/{did}"), &joined).await;
            refused(&answer, &[relationship("address_verification", "is invalid")]);
        }
        assert_eq!((of(&other).await, of(&desk.did).await), (Value::Null, verification.clone()), "{version}");
    }
}

#[tokio::test]
async fn verifications_are_found_by_their_reference_and_their_address() {
    let desk = Desk::open().await;
    let id = created(&desk.api, VERIFICATIONS, &desk.verification(&desk.did)).await;
    let reference = desk.api.get(&format!("{VERIFICATIONS}/{id}")).await.at("/data/attributes/reference");
    let reference = reference.as_str().unwrap();
    for version in [NEW, TOKENS] {
        let found = async |query: String| -> Vec<Value> {
            let answer = desk.world.api.at(Some(version)).get(&format!("{VERIFICATIONS}?{query}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer.at("/data").as_array().unwrap().iter().map(|record| record["id"].clone()).collect()
        };
        for query in [
            format!("filter[reference]={}", &reference[1..]),
            format!("filter[reference_in]=AAA-000000,{reference}"),
            format!("filter[address.id]={},{UNKNOWN}", desk.address),
            format!("filter[address.identity.id]={}", desk.identity),
            "filter[status]=pending".to_owned(),
        ] {
            assert_eq!(found(query.clone()).await, [json!(id)], "{version} {query}");
        }
        for query in [
            format!("filter[reference_in]={}", &reference[1..]),
            "filter[status]=approved".to_owned(),
            format!("filter[address.id]={UNKNOWN}"),
        ] {
            assert!(found(query.clone()).await.is_empty(), "{version} {query}");
        }
    }
}
