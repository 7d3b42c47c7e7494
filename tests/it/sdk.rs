//! The client against the server: every verb of every resource, in three versions.

use didww_client::resources::{
    Address, AddressFilter, AddressInclude, AuthenticationMethod, Codec, Country, Did, DidFeature, DidField,
    DidFilter, DidGroupFilter, DidGroupSort, DidInclude, Identity, IdentityFilter, IdentityType,
    OnCliMismatchAction, PublicKey, SipConfiguration, TrunkConfiguration, VoiceInTrunk, VoiceInTrunkGroup,
    VoiceOutTrunk, VoiceOutTrunkField, VoiceOutTrunkFilter, VoiceOutTrunkInclude, VoiceOutTrunkSort,
    VoiceOutTrunkStatus,
};
use didww_client::values::{
    CallbackUrl, CapacityLimit, DstPrefix, ExternalReference, IpNetworks, RtpTimeout, SipHost, SipPort,
    TechPrefix, ThresholdAmount, TwilioAccountSid,
};
use didww_client::{
    AnyRecord, ApiVersion, Client, EncryptedUpload, Error, Feature, Id, Method, Patch, TryStreamExt as _,
};
use trunk_server::TestServer;
use trunk_server::control::{NewDid, RecordMembers};

use crate::support::engine;

const VERSIONS: [ApiVersion; 4] =
    [ApiVersion::V2021_12_15, ApiVersion::V2022_05_10, ApiVersion::V2026_04_16, ApiVersion::V2026_11_19];

fn client(server: &TestServer, version: ApiVersion) -> Client {
    Client::builder(server.base_url(), server.api_key()).api_version(version).build().unwrap()
}

fn credentials() -> AuthenticationMethod {
    AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.5", "2001:db8::/32"]).unwrap())
}

async fn dids(server: &TestServer, count: usize) -> Vec<Id<Did>> {
    let numbers = (0..count).map(|n| {
        let did = NewDid::new(format!("3706149820{n}"));
        if n % 2 == 0 { did.emergency() } else { did }
    });
    let ids = server.control().add_dids(server.account(), numbers).await.unwrap();
    ids.into_iter().map(|id| Id::from(id.to_string())).collect()
}

#[tokio::test]
async fn a_trunk_lives_from_create_to_delete_in_every_version() {
    for version in VERSIONS {
        let server = engine::builder().start().await;
        let trunks = client(&server, version).voice_out_trunks();
        let body = VoiceOutTrunk::create("Life", OnCliMismatchAction::SendOriginalCli, credentials())
            .capacity_limit(CapacityLimit::new(300).unwrap())
            .threshold_amount("1000.0".parse::<ThresholdAmount>().unwrap())
            .callback_url(CallbackUrl::new("http://example.com/trunks?a=1").unwrap());
        let created = trunks.create(body).await.unwrap();
        assert_eq!(created.version, version);
        assert_eq!(
            created.authentication_method.allowed_sip_ips().unwrap().texts(),
            ["203.0.113.5/32", "2001:db8::/32"]
        );
        assert!(created.is_active());
        let patch = VoiceOutTrunk::patch().status(VoiceOutTrunkStatus::Blocked).clear_capacity_limit();
        let changed = trunks.update(&created.id, patch).await.unwrap();
        assert_eq!((changed.status.as_str(), changed.capacity_limit), ("blocked", None));
        assert_eq!(changed.callback_url, created.callback_url);
        assert_eq!(changed.credentials(), created.credentials());
        let fresh = trunks.regenerate_credentials(&created.id).await.unwrap();
        assert_ne!(fresh.credentials(), created.credentials());
        assert_eq!(*trunks.get(&created.id).await.unwrap(), *fresh);
        trunks.delete(&created.id).await.unwrap();
        assert!(matches!(trunks.get(&created.id).await, Err(Error::NotFound(_))));
    }
}

#[tokio::test]
async fn an_identity_and_its_address_live_from_create_to_delete_in_every_version() {
    let server = engine::builder().start().await;
    let country = RecordMembers::default()
        .attribute("name", "Germany")
        .attribute("prefix", "49")
        .attribute("iso", "DE");
    let country = server.control().put_record(None, "countries", None, country).await.unwrap();
    let country: Id<Country> = Id::from(country.to_string());
    for version in VERSIONS {
        let client = client(&server, version);
        let (identities, addresses) = (client.identities(), client.addresses());
        let body = Identity::create(IdentityType::Business, "Ada", "Lovelace", "442071234567")
            .company_name("Engines Ltd")
            .country(country.clone());
        let identity = identities.create(body).await.unwrap();
        assert_eq!(
            (&identity.identity_type, identity.verified),
            (&IdentityType::Business, false),
            "{version}"
        );
        let body = Address::create(identity.id.clone(), country.clone(), "Berlin", "10115", "Long street 1");
        let address = addresses.create(body).await.unwrap();
        let list = addresses
            .list()
            .filter(AddressFilter::identity_id(identity.id.clone()))
            .include([AddressInclude::Identity])
            .await
            .unwrap();
        assert_eq!((list.items.len(), &list.items[0].id), (1, &address.id), "{version}");
        let owner = list.items[0].identity.included(&list.included).unwrap().unwrap();
        assert_eq!(
            (owner.id, owner.identity_type),
            (identity.id.clone(), IdentityType::Business),
            "{version}"
        );
        let changed = identities.update(&identity.id, Identity::patch().first_name("Augusta")).await.unwrap();
        assert_eq!((changed.first_name.as_str(), &changed.company_name), ("Augusta", &identity.company_name));
        let of_businesses = identities.list().filter(IdentityFilter::identity_type(IdentityType::Business));
        assert_eq!(of_businesses.await.unwrap().items.len(), 1, "{version}");
        identities.delete(&identity.id).await.unwrap();
        assert!(matches!(addresses.get(&address.id).await, Err(Error::NotFound(_))), "{version}");
    }
}

#[tokio::test]
async fn public_keys_are_listed_with_their_fingerprint_in_every_version() {
    let server = engine::builder().start().await;
    for text in ["Zm9v", "Zm9vYmFy"] {
        let key = RecordMembers::default().attribute("key", text);
        server.control().put_record(None, "public_keys", None, key).await.unwrap();
    }
    for version in VERSIONS {
        let keys = client(&server, version).public_keys().list().await.unwrap();
        assert_eq!((keys.items.len(), keys.total), (2, None), "{version}");
        // The digests of `foo` and `foobar`.
        let expected = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33:::8843d7f92416211de9ebb963ff4ce28125932878";
        assert_eq!(PublicKey::encryption_fingerprint(&keys.items).as_deref(), Some(expected), "{version}");
    }
}

#[tokio::test]
async fn an_encrypted_file_is_uploaded_read_and_deleted_in_every_version() {
    let server = engine::builder().start().await;
    for text in ["Zm9v", "Zm9vYmFy"] {
        let key = RecordMembers::default().attribute("key", text);
        server.control().put_record(None, "public_keys", None, key).await.unwrap();
    }
    for version in VERSIONS {
        let client = client(&server, version);
        let keys = client.public_keys().list().await.unwrap();
        let fingerprint = PublicKey::encryption_fingerprint(&keys.items).unwrap();
        let content = vec![b'\r'; 100_000];
        let upload =
            EncryptedUpload::new(fingerprint, content).description("Zürich \"1\"").file_name("a.enc");
        assert_eq!(format!("{upload:?}"), "EncryptedUpload { bytes: 100000, .. }");
        let file = client.encrypted_files().upload(upload).await.unwrap();
        assert_eq!(file.description.as_deref(), Some("Zürich \"1\""), "{version}");
        assert_eq!(*client.encrypted_files().get(&file.id).await.unwrap(), *file, "{version}");
        client.encrypted_files().delete(&file.id).await.unwrap();
        let stale = client.encrypted_files().upload(EncryptedUpload::new("stale", "x")).await;
        assert!(matches!(stale, Err(Error::Validation(_))), "{version}: {stale:?}");
    }
}

#[tokio::test]
async fn an_included_group_is_a_typed_value_in_every_version() {
    let server = engine::builder().start().await;
    dids(&server, 2).await;
    for version in VERSIONS {
        let client = client(&server, version);
        let can_call = DidFilter::did_group_features(DidFeature::VoiceOut);
        let page = client.dids().list().filter(can_call).include([DidInclude::DidGroup]).await.unwrap();
        assert_eq!(page.items.len(), 2, "{version}");
        for did in &page.items {
            let group = did.did_group.included(&page.included).unwrap().unwrap();
            assert_eq!(group.features.as_slice()[..2], [DidFeature::VoiceIn, DidFeature::VoiceOut]);
            assert_eq!(group, *client.did_groups().get(&group.id).await.unwrap(), "{version}");
        }
        let records = page.included.records().unwrap();
        assert!(records.iter().all(|record| matches!(record, AnyRecord::DidGroup(_))), "{records:?}");
        let groups = client.did_groups().list().filter(DidGroupFilter::features(DidFeature::Emergency));
        let groups = groups.sort(DidGroupSort::AreaName).all().await.unwrap();
        assert_eq!(groups.len(), 1, "{version}");
    }
}

#[tokio::test]
async fn a_filter_finds_exactly_the_names_that_it_was_given_whatever_they_hold() {
    let server = engine::builder().start().await;
    let trunks = client(&server, ApiVersion::NEWEST).voice_out_trunks();
    let names = [
        "Sales",
        "North",
        "Sales, North",
        "Sales,North",
        "\"Sales\"",
        "5\" pipe",
        "\"a\",b",
        "x,y",
        "x",
        "y",
        "+%&=#",
    ];
    for name in names {
        trunks
            .create(VoiceOutTrunk::create(name, OnCliMismatchAction::RejectCall, credentials()))
            .await
            .unwrap();
    }
    let several = || VoiceOutTrunkFilter::name(["Sales, North", "x"]);
    for version in VERSIONS {
        let trunks = client(&server, version).voice_out_trunks();
        let found = async |filter| {
            let found = trunks.list().filter(filter).await.unwrap().items;
            found.into_iter().map(|trunk| trunk.name).collect::<Vec<_>>()
        };
        for name in names {
            assert_eq!(found(VoiceOutTrunkFilter::name(name)).await, [name], "{version}");
            let containing = found(VoiceOutTrunkFilter::name_contains(name)).await;
            assert!(containing.iter().any(|found| found == name), "{version}");
            assert!(containing.iter().all(|found| found.contains(name)), "{version}");
        }
        assert!(found(VoiceOutTrunkFilter::name("North, Sales")).await.is_empty());
        if version < ApiVersion::V2026_11_19 {
            assert_eq!(found(several()).await, ["Sales, North", "x"]);
        } else {
            let refused = trunks.list().filter(several()).await.unwrap_err();
            assert!(matches!(refused, Error::NotSent(_)), "{refused}");
        }
    }
}

#[tokio::test]
async fn what_only_the_newest_version_knows_is_kept_through_a_change_in_an_older_one() {
    let server = engine::builder().start().await;
    let new = client(&server, ApiVersion::V2026_04_16).voice_out_trunks();
    let old = client(&server, ApiVersion::V2021_12_15).voice_out_trunks();
    let method = credentials().with_tech_prefix(TechPrefix::new("123#").unwrap());
    let body = VoiceOutTrunk::create("Both", OnCliMismatchAction::RejectCall, method)
        .external_reference_id(ExternalReference::new("crm-7").unwrap())
        .rtp_timeout(RtpTimeout::new(60).unwrap())
        .dst_prefixes(didww_client::values::BoundedList::new([DstPrefix::new("370").unwrap()]).unwrap());
    let created = new.create(body).await.unwrap();
    let seen = old.get(&created.id).await.unwrap();
    assert_eq!(seen.credentials(), created.credentials());
    let narrowed = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["198.51.100.0/24"]).unwrap());
    old.update(&created.id, VoiceOutTrunk::patch().authentication_method(narrowed)).await.unwrap();
    let after = new.get(&created.id).await.unwrap();
    assert_eq!(after.authentication_method.tech_prefix().unwrap().as_str(), "123#");
    assert_eq!(after.authentication_method.allowed_sip_ips().unwrap().texts(), ["198.51.100.0/24"]);
    assert_eq!(after.credentials(), created.credentials());
    assert_eq!(after.external_reference_id, created.external_reference_id);
}

#[tokio::test]
async fn the_three_kinds_of_authentication_are_distinguished() {
    let server = engine::builder().start().await;
    let trunks = client(&server, ApiVersion::NEWEST).voice_out_trunks();
    let sid = TwilioAccountSid::new("AC22222222222222222222222222222222").unwrap();
    let create = |name: &str, method| VoiceOutTrunk::create(name, OnCliMismatchAction::RejectCall, method);
    let twilio = trunks.create(create("twilio", AuthenticationMethod::twilio(sid.clone()))).await.unwrap();
    let by_credentials = trunks.create(create("credentials", credentials())).await.unwrap();
    let ip_only = trunks.create(create("ip only", credentials())).await.unwrap();
    let networks = IpNetworks::parse(["203.0.113.1"]).unwrap();
    let id = ip_only.id.as_str().parse().unwrap();
    server.control().make_ip_only(server.account(), id, &networks).await.unwrap();
    let ip_only = trunks.get(&ip_only.id).await.unwrap();

    assert!(
        matches!(&twilio.authentication_method, AuthenticationMethod::Twilio(t) if t.twilio_account_sid == sid)
    );
    assert!(by_credentials.credentials().is_some());
    assert!(matches!(&ip_only.authentication_method, AuthenticationMethod::IpOnly(_)));

    // Only staff can select this method, but the owner can change everything else of such a trunk.
    let renamed = trunks.update(&ip_only.id, VoiceOutTrunk::patch().name("renamed")).await.unwrap();
    assert_eq!(renamed.authentication_method, ip_only.authentication_method);
    let refused = trunks
        .update(
            &twilio.id,
            VoiceOutTrunk::patch().authentication_method(ip_only.authentication_method.clone()),
        )
        .await;
    assert_eq!(refused.unwrap_err().field("type").len(), 1);
    let again = trunks.regenerate_credentials(&twilio.id).await.unwrap_err();
    assert_eq!(again.field("voice_out_trunk").len(), 1);
}

#[tokio::test]
async fn a_trunk_that_was_read_and_changed_is_saved_without_touching_the_rest() {
    let server = engine::builder().start().await;
    let trunks = client(&server, ApiVersion::NEWEST).voice_out_trunks();
    let body = VoiceOutTrunk::create("Before", OnCliMismatchAction::RejectCall, credentials());
    let before = trunks.create(body).await.unwrap().into_inner();
    let mut after = before.clone();
    after.name = "After".to_owned();
    after.rtp_ping = true;
    let saved = trunks.save(&before, &after).await.unwrap();
    assert_eq!(saved, after);
    // The whole method is sent back; the service keeps the credentials.
    let same = VoiceOutTrunk::patch().authentication_method(before.authentication_method.clone());
    assert_eq!(trunks.update(&before.id, same).await.unwrap().credentials(), before.credentials());
}

#[tokio::test]
async fn lists_are_filtered_sorted_paged_and_pruned() {
    let server = engine::builder().start().await;
    let trunks = client(&server, ApiVersion::NEWEST).voice_out_trunks();
    for n in 0..7 {
        let action =
            if n % 2 == 0 { OnCliMismatchAction::RejectCall } else { OnCliMismatchAction::SendOriginalCli };
        trunks.create(VoiceOutTrunk::create(format!("t{n}"), action, credentials())).await.unwrap();
    }
    let page = trunks.list().page(2).page_size(3).sort_descending(VoiceOutTrunkSort::Name).await.unwrap();
    let names: Vec<&str> = page.items.iter().map(|trunk| trunk.name.as_str()).collect();
    assert_eq!((names.as_slice(), page.total), (&["t3", "t2", "t1"][..], Some(7)));
    let filter = VoiceOutTrunkFilter::on_cli_mismatch_action(OnCliMismatchAction::RejectCall);
    let some: Vec<VoiceOutTrunk> =
        trunks.list().filter(filter).page_size(2).stream().try_collect().await.unwrap();
    assert_eq!(some.iter().map(|trunk| trunk.name.as_str()).collect::<Vec<_>>(), ["t0", "t2", "t4", "t6"]);
    let older = client(&server, ApiVersion::V2026_04_16).voice_out_trunks();
    let both = older.list().filter(VoiceOutTrunkFilter::name(["t1", "t5"])).await.unwrap();
    assert_eq!(both.items.len(), 2);
    let pruned = trunks.list().fields([VoiceOutTrunkField::Name, VoiceOutTrunkField::Status]).await.unwrap();
    assert!(pruned.items.iter().all(|trunk| trunk.name.is_some() && trunk.created_at.is_none()));
}

#[tokio::test]
async fn relationships_are_read_and_written_from_both_ends() {
    let server = engine::builder().feature(Feature::ReplaceCli).start().await;
    let ids = dids(&server, 4).await;
    let client = client(&server, ApiVersion::NEWEST);
    let trunks = client.voice_out_trunks();
    let body = VoiceOutTrunk::create("Linked", OnCliMismatchAction::ReplaceCli, credentials())
        .dids([&ids[0], &ids[1]])
        .emergency_dids([&ids[0]])
        .default_did(&ids[1]);
    let trunk = trunks.create(body).await.unwrap();
    let include = [VoiceOutTrunkInclude::Dids, VoiceOutTrunkInclude::DefaultDid];
    let shown = trunks.get(&trunk.id).include(include).await.unwrap();
    let linked: Vec<Did> = shown.dids.included(&shown.included).unwrap();
    assert_eq!(linked.iter().map(|did| &did.id).collect::<Vec<_>>(), [&ids[0], &ids[1]]);
    assert_eq!(shown.default_did.included(&shown.included).unwrap().unwrap().id, ids[1]);
    assert_eq!(shown.emergency_dids.ids(), None, "what was not included is not known");

    let members = trunks.to_many(&trunk.id, VoiceOutTrunk::DIDS);
    members.add([&ids[2], &ids[0]]).await.unwrap();
    assert_eq!(members.ids().await.unwrap(), [ids[0].clone(), ids[1].clone(), ids[2].clone()]);
    members.remove([&ids[1]]).await.unwrap();
    members.replace([&ids[3]]).await.unwrap();
    assert_eq!(
        members.related().await.unwrap().items.first().map(|did| did.id.clone()),
        Some(ids[3].clone())
    );
    let one = trunks.to_one(&trunk.id, VoiceOutTrunk::DEFAULT_DID);
    assert_eq!(one.id().await.unwrap(), Some(ids[1].clone()));
    let refused = one.clear().await.unwrap_err();
    assert!(refused.to_string().contains("default_did - can't be blank"), "{refused}");
    let change = VoiceOutTrunk::patch().on_cli_mismatch_action(OnCliMismatchAction::RejectCall);
    trunks.update(&trunk.id, change).await.unwrap();
    one.clear().await.unwrap();
    assert_eq!(one.id().await.unwrap(), None);

    let emergency = trunks.to_many(&trunk.id, VoiceOutTrunk::EMERGENCY_DIDS);
    let refused = emergency.add([&ids[1]]).await.unwrap_err();
    assert!(refused.to_string().contains("does not support Emergency feature"), "{refused}");
}

#[tokio::test]
async fn dids_are_listed_read_and_changed() {
    let server = engine::builder().start().await;
    let ids = dids(&server, 3).await;
    for version in VERSIONS {
        let client = client(&server, version);
        let page = client.dids().list().await.unwrap();
        assert_eq!(page.total, Some(3));
        let patch = Did::patch().description(version.as_str()).terminated(true);
        let changed = client.dids().update(&ids[0], patch).await.unwrap();
        assert_eq!((changed.description.as_deref(), changed.terminated), (Some(version.as_str()), true));
        let restored =
            client.dids().update(&ids[0], Did::patch().clear_description().terminated(false)).await.unwrap();
        assert_eq!((&restored.description, restored.terminated), (&None, false));
        let found = client.dids().list().filter(DidFilter::number("37061498201")).await.unwrap();
        assert_eq!(found.items.len(), 1);
    }
    let client = client(&server, ApiVersion::NEWEST);
    let pruned = client.dids().list().fields([DidField::Terminated]).await.unwrap();
    assert!(pruned.items.iter().all(|did| did.terminated.is_some() && did.number.is_none()));
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field_and_changes_nothing() {
    let server = engine::builder().start().await;
    let client = client(&server, ApiVersion::NEWEST);
    let trunks = client.voice_out_trunks();
    let body = || VoiceOutTrunk::create("Taken", OnCliMismatchAction::RejectCall, credentials());
    let first = trunks.create(body()).await.unwrap();
    let error = trunks.create(body()).await.unwrap_err();
    let taken = error.field("name");
    assert_eq!(taken.first().and_then(|error| error.title.as_deref()), Some("has already been taken"));
    assert!(error.request_id().is_some());
    let replace = VoiceOutTrunk::patch().on_cli_mismatch_action(OnCliMismatchAction::ReplaceCli);
    let error = trunks.update(&first.id, replace).await.unwrap_err();
    assert_eq!(error.field("on_cli_mismatch_action").len(), 1);
    assert_eq!(trunks.list().await.unwrap().items, [first.into_inner()]);
    let stranger = Client::builder(server.base_url(), "wrong").build().unwrap();
    assert!(matches!(stranger.voice_out_trunks().list().await, Err(Error::Unauthorized(_))));
}

#[tokio::test]
async fn what_is_not_declared_is_reached_by_the_escape_hatch() {
    let server = engine::builder().start().await;
    dids(&server, 1).await;
    let client = client(&server, ApiVersion::NEWEST);
    let answer = client.raw(Method::GET, "/dids").query("fields[dids]", "number").send().await.unwrap();
    assert_eq!(answer.json().unwrap().pointer("/data/0/attributes/number").unwrap(), "37061498200");
    assert!(matches!(client.raw(Method::GET, "/pigeons").send().await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_base_url_without_the_version_is_named_by_both_clients() {
    let server = engine::builder().start().await;
    let base = server.base_url();
    let didww = Client::builder(base.trim_end_matches("/v3"), server.api_key()).build().unwrap();
    let error = didww.voice_out_trunks().list().await.unwrap_err();
    assert!(error.to_string().contains("the path has no /v3: the base URL looks like"), "{error}");
    let base = server.voipbin_url();
    let voipbin = voipbin_client::Client::builder().base_url(base.trim_end_matches("/v1.0")).token("t");
    let error = voipbin.build().unwrap().providers().list().await.unwrap_err();
    assert!(error.to_string().contains("the path has no /v1.0: the base URL looks like"), "{error}");
}

#[tokio::test]
async fn a_number_is_routed_to_an_inbound_trunk_whose_group_counts_it() {
    for version in VERSIONS {
        let server = engine::builder().start().await;
        let client = client(&server, version);
        let [did] = dids(&server, 1).await.try_into().unwrap();
        let host = TrunkConfiguration::sip(SipHost::new("sip.example.com").unwrap());
        let trunk = client.voice_in_trunks().create(VoiceInTrunk::create("Desk", host)).await.unwrap();
        let TrunkConfiguration::Sip(sip) = &trunk.configuration else { panic!("{trunk:?}") };
        assert_eq!(sip.codec_ids.as_ref().unwrap().as_slice().first(), Some(&Codec::Pcmu));
        assert_eq!(trunk.priority.get(), 1);

        // An update sends only its changes, and the other members are kept.
        let mut ports = SipConfiguration::default();
        ports.port = Patch::Set(SipPort::new(5062_u16).unwrap());
        let patch = VoiceInTrunk::patch().configuration(TrunkConfiguration::Sip(ports));
        let changed = client.voice_in_trunks().update(&trunk.id, patch).await.unwrap();
        let TrunkConfiguration::Sip(sip) = &changed.configuration else { panic!("{changed:?}") };
        assert_eq!(sip.host, Patch::Set(SipHost::new("sip.example.com").unwrap()));
        // The record that was read is sent, without the members that only the service sets.
        let again = VoiceInTrunk::patch().configuration(changed.configuration.clone());
        assert_eq!(*client.voice_in_trunks().update(&trunk.id, again).await.unwrap(), *changed);

        let group = VoiceInTrunkGroup::create("Office").voice_in_trunks([trunk.id.clone()]);
        let group = client.voice_in_trunk_groups().create(group).await.unwrap();
        assert_eq!(group.meta.trunks_count, 1);
        let route = Did::patch().voice_in_trunk(trunk.id.clone());
        client.dids().update(&did, route).await.unwrap();
        let found = client.dids().list().filter(DidFilter::voice_in_trunk_id(trunk.id.as_str()));
        assert_eq!(found.all().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_registration_has_credentials_from_the_version_that_has_it() {
    let server = engine::builder().start().await;
    let registered = || VoiceInTrunk::create("Desk", TrunkConfiguration::sip_registration());
    let newest = client(&server, ApiVersion::NEWEST);
    let trunk = newest.voice_in_trunks().create(registered()).await.unwrap();
    let (username, password) = trunk.configuration.registration().unwrap();
    assert_eq!((username.len(), password.expose().len()), (16, 16));
    let older = client(&server, ApiVersion::V2022_05_10);
    let refused = older.voice_in_trunks().create(registered()).await.unwrap_err();
    assert!(refused.to_string().contains("lacks"), "{refused}");
}
