//! What the SDK does with several requests, against the server: ensuring records, waiting for them, encrypted uploads,
//! and the files of exports.

use std::time::Duration;

use didww_client::blocking::Wait as _;
use didww_client::resources::{
    AuthenticationMethod, Did, Export, ExportFilters, ExportType, OnCliMismatchAction, PublicKey,
    TrunkConfiguration, VoiceInTrunk, VoiceOutTrunk, VoiceOutTrunkStatus,
};
use didww_client::values::{CapacityLimit, ExternalReference, IpNetworks, SipHost, ThresholdAmount};
use didww_client::{
    ApiVersion, Client, EncryptedUpload, EncryptionKeys, EnsureOutcome, Error, Id, InboundCallRow,
    OutboundCallRow,
};
use serde_json::Value;
use trunk_server::TestServer;
use trunk_server::control::{NewDid, RecordMembers};

use crate::support::engine;

const VERSIONS: [ApiVersion; 4] =
    [ApiVersion::V2021_12_15, ApiVersion::V2022_05_10, ApiVersion::V2026_04_16, ApiVersion::V2026_11_19];

fn client(server: &TestServer, version: ApiVersion) -> Client {
    Client::builder(server.base_url(), server.api_key()).api_version(version).build().unwrap()
}

fn credentials() -> AuthenticationMethod {
    AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.5", "2001:db8::1/32"]).unwrap())
}

#[tokio::test]
async fn a_trunk_is_created_once_and_then_only_changed_where_it_differs_in_every_version() {
    for version in VERSIONS {
        let server = engine::builder().start().await;
        let did = server.control().add_did(server.account(), NewDid::new("37061498222")).await.unwrap();
        let did: Id<Did> = Id::from(did.to_string());
        let trunks = client(&server, version).voice_out_trunks();
        let body = || {
            VoiceOutTrunk::create("Sales, \"North\"", OnCliMismatchAction::RejectCall, credentials())
                .threshold_amount("1000".parse::<ThresholdAmount>().unwrap())
                .dids([&did])
        };
        let first = trunks.ensure(body()).await.unwrap();
        assert_eq!(first.outcome, EnsureOutcome::Created, "{version}");
        let second = trunks.ensure(body()).await.unwrap();
        assert_eq!((second.outcome, &second.changed), (EnsureOutcome::Unchanged, &Vec::new()), "{version}");
        let limited = || body().capacity_limit(CapacityLimit::new(30).unwrap());
        let third = trunks.ensure(limited()).await.unwrap();
        assert_eq!(
            (third.outcome, third.changed),
            (EnsureOutcome::Updated, vec!["capacity_limit".to_owned()]),
            "{version}"
        );
        assert_eq!(third.record.credentials(), first.record.credentials(), "{version}");
        assert_eq!(trunks.ensure(limited()).await.unwrap().outcome, EnsureOutcome::Unchanged, "{version}");
        let without = trunks.ensure(limited().dids(Vec::<Id<Did>>::new())).await.unwrap();
        assert_eq!(without.changed, ["dids"], "{version}");
        assert_eq!(trunks.list().await.unwrap().total, Some(1), "{version}");
        assert_eq!(trunks.list().one().await.unwrap().unwrap().id, first.record.id, "{version}");
    }
}

#[tokio::test]
async fn an_inbound_trunk_is_found_by_its_reference_and_compared_by_what_the_body_sets() {
    let server = engine::builder().start().await;
    let trunks = client(&server, ApiVersion::NEWEST).voice_in_trunks();
    let body = |name: &str, host: &str| {
        let configuration = TrunkConfiguration::sip(SipHost::new(host).unwrap());
        let reference = ExternalReference::new("office").unwrap();
        VoiceInTrunk::create(name, configuration).external_reference_id(reference)
    };
    assert_eq!(
        trunks.ensure(body("Office", "sip.example.com")).await.unwrap().outcome,
        EnsureOutcome::Created
    );
    assert_eq!(
        trunks.ensure(body("Office", "sip.example.com")).await.unwrap().outcome,
        EnsureOutcome::Unchanged
    );
    let renamed = trunks.ensure(body("Head office", "sip2.example.com")).await.unwrap();
    assert_eq!(renamed.changed, ["configuration", "name"]);
    assert_eq!(
        trunks.ensure(body("Head office", "sip2.example.com")).await.unwrap().outcome,
        EnsureOutcome::Unchanged
    );
}

#[tokio::test]
async fn two_programs_that_ensure_the_same_trunk_make_one() {
    let server = engine::builder().start().await;
    let client = client(&server, ApiVersion::NEWEST);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let body = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, credentials());
            tokio::spawn(client.voice_out_trunks().ensure(body).send())
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += usize::from(task.await.unwrap().unwrap().outcome == EnsureOutcome::Created);
    }
    assert_eq!((created, client.voice_out_trunks().list().await.unwrap().total), (1, Some(1)));
}

#[tokio::test]
async fn a_change_by_another_program_ends_a_wait_for_it() {
    let server = engine::builder().start().await;
    let trunks = client(&server, ApiVersion::NEWEST).voice_out_trunks();
    let body = VoiceOutTrunk::create("Berlin", OnCliMismatchAction::RejectCall, credentials());
    let id = trunks.create(body).await.unwrap().id.clone();
    let blocked = |trunk: &VoiceOutTrunk| trunk.status == VoiceOutTrunkStatus::Blocked;
    let waiting = tokio::spawn(trunks.wait_for(&id, blocked).every(Duration::from_millis(5)).send());
    trunks.update(&id, VoiceOutTrunk::patch().status(VoiceOutTrunkStatus::Blocked)).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().status, VoiceOutTrunkStatus::Blocked);
    let overdue = trunks.wait_for(&id, VoiceOutTrunk::is_active).timeout(Duration::ZERO).await;
    assert!(matches!(overdue, Err(Error::Overdue(_))));
}

#[tokio::test]
async fn a_file_is_encrypted_with_the_keys_of_the_service_and_accepted_in_every_version() {
    let server = engine::builder().start().await;
    let text = include_str!("../../fixtures/2026-04-16/public_keys.list.response.json");
    let document: Value = serde_json::from_str(text).unwrap();
    for record in document["data"].as_array().unwrap() {
        let key = RecordMembers::default().attribute("key", record["attributes"]["key"].as_str().unwrap());
        server.control().put_record(None, "public_keys", None, key).await.unwrap();
    }
    for version in VERSIONS {
        let client = client(&server, version);
        let keys = EncryptionKeys::new(&client.public_keys().list().await.unwrap().items).unwrap();
        let upload = EncryptedUpload::new(keys.fingerprint(), keys.encrypt(b"%PDF-1.7").unwrap());
        let file = client.encrypted_files().upload(upload).await.unwrap();
        assert_eq!(client.encrypted_files().get(&file.id).await.unwrap().id, file.id, "{version}");
    }
}

/// A server whose account is at the oldest version, so that a client can have any, and the keys of its files.
async fn with_keys() -> TestServer {
    let server = engine::builder().version(ApiVersion::V2017_09_18).start().await;
    for text in ["Zm9v", "Zm9vYmFy"] {
        let key = RecordMembers::default().attribute("key", text);
        server.control().put_record(None, "public_keys", None, key).await.unwrap();
    }
    server
}

async fn fingerprint(client: &Client) -> String {
    let keys = client.public_keys().list().await.unwrap();
    PublicKey::encryption_fingerprint(&keys.items).unwrap()
}

#[tokio::test]
async fn several_files_are_sent_at_once_where_the_version_takes_them() {
    let server = with_keys().await;
    for version in ApiVersion::ALL {
        let client = client(&server, version);
        let files = client.encrypted_files();
        if version == ApiVersion::V2017_09_18 {
            let refused = files.upload(EncryptedUpload::new("any", "x")).await.unwrap_err();
            assert!(refused.to_string().contains("it exists since 2021-04-19"), "{refused}");
            continue;
        }
        let fingerprint = fingerprint(&client).await;
        let one = || EncryptedUpload::new(fingerprint.as_str(), "1");
        let file = files.upload(one().description("alone")).await.unwrap();
        assert_eq!(file.description.as_deref(), Some("alone"), "{version}");
        // The first file has no description, so that the one of the second file must not become its own.
        let several =
            || one().and("2").description("second").file_name("2.enc").and("3").description("third");
        let sent = files.upload_several(several()).await;
        if version >= ApiVersion::V2026_04_16 {
            let Err(Error::NotSent(not_sent)) = sent else { panic!("{version}: {sent:?}") };
            assert!(not_sent.to_string().contains("it takes one file in a request"), "{not_sent}");
        } else {
            let ids = sent.unwrap();
            let mut described = Vec::new();
            for id in &ids {
                described.push(files.get(id).await.unwrap().description.clone());
            }
            assert_eq!(described, [None, Some("second".to_owned()), Some("third".to_owned())], "{version}");
            assert_eq!(files.upload_several(one()).await.unwrap().len(), 1, "{version}");
            let too_many = several().and("4").and("5").and("6");
            assert_eq!(format!("{too_many:?}"), "EncryptedUploads { files: 6, .. }");
            let Err(Error::NotSent(not_sent)) = files.upload_several(too_many).await else {
                panic!("{version}")
            };
            assert!(not_sent.to_string().contains("it takes at most 5 files in a request"), "{not_sent}");
            let stale = EncryptedUpload::new("stale", "1").and("2");
            let stale = files.upload_several(stale).await;
            assert!(matches!(stale, Err(Error::Validation(_))), "{version}: {stale:?}");
        }
        for file in files.list().all().await.unwrap() {
            files.delete(&file.id).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_without_async_uploads_files_in_the_form_of_its_version() {
    let server = with_keys().await;
    for version in [ApiVersion::V2022_05_10, ApiVersion::V2026_04_16] {
        let client = client(&server, version);
        let fingerprint = fingerprint(&client).await;
        let program = move || {
            let files = client.encrypted_files();
            let upload = EncryptedUpload::new(fingerprint, "1").description("one");
            let file = files.upload(upload.clone()).wait().unwrap();
            assert_eq!(file.description.as_deref(), Some("one"), "{version}");
            let several = files.upload_several(upload.and("2")).wait();
            assert_eq!(several.ok().map(|ids| ids.len()), (version == ApiVersion::V2022_05_10).then_some(2));
        };
        // A thread of the runtime would be refused.
        let thread = std::thread::spawn(program);
        tokio::task::spawn_blocking(move || thread.join()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_export_of_the_oldest_versions_has_a_plain_file_that_is_read_as_rows() {
    for version in [ApiVersion::V2017_09_18, ApiVersion::V2021_04_19] {
        let server = engine::builder().version(ApiVersion::V2017_09_18).start().await;
        let clock = server.control().clock().clone();
        clock.freeze(Some("2026-11-29T12:00:00.000Z".parse().unwrap()));
        let exports = client(&server, version).exports();
        let body = |kind: ExportType| Export::create(kind, ExportFilters::month(2026, 11));
        let outbound = exports.create(body(ExportType::CdrOut)).await;
        assert!(matches!(outbound, Err(Error::NotSent(_))), "{version}: {outbound:?}");
        let export = exports.create(body(ExportType::CdrIn)).await.unwrap();
        assert_eq!(export.filters.get("month").and_then(Value::as_str), Some("11"), "{version}");
        clock.advance(Duration::from_secs(5));
        let waiting = exports.wait_until_completed(&export.id).every(Duration::from_millis(10));
        let file = exports.download(&waiting.await.unwrap()).await.unwrap();
        assert!(!file.is_compressed() && file.compressed().starts_with(b"Date/Time (UTC),"), "{version}");
        assert_eq!(file.rows::<InboundCallRow>().count(), 0, "no call was made: {version}");
        assert_eq!(exports.list().await.unwrap().total, Some(1), "{version}");
    }
}

#[tokio::test]
async fn an_export_is_waited_for_and_its_file_is_downloaded_with_a_key_and_with_a_token() {
    let now = "2026-11-29T12:00:00.000Z";
    for version in [ApiVersion::V2022_05_10, ApiVersion::V2026_04_16, ApiVersion::V2026_11_19] {
        let server = engine::builder().start().await;
        let clock = server.control().clock().clone();
        clock.freeze(Some(now.parse().unwrap()));
        let filters = if version == ApiVersion::V2022_05_10 {
            ExportFilters::month(2026, 11)
        } else {
            ExportFilters::between("2026-11-01T00:00:00Z".parse().unwrap(), now.parse().unwrap())
        };
        let exports = client(&server, version).exports();
        let export = exports.create(Export::create(ExportType::CdrOut, filters)).await.unwrap();
        clock.advance(Duration::from_secs(5));
        let waiting = exports.wait_until_completed(&export.id).every(Duration::from_millis(10));
        let file = exports.download(&waiting.await.unwrap()).await.unwrap();
        assert!(!file.compressed().is_empty(), "{version}");
        assert_eq!(file.rows::<OutboundCallRow>().count(), 0, "no call was made: {version}");
    }
}
