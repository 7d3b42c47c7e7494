//! Groups of inbound trunks that older versions of the API made, and places that staff stored beside those of DIDWW.

use serde_json::json;
use trunk_server::control::RecordMembers;

use super::inbound::{GROUPS, IN_TRUNKS, group, made, sip, with_trunks};
use crate::support::api::{NEW, OLD};
use crate::support::world::*;

#[tokio::test]
async fn a_group_with_more_than_a_hundred_trunks_is_deleted_with_all_of_them() {
    let world = World::start().await;
    let (older, newer) = (world.api.at(Some(OLD)), world.api.at(Some(NEW)));
    let mut trunks = Vec::new();
    for number in 0..101 {
        trunks.push(made(&older, IN_TRUNKS, &sip(&format!("T{number}"))).await);
    }
    let trunks: Vec<&str> = trunks.iter().map(String::as_str).collect();
    let id = made(&older, GROUPS, &with_trunks(group("G"), &trunks)).await;
    assert_eq!(newer.get(IN_TRUNKS).await.at("/meta/total_records"), 101);
    assert_eq!(newer.delete(&format!("{GROUPS}/{id}")).await.status, 204);
    assert_eq!(newer.get(IN_TRUNKS).await.at("/meta/total_records"), json!(0));
}

#[tokio::test]
async fn a_group_is_deleted_with_a_thousand_trunks_and_not_with_one_more() {
    let world = World::start().await;
    let (older, newer) = (world.api.at(Some(OLD)), world.api.at(Some(NEW)));
    let mut trunks = Vec::new();
    for number in 0..1_001 {
        trunks.push(made(&older, IN_TRUNKS, &sip(&format!("T{number}"))).await);
    }
    let trunks: Vec<&str> = trunks.iter().map(String::as_str).collect();
    let id = made(&older, GROUPS, &with_trunks(group("G"), &trunks)).await;
    let path = format!("{GROUPS}/{id}");
    let why = "The record has more than 1000 others that are deleted with it.";
    refused(&newer.delete(&path).await, &[error(409, "409", "Conflict", why)]);
    assert_eq!(newer.get(IN_TRUNKS).await.at("/meta/total_records"), 1_001);
    let fewer = with_trunks(update("voice_in_trunk_groups", &id, json!({})), &trunks[1..]);
    assert_eq!(older.patch(&path, &fewer).await.status, 200);
    assert_eq!(newer.delete(&path).await.status, 204);
    assert_eq!(newer.get(IN_TRUNKS).await.at("/data/0/id"), trunks[0]);
    assert_eq!(newer.get(IN_TRUNKS).await.at("/meta/total_records"), 1);
}

#[tokio::test]
async fn no_trunk_can_be_in_a_place_that_staff_stored_because_no_text_names_it() {
    let world = World::start().await;
    let place = RecordMembers::default().attribute("name", "Room 9");
    let place = world.server.control().put_record(None, "pops", None, place).await.unwrap().to_string();
    for version in [OLD, NEW] {
        let api = world.api.at(Some(version));
        let listed = api.get(&format!("/pops?filter[id]={place}")).await;
        assert_eq!(listed.at("/data/0/attributes/name"), "Room 9", "{}", listed.text);
        let body = linking(sip("A"), "pop", identifier("pops", &place));
        refused(&api.post(IN_TRUNKS, &body).await, &[relationship("pop", "is invalid")]);
    }
}
