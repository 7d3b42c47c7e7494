//! Every verb, relationship, filter, sort and include of every declared type is called in every version.
//!
//! The registry says what there is to call, and `fixtures/coverage/<type>.json` which bodies to send, so a new type
//! needs a fixture and no line here. [`tour::run`] calls, and checks each answer against the declaration of its
//! version; what the type lacks in the version must be refused. [`journal::Journal`] writes down the requests as
//! they were sent, and [`demands::of`] derives from the registry the requests that must have been sent.
//!
//! That an answer is right beyond its declaration is tested by the cases of `conformance`.

mod demands;
mod document;
mod journal;
mod lists;
mod relationships;
mod tour;
mod world;

use std::collections::BTreeSet;

use didww_types::{ApiVersion, REGISTRY, ResourceSpec, find};

use journal::normal_form;

use crate::support::fixture::{self, Fixture};

#[tokio::test]
async fn what_the_registry_declares_is_called_in_every_version_that_has_it_and_refused_in_the_others() {
    let mut missing = Vec::new();
    for spec in REGISTRY {
        let fixture = Fixture::load(spec).unwrap_or_else(|error| panic!("{error}"));
        for version in ApiVersion::ALL {
            let sent = tour::run(spec, version, &fixture).await;
            let demanded = demands::of(spec, version);
            missing.extend(demanded.difference(&sent).map(|request| format!("{request} at {version}")));
        }
    }
    assert!(missing.is_empty(), "the registry demands requests that were not sent: {missing:#?}");
}

#[test]
fn every_type_has_a_complete_fixture_and_every_fixture_a_type() {
    let wrong: Vec<String> = REGISTRY.iter().filter_map(|spec| Fixture::load(spec).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for name in fixture::names() {
        assert!(find(&name).is_some(), "fixtures/coverage/{name}.json belongs to no declared type");
    }
}

fn trunks() -> &'static ResourceSpec {
    find("voice_out_trunks").unwrap()
}

#[test]
fn a_type_without_a_fixture_is_named_with_the_file_to_add() {
    let mut unknown = *trunks();
    unknown.name = "carrier_pigeons";
    let error = Fixture::load(&unknown).unwrap_err();
    assert_eq!(
        error,
        "carrier_pigeons has no fixture: add fixtures/coverage/carrier_pigeons.json with `create` and `update`, \
         each with a body for 2021-12-15"
    );
}

#[test]
fn a_version_without_a_body_is_named() {
    let only_new = r#"{ "create": { "2026-04-16": {} }, "update": { "2021-12-15": {} } }"#;
    let error = Fixture::parse(trunks(), only_new).unwrap_err();
    assert_eq!(
        error,
        "fixtures/coverage/voice_out_trunks.json has no `create` body for 2021-12-15: add one, which later versions \
         use too unless they have their own"
    );
    let too_old = r#"{ "create": { "2017-09-18": {} }, "update": { "2021-12-15": {} } }"#;
    let error = Fixture::parse(trunks(), too_old).unwrap_err();
    assert_eq!(
        error,
        "fixtures/coverage/voice_out_trunks.json has a `create` body for 2017-09-18, when the type exists since \
         2021-12-15"
    );
}

#[test]
fn a_record_that_no_request_creates_needs_a_control_request() {
    let error = Fixture::parse(find("dids").unwrap(), r#"{ "update": { "2017-09-18": {} } }"#).unwrap_err();
    assert_eq!(
        error,
        "fixtures/coverage/dids.json has no `control` request: no request of the API creates a record of dids"
    );
}

#[test]
fn the_demands_follow_the_declaration_and_its_versions() {
    let of = |version| demands::of(trunks(), version);
    let (oldest, old, new) =
        (of(ApiVersion::V2017_09_18), of(ApiVersion::V2021_12_15), of(ApiVersion::NEWEST));
    for verb in ["GET", "POST", "PATCH", "DELETE"] {
        assert!(
            oldest.iter().any(|request| request.starts_with(&format!("refused: {verb} "))),
            "{oldest:#?}"
        );
    }
    for request in [
        "GET /voice_out_trunks",
        "GET /voice_out_trunks/{id}",
        "GET /voice_out_trunks/{id}/relationships/dids",
        "POST /voice_out_trunks/{id}/relationships/dids",
        "GET /voice_out_trunks/{id}/dids",
        "GET /voice_out_trunks/{id}?include=dids.order",
        "GET /voice_out_trunks?sort=-name",
        "GET /voice_out_trunks?filter[status]",
        "DELETE /voice_out_trunks/{id}",
    ] {
        assert!(old.contains(request) && new.contains(request), "{request}");
        assert!(!oldest.contains(request), "{request}");
    }
    for request in [
        "GET /voice_out_trunks/{id}?include=emergency_dids",
        "GET /voice_out_trunks?filter[external_reference_id]",
    ] {
        assert!(new.contains(request) && old.contains(&format!("refused: {request}")), "{request}");
    }
    for spec in REGISTRY {
        for verb in demands::verbs(spec) {
            let request = demands::request(spec, verb, ApiVersion::NEWEST);
            let is_served = spec.has(verb) && spec.exists_in(ApiVersion::NEWEST);
            let demanded = if is_served { request } else { format!("refused: {request}") };
            assert!(demands::of(spec, ApiVersion::NEWEST).contains(&demanded), "{demanded}");
        }
    }
}

#[test]
fn a_request_is_written_down_without_its_id_and_values() {
    let forms = |method: &str, path: &str| normal_form(method, path).into_iter().collect::<Vec<_>>();
    assert_eq!(forms("GET", "/dids"), ["GET /dids"]);
    assert_eq!(forms("PATCH", "/dids/1/relationships/order"), ["PATCH /dids/{id}/relationships/order"]);
    assert_eq!(forms("GET", "/dids/1/order"), ["GET /dids/{id}/order"]);
    let query = "/dids?filter%5Bcity.id%5D=7&sort=-number&include=order&page[size]=2";
    assert_eq!(
        forms("GET", query),
        ["GET /dids", "GET /dids?filter[city.id]", "GET /dids?include=order", "GET /dids?sort=-number"]
    );
}

#[test]
fn no_demand_is_met_by_a_request_that_was_refused() {
    let journal = journal::Journal::default();
    journal.note("DELETE", "/voice_out_trunks/1", 404);
    journal.note("GET", "/voice_out_trunks", 200);
    let sent: BTreeSet<String> = journal.sent();
    assert_eq!(
        sent.into_iter().collect::<Vec<_>>(),
        ["GET /voice_out_trunks", "refused: DELETE /voice_out_trunks/{id}"]
    );
}
