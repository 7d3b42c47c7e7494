//! Older versions of the API.

use didww_client::resources::{
    AuthenticationMethod, DidFilter, DidGroupFilter, DidInclude, NumberType, OnCliMismatchAction,
    VoiceOutTrunk, VoiceOutTrunkField, VoiceOutTrunkFilter, VoiceOutTrunkInclude, VoiceOutTrunkSort,
};
use didww_client::values::IpNetworks;
use didww_client::{ApiVersion, Client, Error, Reason};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer};

use crate::support::{TRUNK, builder, document, id, last_body, received, response, trunk};

fn flat(version: Option<&str>) -> Value {
    let mut body = json!({"data": {"id": TRUNK, "type": "voice_out_trunks", "attributes": {
        "allowed_sip_ips": ["0.0.0.0/0"], "on_cli_mismatch_action": "replace_cli", "name": "php-test",
        "username": "qkut5v4xwm", "password": "np34mftrrq", "created_at": "2022-02-03T08:21:29.798Z"}}});
    if let Some(version) = version {
        body["meta"] = json!({"api_version": version});
    }
    body
}

async fn serving(body: &Value, version: ApiVersion) -> (MockServer, Client) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response(200, body)).mount(&server).await;
    let client = builder(&server.uri()).api_version(version).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn a_flat_trunk_is_converted_from_and_to_the_canonical_form() {
    let (server, client) = serving(&flat(Some("2022-05-10")), ApiVersion::V2022_05_10).await;
    let auth = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["0.0.0.0/0"]).unwrap());
    let body = VoiceOutTrunk::create("php-test", OnCliMismatchAction::ReplaceCli, auth);
    let trunk = client.voice_out_trunks().create(body).await.unwrap();
    assert_eq!(trunk.credentials().unwrap().0, "qkut5v4xwm");
    assert_eq!(trunk.version, ApiVersion::V2022_05_10);
    let attributes = &last_body(&server).await["data"]["attributes"];
    assert_eq!(attributes["allowed_sip_ips"], json!(["0.0.0.0/0"]));
    assert_eq!(attributes.get("authentication_method"), None);
}

#[tokio::test]
async fn a_response_is_decoded_in_the_form_of_the_version_that_served_it() {
    let (_server, client) = serving(&document(&trunk()), ApiVersion::V2022_05_10).await;
    let newer = client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    assert_eq!(newer.version, ApiVersion::V2026_04_16);
    assert_eq!(newer.credentials().unwrap().0, "canary-username");

    let (_server, client) = serving(&flat(None), ApiVersion::V2021_12_15).await;
    let unversioned = client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    assert_eq!(unversioned.version, ApiVersion::V2021_12_15);

    let mut future = document(&trunk());
    future["meta"]["api_version"] = json!("2031-01-01");
    let (_server, client) = serving(&future, ApiVersion::V2022_05_10).await;
    assert_eq!(client.voice_out_trunks().get(&id(TRUNK)).await.unwrap().version, ApiVersion::NEWEST);
}

#[tokio::test]
async fn the_responses_of_an_older_service_are_decoded() {
    let (_server, client) = serving(&flat(Some("2022-05-10")), ApiVersion::V2026_04_16).await;
    let trunk = client.voice_out_trunks().get(&id(TRUNK)).await.unwrap();
    assert_eq!(trunk.version, ApiVersion::V2022_05_10);
    assert_eq!(trunk.credentials().unwrap().0, "qkut5v4xwm");
    let partial = client.voice_out_trunks().get(&id(TRUNK)).fields([VoiceOutTrunkField::Name]).await.unwrap();
    assert_eq!(partial.name.as_deref(), Some("php-test"));
    assert!(partial.authentication_method.is_some() && partial.extra.is_empty());
}

#[tokio::test]
async fn a_dotted_include_has_the_names_of_the_version() {
    for (version, path) in [
        (ApiVersion::V2022_05_10, "did_group.requirement"),
        (ApiVersion::V2026_04_16, "did_group.address_requirement"),
    ] {
        let (server, client) = serving(&json!({"data": []}), version).await;
        client.dids().list().include([DidInclude::DidGroupAddressRequirement]).await.unwrap();
        assert_eq!(received(&server).await, [format!("GET /v3/dids?include={path}")]);
    }
}

#[tokio::test]
async fn members_that_the_version_lacks_are_refused_before_sending() {
    let (server, client) = serving(&flat(None), ApiVersion::V2022_05_10).await;
    let trunks = client.voice_out_trunks();
    let refused = |error: Error, member: &str| match error {
        Error::NotSent(error) => match error.reason {
            Reason::Version(error) => assert_eq!(error.member, member),
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    };
    let sid = "AC22222222222222222222222222222222".parse().unwrap();
    let body = VoiceOutTrunk::create("x", OnCliMismatchAction::RejectCall, AuthenticationMethod::twilio(sid));
    refused(trunks.create(body).await.unwrap_err(), "authentication_method");
    let patch = VoiceOutTrunk::patch().emergency_enable_all(true);
    refused(trunks.update(&id(TRUNK), patch).await.unwrap_err(), "emergency_enable_all");
    let sorted = trunks.list().sort_descending(VoiceOutTrunkSort::ExternalReferenceId);
    refused(sorted.await.unwrap_err(), "external_reference_id");
    let filtered = trunks.list().filter(VoiceOutTrunkFilter::external_reference_id_blank());
    refused(filtered.await.unwrap_err(), "filter[external_reference_id]");
    let none = client.dids().list().filter(DidFilter::country_id(Vec::<String>::new()));
    refused(none.await.unwrap_err(), "filter[country.id]");
    let included = trunks.get(&id(TRUNK)).include([VoiceOutTrunkInclude::EmergencyDids]);
    refused(included.await.unwrap_err(), "emergency_dids");
    let related = trunks.to_many(&id(TRUNK), VoiceOutTrunk::EMERGENCY_DIDS).related();
    refused(related.await.unwrap_err(), "emergency_dids");

    let newest = builder(&server.uri()).api_version(ApiVersion::V2026_11_19).build().unwrap();
    let typed = newest.dids().list().include([DidInclude::DidGroupDidGroupType]);
    refused(typed.await.unwrap_err(), "did_group_type");
    let typed = client.did_groups().list().filter(DidGroupFilter::number_type(NumberType::Local));
    refused(typed.await.unwrap_err(), "filter[number_type]");
    let typed = newest.did_groups().list().filter(DidGroupFilter::did_group_type_id_blank());
    refused(typed.await.unwrap_err(), "filter[did_group_type.id]");
    let required = builder(&server.uri()).api_version(ApiVersion::V2017_09_18).build().unwrap();
    let required = required.dids().list().include([DidInclude::DidGroupAddressRequirement]);
    refused(required.await.unwrap_err(), "address_requirement");

    let ancient = builder(&server.uri()).api_version(ApiVersion::V2017_09_18).build().unwrap();
    refused(ancient.voice_out_trunks().list().await.unwrap_err(), "voice_out_trunks");
    assert_eq!(received(&server).await.len(), 0);
}
