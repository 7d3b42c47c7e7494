//! The regulation of numbers: the keys that files are encrypted with, identities, and their addresses.

use didww_types::{ApiVersion, Timestamp};
use serde_json::{Value, json};
use trunk_server::Server;
use trunk_server::config::{Config, Database};
use trunk_server::control::{NewAccount, RecordMembers};
use uuid::Uuid;

use crate::sip::edge::until;
use crate::support::api::{Answer, Api, FormPart, NEW, OLD, TOKENS};
use crate::support::engine;
use crate::support::world::*;

const IDENTITIES: &str = "/identities";
const ADDRESSES: &str = "/addresses";
const KEYS: &str = "/public_keys";

const ONE: &str = "-----BEGIN PUBLIC KEY-----\nMIIC0001\n-----END PUBLIC KEY-----\n";
const TWO: &str = "-----BEGIN PUBLIC KEY-----\nMIIC0002\n-----END PUBLIC KEY-----\n";

/// A server whose account is at the oldest version, so that a request can select any.
async fn oldest() -> World {
    World::of(engine::builder().version(ApiVersion::V2017_09_18)).await
}

async fn put(world: &World, kind: &str, members: RecordMembers) -> Uuid {
    world.server.control().put_record(None, kind, None, members).await.unwrap()
}

pub(super) async fn keys(world: &World) -> [String; 2] {
    let key = |text: &str| RecordMembers::default().attribute("key", text);
    [put(world, "public_keys", key(ONE)).await, put(world, "public_keys", key(TWO)).await]
        .map(|id| id.to_string())
}

async fn country(world: &World, name: &str, iso: &str) -> String {
    let members =
        RecordMembers::default().attribute("name", name).attribute("prefix", "1").attribute("iso", iso);
    put(world, "countries", members).await.to_string()
}

/// A body with only the required members of a person.
fn person() -> Value {
    let attributes = json!({
        "identity_type": "personal", "first_name": "Ada", "last_name": "Lovelace", "phone_number": "442071234567",
    });
    resource("identities", attributes)
}

/// A body with only the required members of a business.
fn business(country: &str) -> Value {
    let body = with(person(), json!({ "identity_type": "business", "company_name": "Engines Ltd" }));
    linking(body, "country", identifier("countries", country))
}

/// A body with only the required members of an address.
fn address(identity: &str, country: &str) -> Value {
    let attributes = json!({ "address": "221 Long Street", "city_name": "London", "postal_code": "NW1 6XE" });
    let body = linking(resource("addresses", attributes), "identity", identifier("identities", identity));
    linking(body, "country", identifier("countries", country))
}

async fn created(api: &Api, path: &str, body: &Value) -> String {
    let answer = api.post(path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.id()
}

/// Stores a DID of the account that is registered to these identities.
async fn registered(world: &World, did: Option<Uuid>, identities: &[&str]) -> Uuid {
    let ids = identities.iter().map(|id| id.parse().unwrap());
    let mut members = RecordMembers::default().relationship("identity", ids);
    if did.is_none() {
        members = members.attribute("number", "37061498222");
    }
    world.server.control().put_record(Some(world.server.account()), "dids", did, members).await.unwrap()
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.at("/data");
    data.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn case_03_public_keys_are_listed_without_a_key() {
    let world = oldest().await;
    let expected = keys(&world).await;
    for version in ApiVersion::ALL {
        let nobody = world.api.with_key(None).at(Some(version.as_str()));
        let answer = nobody.get(KEYS).await;
        if version < ApiVersion::V2021_04_19 {
            assert_eq!(answer.status, 401, "{version}: it has no public keys");
            continue;
        }
        assert_eq!(ids(&answer), expected, "{version}");
        let shown = json!({ "id": expected[0], "type": "public_keys", "attributes": { "key": ONE } });
        assert_eq!(answer.at("/data/0"), shown, "{version}");
        assert_eq!(nobody.get(IDENTITIES).await.status, 401, "{version}");
    }
    assert_eq!(ids(&world.api.with_key(None).at(None).get(KEYS).await), expected, "no version is named");
}

#[tokio::test]
async fn n27_public_keys_are_listed_without_a_credential_and_without_meta_and_links() {
    let world = World::start().await;
    let expected = keys(&world).await;
    for version in [NEW, TOKENS] {
        for api in [world.api.with_key(None), world.api.with_key(Some("of nobody")), world.api.clone()] {
            let answer = api.at(Some(version)).get(KEYS).await;
            assert_eq!(ids(&answer), expected, "{version}");
            let members = answer.json();
            assert_eq!(members.as_object().unwrap().keys().collect::<Vec<_>>(), ["data"], "{version}");
        }
        let nobody = world.api.with_key(None).at(Some(version));
        for path in [format!("{KEYS}/{}", expected[0]), format!("{KEYS}/{}/key", expected[0])] {
            refused(&nobody.get(&path).await, &[no_route()]);
        }
        refused(&nobody.post(KEYS, &resource("public_keys", json!({ "key": ONE }))).await, &[no_route()]);
        let selected = nobody.get("/public_keys?fields[public_keys]=id").await;
        assert_eq!(selected.at("/data/0"), identifier_of(&expected[0]), "{version}");
    }
}

fn identifier_of(key: &str) -> Value {
    json!({ "id": key, "type": "public_keys" })
}

#[tokio::test]
async fn n98_public_keys_cannot_be_sorted() {
    let world = World::start().await;
    for version in [NEW, TOKENS] {
        let answer = world.api.with_key(None).at(Some(version)).get("/public_keys?sort=key").await;
        let detail = "key is not a valid sort criteria for public_keys";
        refused(&answer, &[error(400, "114", "Invalid sort criteria", detail)]);
    }
}

#[tokio::test]
async fn n99_the_filter_of_public_keys_is_accepted_and_not_applied() {
    let world = World::start().await;
    let expected = keys(&world).await;
    for version in [NEW, TOKENS] {
        let nobody = world.api.with_key(None).at(Some(version));
        for value in [expected[1].as_str(), UNKNOWN] {
            let answer = nobody.get(&format!("{KEYS}?filter[id]={value}")).await;
            assert_eq!(ids(&answer), expected, "{version} {value}");
            assert_eq!((answer.at("/meta"), answer.at("/links")), (Value::Null, Value::Null));
        }
        let detail = "key is not allowed.";
        let other = nobody.get(&format!("{KEYS}?filter[key]=A")).await;
        refused(&other, &[error(400, "102", "Filter not allowed", detail)]);
    }
}

#[tokio::test]
async fn whoever_has_no_credential_is_limited_by_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    "127.0.0.1:0".clone_into(&mut config.listen);
    (config.control_listen, config.sip) = (None, None);
    config.database = Database::File(folder.path().join("limited.db"));
    config.api_key = Some("limited".to_owned().into());
    config.accounts.rate_limit = Some(1);
    let server = Server::builder(config).start().await.unwrap();
    let api = Api::new(server.base_url(), "limited").at(Some(NEW));
    let nobody = api.with_key(None);
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(nobody.get(KEYS).await.status);
    }
    // A second may pass between two requests.
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert_eq!(api.get(KEYS).await.status, 200, "a key has a budget of its own");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_identity_has_the_members_of_its_version_in_the_recorded_order() {
    let world = oldest().await;
    let land = country(&world, "Germany", "DE").await;
    let api = world.api.at(Some(TOKENS));
    let id = created(&api, IDENTITIES, &business(&land)).await;
    for version in ApiVersion::ALL {
        let answer = world.api.at(Some(version.as_str())).get(&format!("{IDENTITIES}/{id}")).await;
        if version < ApiVersion::V2021_04_19 {
            refused(&answer, &[no_route()]);
            continue;
        }
        let is_new = version >= ApiVersion::V2026_04_16;
        let (kind, email) = if is_new { ("business", r#","contact_email":null"#) } else { ("Business", "") };
        let at = answer.at("/data/attributes/created_at");
        let expected = format!(
            r#""attributes":{{"first_name":"Ada","last_name":"Lovelace","phone_number":"442071234567","id_number":null,"birth_date":null,"company_name":"Engines Ltd","company_reg_number":null,"vat_id":null,"description":null,"personal_tax_id":null,"identity_type":"{kind}","created_at":{at},"external_reference_id":null,"verified":false{email}}}"#
        );
        assert!(answer.text.contains(&expected), "{version}: {}", answer.text);
        let relationships = answer.at("/data/relationships");
        assert_eq!(relationships["birth_country"].is_object(), is_new, "{version}");
        for empty in ["proofs", "permanent_documents", "addresses"] {
            let related =
                world.api.at(Some(version.as_str())).get(&format!("{IDENTITIES}/{id}/{empty}")).await;
            assert_eq!((related.status, related.at("/data")), (200, json!([])), "{version} {empty}");
        }
    }
}

#[tokio::test]
async fn the_type_of_an_identity_has_a_capital_letter_up_to_2022_05_10() {
    let world = oldest().await;
    let old = world.api.at(Some("2022-05-10"));
    let capital = created(&old, IDENTITIES, &with(person(), json!({ "identity_type": "Personal" }))).await;
    let words = |kind: &str| with(person(), json!({ "identity_type": kind }));
    let unknown = attribute("identity_type", "is not included in the list");
    refused(&old.post(IDENTITIES, &words("personal")).await, &[unknown]);
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let unknown = attribute("identity_type", "is not included in the list");
        refused(&api.post(IDENTITIES, &words("Personal")).await, &[unknown]);
        assert_eq!(ids(&api.get("/identities?filter[identity_type]=personal").await), [capital.as_str()]);
        assert_eq!(ids(&api.get("/identities?filter[identity_type]=business").await), [""; 0]);
        let refusal = api.get("/identities?filter[identity_type]=Personal").await;
        assert_eq!((refusal.status, refusal.error().0.as_str()), (400, "107"));
    }
    assert_eq!(ids(&old.get("/identities?filter[identity_type]=Personal").await), [capital]);
    assert_eq!(ids(&old.get("/identities?filter[identity_type]=Business").await), [""; 0]);
}

#[tokio::test]
async fn an_identity_needs_a_type_names_and_a_number_of_digits() {
    let world = World::start().await;
    let signs = with(person(), json!({ "phone_number": "+44 20", "identity_type": "Personal" }));
    let before = world.api.at(Some(OLD)).post(IDENTITIES, &signs).await;
    assert_eq!(before.at("/data/attributes/phone_number"), "+44 20", "{}", before.text);
    let digits = world.api.at(Some("2022-05-10")).post(IDENTITIES, &signs).await;
    refused(&digits, &[attribute("phone_number", "is invalid")]);
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let blank = |name| attribute(name, "can't be blank");
        let nothing = api.post(IDENTITIES, &resource("identities", json!({ "id_number": "1" }))).await;
        refused(&nothing, &["first_name", "last_name", "phone_number", "identity_type"].map(blank));
        let letters = api.post(IDENTITIES, &with(person(), json!({ "phone_number": "+44 20" }))).await;
        refused(&letters, &[attribute("phone_number", "is invalid")]);
        for wrong in ["ada", "ada@", "@example.com", "a b@example.com", "ada@example.com@"] {
            let email = api.post(IDENTITIES, &with(person(), json!({ "contact_email": wrong }))).await;
            refused(&email, &[attribute("contact_email", "is invalid")]);
        }
        let email = created(&api, IDENTITIES, &with(person(), json!({ "contact_email": "a@b" }))).await;
        let shown = api.get(&format!("{IDENTITIES}/{email}")).await;
        assert_eq!(shown.at("/data/attributes/contact_email"), "a@b");
        let day = api.post(IDENTITIES, &with(person(), json!({ "birth_date": "1985-02-30" }))).await;
        refused(&day, &[attribute("birth_date", "is invalid")]);
        let long = "x".repeat(101);
        let reference = api.post(IDENTITIES, &with(person(), json!({ "external_reference_id": long }))).await;
        let why = "is too long (maximum is 100 characters)";
        refused(&reference, &[attribute("external_reference_id", why)]);
        let id = created(&api, IDENTITIES, &person()).await;
        let path = format!("{IDENTITIES}/{id}");
        for fixed in ["identity_type", "verified", "created_at"] {
            let change = update("identities", &id, json!({ fixed: "business" }));
            refused(&api.patch(&path, &change).await, &[not_allowed(fixed)]);
        }
        let elsewhere = linking(person(), "birth_country", identifier("countries", UNKNOWN));
        refused(&api.post(IDENTITIES, &elsewhere).await, &[relationship("birth_country", "is invalid")]);
    }
}

#[tokio::test]
async fn a_business_and_a_person_have_what_belongs_to_their_kind() {
    let world = World::start().await;
    let land = country(&world, "Germany", "DE").await;
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let nothing = api.post(IDENTITIES, &with(person(), json!({ "identity_type": "business" }))).await;
        let blank = [attribute("company_name", "can't be blank"), relationship("country", "can't be blank")];
        refused(&nothing, &blank);
        let of_business = json!({ "company_name": "C", "company_reg_number": "1", "vat_id": "2" });
        let must = |name| attribute(name, "must be blank");
        let refusals = ["company_name", "company_reg_number", "vat_id"].map(must);
        refused(&api.post(IDENTITIES, &with(person(), of_business)).await, &refusals);
        let wrong = with(business(&land), json!({ "vat_id": "DE12" }));
        refused(&api.post(IDENTITIES, &wrong).await, &[attribute("vat_id", "is invalid")]);
        let right = with(business(&land), json!({ "vat_id": "DE123456789" }));
        let id = created(&api, IDENTITIES, &right).await;
        let path = format!("{IDENTITIES}/{id}");
        let no_country = linking(update("identities", &id, json!({})), "country", Value::Null);
        refused(&api.patch(&path, &no_country).await, &[relationship("country", "can't be blank")]);
        let changed = update("identities", &id, json!({ "vat_id": "DE987654321", "company_name": "Other" }));
        let answer = api.patch(&format!("{path}?include=country"), &changed).await;
        assert_eq!(answer.at("/data/attributes/vat_id"), "DE987654321", "{}", answer.text);
        assert_eq!(answer.at("/included/0/attributes/iso"), "DE", "{version}");
    }
}

#[tokio::test]
async fn an_identity_is_verified_while_a_did_is_registered_to_it() {
    let world = World::start().await;
    let api = world.api.at(Some(TOKENS));
    let [one, two] = [created(&api, IDENTITIES, &person()).await, created(&api, IDENTITIES, &person()).await];
    let verified = async || {
        let list = api.get("/identities?sort=-verified").await;
        let shown = |id: &str| {
            let data = list.at("/data");
            let record = data.as_array().unwrap().iter().find(|record| record["id"] == id).unwrap().clone();
            record["attributes"]["verified"].clone()
        };
        assert_eq!(
            api.get(&format!("{IDENTITIES}/{one}")).await.at("/data/attributes/verified"),
            shown(&one)
        );
        (shown(&one), shown(&two), list.at("/data/0/id"))
    };
    let (first, second, _) = verified().await;
    assert_eq!((first, second), (json!(false), json!(false)));
    let did = registered(&world, None, &[&one]).await;
    assert_eq!(verified().await, (json!(true), json!(false), json!(one)));
    registered(&world, Some(did), &[&two]).await;
    assert_eq!(verified().await, (json!(false), json!(true), json!(two)));
    registered(&world, Some(did), &[]).await;
    let (first, second, _) = verified().await;
    assert_eq!((first, second), (json!(false), json!(false)));
}

#[tokio::test]
async fn n90_an_identity_in_use_is_not_deleted() {
    let world = World::start().await;
    let land = country(&world, "Germany", "DE").await;
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let id = created(&api, IDENTITIES, &person()).await;
        let home = created(&api, ADDRESSES, &address(&id, &land)).await;
        let members = RecordMembers::default()
            .attribute("number", format!("3706{}", version.replace('-', "")))
            .relationship("identity", [id.parse().unwrap()]);
        let owner = Some(world.server.account());
        let did = world.server.control().put_record(owner, "dids", None, members).await.unwrap();
        let path = format!("{IDENTITIES}/{id}");
        let in_use = || error(409, "409", "Conflict", "The identity is used by a DID.");
        refused(&api.delete(&path).await, &[in_use()]);
        assert_eq!(api.get(&format!("{ADDRESSES}/{home}")).await.status, 200, "nothing of it is deleted");
        registered(&world, Some(did), &[]).await;
        assert_eq!(api.delete(&path).await.status, 204);
        refused(&api.get(&path).await, &[not_found(&id)]);
        refused(&api.get(&format!("{ADDRESSES}/{home}")).await, &[not_found(&home)]);
    }
}

#[tokio::test]
async fn the_deletion_of_an_identity_deletes_all_of_its_addresses_and_no_others() {
    let world = World::start().await;
    let land = country(&world, "Germany", "DE").await;
    let api = world.api.at(Some(TOKENS));
    let [one, two] = [created(&api, IDENTITIES, &person()).await, created(&api, IDENTITIES, &person()).await];
    for _ in 0..120 {
        created(&api, ADDRESSES, &address(&one, &land)).await;
    }
    let kept = created(&api, ADDRESSES, &address(&two, &land)).await;
    let of = async |id: &str| api.get(&format!("{IDENTITIES}/{id}/addresses?page[size]=100")).await;
    assert_eq!(of(&one).await.at("/meta/total_records"), 120);
    assert_eq!(api.delete(&format!("{IDENTITIES}/{one}")).await.status, 204);
    assert_eq!(ids(&api.get(ADDRESSES).await), [kept.as_str()]);
    assert_eq!(ids(&of(&two).await), [kept.as_str()]);
    assert_eq!(api.delete(&format!("{ADDRESSES}/{kept}")).await.status, 204);
    assert_eq!(api.get(&format!("{IDENTITIES}/{two}")).await.status, 200, "an address goes alone");
}

#[tokio::test]
async fn an_address_belongs_to_an_identity_and_a_country_for_good() {
    let world = oldest().await;
    let land = country(&world, "Germany", "DE").await;
    let api = world.api.at(Some(TOKENS));
    let identity = created(&api, IDENTITIES, &person()).await;
    let bare = resource("addresses", json!({}));
    for version in ["2022-05-10", NEW, TOKENS] {
        let api = world.api.at(Some(version));
        let blank = |name| attribute(name, "can't be blank");
        let [city, code, street] = ["city_name", "postal_code", "address"].map(blank);
        let missing = |name| relationship(name, "can't be blank");
        let nothing = with(bare.clone(), json!({ "description": "home" }));
        refused(
            &api.post(ADDRESSES, &nothing).await,
            &[city, code, street, missing("identity"), missing("country")],
        );
        let of_nobody = address(UNKNOWN, &land);
        refused(&api.post(ADDRESSES, &of_nobody).await, &[relationship("identity", "is invalid")]);
        let id = created(&api, ADDRESSES, &address(&identity, &land)).await;
        let path = format!("{ADDRESSES}/{id}");
        for (name, kind, to) in [("identity", "identities", &identity), ("country", "countries", &land)] {
            let body = linking(update("addresses", &id, json!({})), name, identifier(kind, to));
            refused(&api.patch(&path, &body).await, &[not_allowed(name)]);
        }
        for name in ["area", "city", "proofs"] {
            let body = linking(address(&identity, &land), name, Value::Null);
            refused(&api.post(ADDRESSES, &body).await, &[not_allowed(name)]);
        }
        refused(
            &api.patch(&path, &update("addresses", &id, json!({ "verified": true }))).await,
            &[not_allowed("verified")],
        );
        let answer = api.get(&format!("{path}?include=identity.country,country,area,city,proofs")).await;
        assert_eq!(answer.at("/data/relationships/area/data"), Value::Null, "{}", answer.text);
        let shown = answer.at("/included/0/id");
        assert_eq!(shown, json!(identity), "{}", answer.text);
        assert_eq!(api.delete(&path).await.status, 204);
    }
}

#[tokio::test]
async fn a_street_has_at_most_200_characters_from_2026_04_16_on() {
    let world = oldest().await;
    let land = country(&world, "Germany", "DE").await;
    let identity = created(&world.api.at(Some(NEW)), IDENTITIES, &person()).await;
    let of = |length: usize| with(address(&identity, &land), json!({ "address": "x".repeat(length) }));
    for (version, most) in [("2022-05-10", 255), (NEW, 200), (TOKENS, 200)] {
        let api = world.api.at(Some(version));
        created(&api, ADDRESSES, &of(most)).await;
        let why = format!("is too long (maximum is {most} characters)");
        refused(&api.post(ADDRESSES, &of(most + 1)).await, &[attribute("address", &why)]);
    }
}

#[tokio::test]
async fn identities_and_addresses_are_found_by_their_texts_and_by_each_other() {
    let world = oldest().await;
    let land = country(&world, "Germany", "DE").await;
    let api = world.api.at(Some(TOKENS));
    let named = |first: &str, reference: &str| {
        with(
            person(),
            json!({ "first_name": first, "external_reference_id": reference, "description": "a,b" }),
        )
    };
    let ada = created(&api, IDENTITIES, &named("Ada", "crm-1")).await;
    let adam = created(&api, IDENTITIES, &named("Adam", "crm-2")).await;
    let home = created(&api, ADDRESSES, &address(&ada, &land)).await;
    let found = async |version: &str, path: &str| ids(&world.api.at(Some(version)).get(path).await);
    for version in [NEW, TOKENS] {
        assert_eq!(found(version, "/identities?filter[first_name]=Ada").await, [ada.as_str()]);
        assert_eq!(
            found(version, "/identities?filter[first_name_contains]=Ada&sort=first_name").await,
            [ada.as_str(), adam.as_str()]
        );
        // A filter of a text takes one value, in which a comma is a letter.
        assert_eq!(found(version, "/identities?filter[first_name]=Ada,Adam").await, [""; 0]);
        assert_eq!(
            found(version, "/identities?filter[description]=a,b&filter[external_reference_id]=crm-2").await,
            [adam.as_str()]
        );
        let by_identity = format!("/addresses?filter[identity.id]={ada},{UNKNOWN}&filter[country.id]={land}");
        assert_eq!(found(version, &by_identity).await, [home.as_str()]);
        assert_eq!(
            found(version, "/addresses?filter[identity.external_reference_id]=crm-1").await,
            [home.as_str()]
        );
        assert_eq!(found(version, "/addresses?filter[identity.external_reference_id]=crm-2").await, [""; 0]);
        assert_eq!(found(version, "/addresses?filter[address_contains]=Long").await, [home.as_str()]);
    }
    assert_eq!(
        found("2022-05-10", "/identities?filter[first_name]=Ada,Adam&sort=first_name").await,
        [ada, adam]
    );
}

#[tokio::test]
async fn the_identity_of_another_account_has_no_addresses_of_this_one() {
    let world = World::start().await;
    let land = country(&world, "Germany", "DE").await;
    let (_, key) = world.server.control().create_account(NewAccount::named("other")).await.unwrap();
    let other = world.api.with_key(Some(key.expose())).at(Some(NEW));
    let foreign = created(&other, IDENTITIES, &person()).await;
    let api = world.api.at(Some(NEW));
    refused(&api.post(ADDRESSES, &address(&foreign, &land)).await, &[relationship("identity", "is invalid")]);
    refused(&api.delete(&format!("{IDENTITIES}/{foreign}")).await, &[not_found(&foreign)]);
    assert_eq!(ids(&api.get(IDENTITIES).await), [""; 0]);
    assert_eq!(other.get(&format!("{IDENTITIES}/{foreign}")).await.status, 200);
}

pub(super) const FILES: &str = "/encrypted_files";

/// The fingerprint of [`ONE`] and [`TWO`].
pub(super) fn fingerprint() -> String {
    let key = |text: &str| json!({ "key": text }).as_object().unwrap().clone();
    let form = didww_types::find("encrypted_files").unwrap().form.unwrap();
    (form.check.expected)(&[key(ONE), key(TWO)]).unwrap()
}

pub(super) const FINGERPRINT: &str = "encrypted_files[encryption_fingerprint]";
const DESCRIPTION: &str = "encrypted_files[description]";
pub(super) const FILE: &str = "encrypted_files[file]";

fn media_type(answer: &Answer) -> &str {
    answer.headers["content-type"].to_str().unwrap()
}

#[tokio::test]
async fn n96_and_n97_the_answer_to_an_upload_has_the_media_type_of_its_version() {
    let world = World::start().await;
    keys(&world).await;
    let fingerprint = fingerprint();
    let parts = [
        (FINGERPRINT, FormPart::Text(&fingerprint)),
        (DESCRIPTION, FormPart::Text("passport")),
        (FILE, FormPart::File(b"\x00\r\n--par\x01")),
    ];
    for (version, expected) in [(NEW, "application/json"), (TOKENS, "application/vnd.api+json")] {
        let api = world.api.at(Some(version));
        let answer = api.upload(FILES, &parts).await;
        assert_eq!((answer.status, media_type(&answer)), (201, expected), "{version}: {}", answer.text);
        assert_eq!(answer.at("/data/attributes/description"), "passport");
        assert_eq!(answer.at("/meta"), json!({ "api_version": version }));
        let read = api.get(&format!("{FILES}/{}", answer.id())).await;
        assert_eq!((read.at("/data"), media_type(&read)), (answer.at("/data"), "application/vnd.api+json"));
        assert_eq!(api.delete(&format!("{FILES}/{}", answer.id())).await.status, 204);
        let json = api.post(FILES, &resource("encrypted_files", json!({ "description": "a" }))).await;
        refused(&json, &[error(400, "400", "invalid params", "invalid params")]);
    }
}

#[tokio::test]
async fn an_upload_needs_a_file_and_the_fingerprint_of_the_present_keys() {
    let world = World::start().await;
    let text = fingerprint();
    let present = (FINGERPRINT, FormPart::Text(&text));
    let file = (FILE, FormPart::File(b"x"));
    let outdated = || attribute("encryption_fingerprint", "outdated fingerprint");
    for version in [NEW, TOKENS] {
        let refusal = world.api.at(Some(version)).upload(FILES, &[present, file]).await;
        refused(&refusal, &[outdated()]);
    }
    keys(&world).await;
    for version in [NEW, TOKENS] {
        let api = world.api.at(Some(version));
        refused(&api.upload(FILES, &[(FINGERPRINT, FormPart::Text("other")), file]).await, &[outdated()]);
        let blank = |name| attribute(name, "can't be blank");
        refused(&api.upload(FILES, &[present]).await, &[blank("file")]);
        refused(&api.upload(FILES, &[present, (FILE, FormPart::File(b""))]).await, &[blank("file")]);
        refused(&api.upload(FILES, &[file]).await, &[blank("encryption_fingerprint")]);
        let invalid = || error(400, "400", "invalid params", "invalid params");
        for wrong in [
            ("encrypted_files[items][][file]", FormPart::File(b"x")),
            ("encrypted_files[colour]", FormPart::Text("red")),
            ("encrypted_files[expires_at]", FormPart::Text("2036-01-01T00:00:00.000Z")),
            ("file", FormPart::File(b"x")),
            (FILE, FormPart::File(b"y")),
            (DESCRIPTION, FormPart::File(b"x")),
        ] {
            refused(&api.upload(FILES, &[present, file, wrong]).await, &[invalid()]);
        }
        assert_eq!(api.upload(FILES, &[present, file]).await.status, 201);
    }
}

#[tokio::test]
async fn a_file_has_at_most_20_mebibytes() {
    let world = World::start().await;
    keys(&world).await;
    let text = fingerprint();
    let mut content = vec![7; 20 << 20];
    let upload = async |content: &[u8]| {
        world
            .api
            .upload(FILES, &[(FINGERPRINT, FormPart::Text(&text)), (FILE, FormPart::File(content))])
            .await
    };
    assert_eq!(upload(&content).await.status, 201);
    content.push(7);
    let why = "is too big (should be at most 20 MB)";
    refused(&upload(&content).await, &[attribute("file", why)]);
    content.resize((20 << 20) + (100 << 10), 7);
    refused(&upload(&content).await, &[attribute("file", why)]);
    assert_eq!(ids(&world.api.get(FILES).await).len(), 1);
}

#[tokio::test]
async fn a_file_is_deleted_24_hours_after_its_upload() {
    let world = World::of(engine::builder()).await;
    keys(&world).await;
    let at: Timestamp = "2036-11-29T12:00:00.000Z".parse().unwrap();
    let control = world.server.control();
    control.clock().freeze(Some(at));
    let text = fingerprint();
    let parts = [(FINGERPRINT, FormPart::Text(&text)), (FILE, FormPart::File(b"x"))];
    for (version, name) in [("2022-05-10", "expire_at"), (NEW, "expires_at"), (TOKENS, "expires_at")] {
        let answer = world.api.at(Some(version)).upload(FILES, &parts).await;
        assert_eq!(
            answer.at(&format!("/data/attributes/{name}")),
            "2036-11-30T12:00:00.000Z",
            "{}",
            answer.text
        );
    }
    control.clock().freeze(Some("2036-11-30T11:59:59.999Z".parse().unwrap()));
    for version in ["2022-05-10", NEW, TOKENS] {
        let sorted = world.api.at(Some(version)).get(&format!("{FILES}?sort=expire_at")).await;
        assert_eq!(ids(&sorted).len(), 3, "{version}: {}", sorted.text);
    }
    control.clock().freeze(Some("2036-11-30T12:00:00.000Z".parse().unwrap()));
    until("the files are deleted", async || ids(&world.api.get(FILES).await).is_empty().then_some(())).await;
}
