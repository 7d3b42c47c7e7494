//! Pages, filters and the order of lists.

use std::time::Duration;

use didww_types::ApiVersion;
use serde_json::{Value, json};

use crate::support::api::{Answer, OLD};
use crate::support::engine;
use crate::support::world::*;

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let records = answer.at("/data").as_array().unwrap().clone();
    records.iter().map(|record| record["attributes"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The page numbers in the links: first, prev, next, last.
fn links(answer: &Answer) -> Vec<(String, Option<u64>)> {
    let text = &answer.text[answer.text.find("\"links\":{\"first\"").unwrap()..];
    let mut found: Vec<(usize, String, Option<u64>)> = ["first", "prev", "next", "last"]
        .into_iter()
        .filter_map(|name| {
            let place = text.find(&format!("\"{name}\":"))?;
            let link = answer.at(&format!("/links/{name}")).as_str()?.to_owned();
            let number = link.split("page%5Bnumber%5D=").nth(1)?.split('&').next()?.parse().ok();
            Some((place, name.to_owned(), number))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name, number)| (name, number)).collect()
}

fn pages(expected: &[(&str, u64)]) -> Vec<(String, Option<u64>)> {
    expected.iter().map(|(name, number)| ((*name).to_owned(), Some(*number))).collect()
}

async fn three() -> World {
    let world = World::start().await;
    for name in ["A", "B", "C"] {
        world.trunk(name).await;
        world.server.control().clock().advance(Duration::from_secs(1));
    }
    world
}

#[tokio::test]
async fn case_04_a_list_tells_how_many_records_there_are_and_links_to_its_pages() {
    let world = three().await;
    let answer = world.api.get(TRUNKS).await;
    assert_eq!(names(&answer), ["A", "B", "C"]);
    let page = format!("{}{TRUNKS}?page%5Bnumber%5D=1&page%5Bsize%5D=50", world.api.base());
    let tail = format!(
        r#"],"meta":{{"total_records":3,"api_version":"2026-04-16"}},"links":{{"first":"{page}","last":"{page}"}}}}"#
    );
    assert!(answer.text.ends_with(&tail), "{}", answer.text);
    assert!(answer.text.starts_with(r#"{"data":[{"id":""#));
}

#[tokio::test]
async fn case_05_an_empty_list_has_one_page() {
    let world = World::start().await;
    let page = format!("{}{TRUNKS}?page%5Bnumber%5D=1&page%5Bsize%5D=50", world.api.base());
    assert_eq!(
        world.api.get(TRUNKS).await.text,
        format!(
            r#"{{"data":[],"meta":{{"total_records":0,"api_version":"2026-04-16"}},"links":{{"first":"{page}","last":"{page}"}}}}"#
        )
    );
}

#[tokio::test]
async fn case_11_the_first_page_leads_on_and_not_back() {
    let world = three().await;
    let answer = world.api.get(&format!("{TRUNKS}?page[size]=1")).await;
    assert_eq!(names(&answer), ["A"]);
    assert_eq!(links(&answer), pages(&[("first", 1), ("next", 2), ("last", 3)]));
}

#[tokio::test]
async fn case_12_the_last_page_leads_back_and_not_on() {
    let world = three().await;
    let answer = world.api.get(&format!("{TRUNKS}?page[number]=2&page[size]=2")).await;
    assert_eq!(names(&answer), ["C"]);
    assert_eq!(links(&answer), pages(&[("first", 1), ("prev", 1), ("last", 2)]));
    let middle = world.api.get(&format!("{TRUNKS}?page[number]=2&page[size]=1")).await;
    assert_eq!(links(&middle), pages(&[("first", 1), ("prev", 1), ("next", 3), ("last", 3)]));
}

#[tokio::test]
async fn beyond_the_last_page_the_list_is_empty_and_leads_back() {
    let world = three().await;
    let answer = world.api.get(&format!("{TRUNKS}?page[number]=9&page[size]=2")).await;
    assert_eq!((names(&answer).len(), answer.at("/meta/total_records")), (0, json!(3)));
    assert_eq!(links(&answer), pages(&[("first", 1), ("prev", 8), ("last", 2)]));
    let far = world.api.get(&format!("{TRUNKS}?page[number]=18446744073709551615&page[size]=1000")).await;
    assert_eq!((far.status, names(&far).len()), (200, 0));
}

#[tokio::test]
async fn case_13_a_page_of_a_thousand_is_served() {
    let world = three().await;
    let answer = world.api.get(&format!("{TRUNKS}?page[size]=1000")).await;
    assert_eq!(names(&answer).len(), 3);
    assert!(answer.at("/links/first").as_str().unwrap().ends_with("page%5Bnumber%5D=1&page%5Bsize%5D=1000"));
}

fn page_value(detail: &str) -> Expected {
    error(400, "118", "Invalid page value", detail)
}

#[tokio::test]
async fn case_14_a_larger_page_is_refused() {
    let world = World::start().await;
    for size in ["1001", "18446744073709551615"] {
        let answer = world.api.get(&format!("{TRUNKS}?page[size]={size}")).await;
        refused(&answer, &[page_value("size exceeds maximum page size of 1000.")]);
    }
}

#[tokio::test]
async fn case_15_a_page_below_one_is_refused() {
    let world = World::start().await;
    for (value, read) in [("0", 0), ("-1", -1), ("two", 0), ("0.5", 0), ("", 0)] {
        for name in ["number", "size"] {
            let answer = world.api.get(&format!("{TRUNKS}?page[{name}]={value}")).await;
            let detail = format!("{read} is not a valid value for {name} page parameter.");
            refused(&answer, &[page_value(&detail)]);
        }
    }
}

#[tokio::test]
async fn case_16_another_page_parameter_is_refused_each_by_its_name() {
    let world = World::start().await;
    let of = |name: &str| {
        let detail = format!("{name} is not an allowed page parameter.");
        error(400, "105", "Page parameter not allowed", &detail)
    };
    refused(&world.api.get(&format!("{TRUNKS}?page[offset]=1")).await, &[of("offset")]);
    let two = world.api.get(&format!("{TRUNKS}?page[offset]=1&page[limit]=2")).await;
    refused(&two, &[of("offset"), of("limit")]);
}

#[tokio::test]
async fn brackets_may_be_written_in_percent_form() {
    let world = three().await;
    let plain = world.api.get(&format!("{TRUNKS}?filter[name]=A,B&page[size]=1&sort=-name")).await;
    let encoded =
        world.api.get(&format!("{TRUNKS}?filter%5Bname%5D=A%2CB&page%5Bsize%5D=1&sort=%2Dname")).await;
    assert_eq!(names(&plain), ["B"]);
    assert_eq!(plain.text, encoded.text);
}

#[tokio::test]
async fn links_repeat_the_query_in_alphabetical_order() {
    let world = three().await;
    let query = "sort=-created_at&page[size]=1&include=dids&filter[name_contains]=&fields[voice_out_trunks]=name,dids&x=1";
    let answer = world.api.get(&format!("{TRUNKS}?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let expected = "?fields%5Bvoice_out_trunks%5D=name%2Cdids&filter%5Bname_contains%5D=&include=dids\
                    &page%5Bnumber%5D=1&page%5Bsize%5D=1&sort=-created_at";
    assert_eq!(answer.at("/links/first"), format!("{}{TRUNKS}{expected}", world.api.base()));
}

#[tokio::test]
async fn following_next_visits_each_record_once() {
    let world = three().await;
    let mut path = format!("{TRUNKS}?page[size]=1&sort=-name");
    let mut visited = Vec::new();
    loop {
        let answer = world.api.get(&path).await;
        visited.extend(names(&answer));
        let Value::String(next) = answer.at("/links/next") else { break };
        path = next.strip_prefix(world.api.base()).unwrap().to_owned();
    }
    assert_eq!(visited, ["C", "B", "A"]);
}

#[tokio::test]
async fn case_17_an_unknown_filter_is_refused() {
    let world = World::start().await;
    let answer = world.api.get(&format!("{TRUNKS}?filter[bogus]=1")).await;
    assert_eq!(
        answer.text,
        r#"{"errors":[{"title":"Filter not allowed","detail":"bogus is not allowed.","code":"102","status":"400"}]}"#
    );
    assert_eq!(answer.status, 400);
    let dotted = world.api.get(&format!("{TRUNKS}?filter[a.b]=1")).await;
    refused(&dotted, &[error(400, "102", "Filter not allowed", "b is not allowed.")]);
}

#[tokio::test]
async fn a_filter_without_a_name_is_refused() {
    let world = World::start().await;
    let answer = world.api.get(&format!("{TRUNKS}?filter=name")).await;
    let detail = "name is not a valid syntax for filtering.";
    refused(&answer, &[error(400, "120", "Invalid filters syntax", detail)]);
}

#[tokio::test]
async fn case_18_a_value_outside_a_filters_list_is_refused() {
    let world = World::start().await;
    let value = |value: &str, filter: &str| {
        error(400, "107", "Invalid filter value", &format!("{value} is not a valid value for {filter}."))
    };
    for (filter, wrong) in [
        ("on_cli_mismatch_action", "nope"),
        ("allow_any_did_as_cli", "yes"),
        ("status", "Active"),
        ("status", "active,blocked"),
        ("threshold_reached", ""),
        ("default_dst_action", "allow"),
        ("media_encryption_mode", "srtp"),
        ("authentication_method.type", "digest"),
    ] {
        let answer = world.api.get(&format!("{TRUNKS}?filter[{filter}]={wrong}")).await;
        refused(&answer, &[value(wrong, filter)]);
    }
}

#[tokio::test]
async fn case_19_a_comma_list_means_any_of_its_values() {
    let world = three().await;
    assert_eq!(names(&world.api.get(&format!("{TRUNKS}?filter[name]=A,B")).await), ["A", "B"]);
    assert_eq!(names(&world.api.get(&format!("{TRUNKS}?filter[name]=a")).await).len(), 0);
}

#[tokio::test]
async fn quotes_keep_a_comma_in_a_filter_and_text_that_is_no_csv_is_one_value() {
    let world = three().await;
    for name in ["A,B", "5\" pipe", " B"] {
        world.trunk(name).await;
    }
    for (value, found) in [
        ("%22A,B%22", vec!["A,B"]),
        ("%22A,B%22,C", vec!["C", "A,B"]),
        ("A,%20B", vec!["A", " B"]),
        ("5%22%20pipe", vec!["5\" pipe"]),
        ("%225%22%22%20pipe%22", vec!["5\" pipe"]),
    ] {
        assert_eq!(names(&world.api.get(&format!("{TRUNKS}?filter[name]={value}")).await), found, "{value}");
    }
}

#[tokio::test]
async fn several_filters_must_all_hold() {
    let world = three().await;
    world.created(&with(credentials("AB"), json!({ "status": "blocked" }))).await;
    let answer = world.api.get(&format!("{TRUNKS}?filter[name_contains]=A&filter[status]=active")).await;
    assert_eq!((names(&answer), answer.at("/meta/total_records")), (vec!["A".to_owned()], json!(1)));
}

#[tokio::test]
async fn every_filter_of_trunks_finds_what_it_names() {
    let feature = didww_types::Feature::RandomizeCli;
    let world = World::of(engine::builder().feature(feature)).await;
    let changed = json!({
        "status": "blocked", "allow_any_did_as_cli": true, "on_cli_mismatch_action": "reject_call",
        "default_dst_action": "reject_all", "media_encryption_mode": "zrtp", "external_reference_id": "ref 7",
    });
    let id = world.created(&with(twilio("changed"), changed)).await.id();
    world.trunk("plain").await;
    for filter in [
        format!("id={id}"),
        format!("id={UNKNOWN},{id}"),
        "name=changed".to_owned(),
        "name_contains=hang".to_owned(),
        "on_cli_mismatch_action=reject_call,randomize_cli".to_owned(),
        "allow_any_did_as_cli=true".to_owned(),
        "status=blocked".to_owned(),
        "default_dst_action=reject_all".to_owned(),
        "media_encryption_mode=zrtp".to_owned(),
        "authentication_method.type=twilio".to_owned(),
        "authentication_method.type=ip_only,twilio".to_owned(),
        "external_reference_id=ref+7".to_owned(),
    ] {
        let (name, value) = filter.split_once('=').unwrap();
        let answer = world.api.get(&format!("{TRUNKS}?filter[{name}]={value}")).await;
        assert_eq!(names(&answer), ["changed"], "{filter}");
    }
    for filter in ["filter[threshold_reached]=false", "filter[id]="] {
        let answer = world.api.get(&format!("{TRUNKS}?{filter}")).await;
        assert_eq!(names(&answer).len(), if filter.ends_with("false") { 2 } else { 0 }, "{filter}");
    }
    let unnamed = world.api.get(&format!("{TRUNKS}?filter[external_reference_id]=")).await;
    assert_eq!(names(&unnamed), ["plain"], "a blank value means null or empty");
}

#[tokio::test]
async fn case_20_trunks_are_filtered_by_their_kind_of_authentication_since_2026_04_16() {
    let world = World::start().await;
    world.trunk("credentials").await;
    world.created(&twilio("twilio")).await;
    let path = format!("{TRUNKS}?filter[authentication_method.type]=twilio");
    assert_eq!(names(&world.api.get(&path).await), ["twilio"]);
    for version in ["2022-05-10", OLD] {
        let answer = world.api.at(Some(version)).get(&path).await;
        refused(&answer, &[error(400, "102", "Filter not allowed", "type is not allowed.")]);
    }
    let answer = world.api.at(Some(OLD)).get(&format!("{TRUNKS}?filter[external_reference_id]=1")).await;
    refused(&answer, &[error(400, "102", "Filter not allowed", "external_reference_id is not allowed.")]);
}

#[tokio::test]
async fn case_21_trunks_are_filtered_by_their_default_did() {
    let feature = didww_types::Feature::ReplaceCli;
    let world = World::of(engine::builder().feature(feature)).await;
    let did = world.did("37061498222").await;
    world.created(&replacing("with", &did)).await;
    world.trunk("without").await;
    let other = world.did("12025550143").await;
    let filtered =
        async |value: &str| names(&world.api.get(&format!("{TRUNKS}?filter[default_did.id]={value}")).await);
    assert_eq!(filtered(&did).await, ["with"]);
    assert_eq!(filtered(&other).await.len(), 0);
    assert_eq!(filtered(&format!("{other},{did}")).await, ["with"]);
    assert_eq!(filtered("").await, ["without"]);
    let plain = World::start().await;
    let did = plain.did("37061498222").await;
    assert_eq!(plain.api.get(&format!("{TRUNKS}?filter[default_did.id]={did}")).await.status, 200);
}

#[tokio::test]
async fn case_22_the_newest_comes_first_when_it_is_asked_for() {
    let world = three().await;
    let sorted = async |sort: &str| names(&world.api.get(&format!("{TRUNKS}?sort={sort}")).await);
    assert_eq!(sorted("-created_at,name").await, ["C", "B", "A"]);
    assert_eq!(sorted("created_at").await, ["A", "B", "C"]);
    assert_eq!(sorted("-name").await, ["C", "B", "A"]);
    world.created(&with(credentials("0"), json!({ "allow_any_did_as_cli": true }))).await;
    assert_eq!(sorted("-allow_any_did_as_cli,-name").await, ["0", "C", "B", "A"]);
    assert_eq!(sorted("threshold_reached,name").await, ["0", "A", "B", "C"]);
    world.created(&with(credentials("D"), json!({ "external_reference_id": "1" }))).await;
    assert_eq!(sorted("external_reference_id,-name").await, ["D", "C", "B", "A", "0"]);
}

#[tokio::test]
async fn case_23_a_list_is_not_sorted_by_every_attribute() {
    let world = World::start().await;
    for sort in ["capacity_limit", "-capacity_limit", "name,capacity_limit"] {
        let answer = world.api.get(&format!("{TRUNKS}?sort={sort}")).await;
        let detail = "capacity_limit is not a valid sort criteria for voice_out_trunks";
        refused(&answer, &[error(400, "114", "Invalid sort criteria", detail)]);
    }
    let answer = world.api.at(Some(OLD)).get(&format!("{TRUNKS}?sort=external_reference_id")).await;
    let detail = "external_reference_id is not a valid sort criteria for voice_out_trunks";
    refused(&answer, &[error(400, "114", "Invalid sort criteria", detail)]);
}

#[tokio::test]
async fn of_a_parameter_that_is_sent_twice_the_last_one_counts() {
    let world = three().await;
    let answer = world
        .api
        .get(&format!(
            "{TRUNKS}?filter[name]=A&sort=bogus&page[size]=0&filter[name]=B&sort=name&page[size]=7"
        ))
        .await;
    assert_eq!(names(&answer), ["B"]);
    assert_eq!(
        answer.at("/links/first"),
        format!(
            "{}{TRUNKS}?filter%5Bname%5D=B&page%5Bnumber%5D=1&page%5Bsize%5D=7&sort=name",
            world.api.base()
        )
    );
}

#[tokio::test]
async fn as_many_values_and_criteria_as_a_request_holds_are_answered() {
    let world = three().await;
    // As many values as fit into a request line.
    let many = |text: &str| vec![text; 14_000 / (text.len() + 1)].join(",");
    for query in [
        format!("filter[name]={}", many("A")),
        format!("filter[name_contains]={}", many("A")),
        format!("sort={}", many("name")),
        format!("include={}", many("dids")),
        format!("filter[id]={}", many(UNKNOWN)),
        vec!["filter[name_contains]=A"; 600].join("&"),
    ] {
        let answer = world.api.get(&format!("{TRUNKS}?{query}")).await;
        assert_eq!(answer.status, 200, "{} for {}", answer.text, &query[..30]);
    }
    let distinct: Vec<String> = (0..2_000).map(|number| format!("n{number}")).collect();
    for filter in ["name", "name_contains", "id"] {
        let answer = world.api.get(&format!("{TRUNKS}?filter[{filter}]={}", distinct.join(","))).await;
        assert_eq!(answer.status, 200, "{} for {filter}", answer.text);
    }
}

#[tokio::test]
async fn dids_are_filtered_and_sorted_in_every_version() {
    let world = World::of(engine::builder().version(ApiVersion::V2017_09_18)).await;
    let one = world.did("37061498222").await;
    let two = world.emergency_did("12025550143").await;
    let ids = |answer: &Answer| -> Vec<String> {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let data = answer.at("/data");
        data.as_array().unwrap().iter().map(|did| did["id"].as_str().unwrap().to_owned()).collect()
    };
    for version in ApiVersion::ALL {
        let api = world.api.at(Some(version.as_str()));
        assert_eq!(ids(&api.get(&format!("{DIDS}?sort=number")).await), [two.clone(), one.clone()]);
        assert_eq!(ids(&api.get(&format!("{DIDS}?filter[number]=37061498222,1")).await), [one.as_str()]);
        assert_eq!(ids(&api.get(&format!("{DIDS}?filter[terminated]=true")).await).len(), 0);
    }
    assert_eq!(ids(&world.api.get(&format!("{DIDS}?filter[emergency_enabled]=true")).await), [two]);
    let answer =
        world.api.at(Some("2022-05-10")).get(&format!("{DIDS}?filter[emergency_enabled]=true")).await;
    refused(&answer, &[error(400, "102", "Filter not allowed", "emergency_enabled is not allowed.")]);
}
