//! The reference data that a start loads.

use std::path::PathBuf;

use serde_json::json;
use trunk_server::config::{Config, Database, ReferenceData};
use trunk_server::{Server, StartError};

use crate::support::api::{Api, NEW};

fn config(folder: &std::path::Path, data: ReferenceData) -> Config {
    let mut config = Config::default();
    "127.0.0.1:0".clone_into(&mut config.listen);
    config.control_listen = None;
    config.sip = None;
    config.database = Database::File(folder.join("reference.db"));
    config.api_key = Some("reference".to_owned().into());
    config.reference_data = data;
    config
}

async fn start(folder: &std::path::Path, data: ReferenceData) -> (Server, Api) {
    let server = Server::builder(config(folder, data)).start().await.unwrap();
    let api = Api::new(server.base_url(), "reference").at(Some(NEW));
    (server, api)
}

#[tokio::test]
async fn the_data_of_the_program_leads_from_a_country_to_a_price() {
    let folder = tempfile::tempdir().unwrap();
    let (server, api) = start(folder.path(), ReferenceData::Demo).await;
    assert_eq!(api.get("/countries").await.at("/data").as_array().unwrap().len(), 249);
    let germany = api.get("/countries?filter[iso]=DE&filter[is_available]=true").await;
    let id = germany.at("/data/0/id");
    let path = format!(
        "/did_groups?filter[country.id]={}&filter[area_name]=berlin&include=stock_keeping_units,city.area,address_requirement",
        id.as_str().unwrap()
    );
    let berlin = api.get(&path).await;
    assert_eq!(berlin.at("/meta/total_records"), 1, "{}", berlin.text);
    let included = berlin.at("/included");
    let mut kinds: Vec<&str> =
        included.as_array().unwrap().iter().map(|record| record["type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    let expected = ["address_requirements", "areas", "cities", "stock_keeping_units", "stock_keeping_units"];
    assert_eq!(kinds, expected);
    let prefixes = api.get("/nanpa_prefixes?filter[npa]=212&filter[did_group.is_available]=true").await;
    assert_ne!(prefixes.at("/meta/total_records"), 0, "{}", prefixes.text);
    // The examples of the official SDKs order a number of this prefix.
    let prefix = api.get("/nanpa_prefixes?filter[npanxx]=201221&page[number]=1&page[size]=1").await;
    let id = prefix.at("/data/0/id");
    let path =
        format!("/did_groups?filter[nanpa_prefix.id]={}&include=stock_keeping_units", id.as_str().unwrap());
    let group = api.get(&path).await;
    assert_eq!(group.at("/included/0/type"), "stock_keeping_units", "{}", group.text);
    let path = format!("/available_dids?filter[nanpa_prefix.id]={}", id.as_str().unwrap());
    assert_eq!(api.get(&path).await.at("/meta/total_count"), 2);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_file_is_loaded_at_each_start_and_replaces_what_it_states_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.jsonl");
    let line = |id: u32, name: &str| {
        let id = format!("00000000-0000-4000-8000-{id:012}");
        json!({ "type": "countries", "id": id, "attributes": { "name": name, "prefix": null, "iso": "X" } })
            .to_string()
    };
    std::fs::write(&path, format!("{}\n\n{}\n", line(1, "North"), line(2, "South"))).unwrap();
    let (server, api) = start(folder.path(), ReferenceData::File(path.clone())).await;
    let before = api.get("/countries").await.at("/data/1");
    server.stop().await.unwrap();
    std::fs::write(&path, format!("{}\n{}\n", line(2, "South"), line(3, "West"))).unwrap();
    let (server, api) = start(folder.path(), ReferenceData::File(path.clone())).await;
    let names = api.get("/countries").await.at("/data");
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|one| one["attributes"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["North", "South", "West"]);
    let after = api.get("/countries").await.at("/data/1");
    for member in ["id", "attributes"] {
        assert_eq!(after[member], before[member]);
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_file_with_a_wrong_line_is_named_with_the_line_and_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.jsonl");
    for (line, why) in [
        ("{", "EOF while parsing"),
        (
            r#"{"type":"dids","id":"00000000-0000-4000-8000-000000000001"}"#,
            "`dids` is not a type of reference data",
        ),
        (
            r#"{"type":"pops","id":"00000000-0000-4000-8000-000000000001"}"#,
            "`pops` is not a type of reference data",
        ),
        (r#"{"type":"areas","id":"00000000-0000-4000-8000-000000000001"}"#, "`name` is missing"),
        (
            r#"{"type":"areas","id":"00000000-0000-4000-8000-000000000001","attributes":{"colour":"red"}}"#,
            "`colour` is not an attribute of areas",
        ),
        (
            r#"{"type":"nanpa_prefixes","id":"00000000-0000-4000-8000-000000000001","attributes":{"npa":"123","nxx":"211"}}"#,
            "`npa` is invalid",
        ),
        (
            r#"{"type":"countries","id":"00000000-0000-4000-8000-000000000001","attributes":{"name":"N","prefix":null,"iso":"N"},"relationships":{"regions":[]}}"#,
            "`regions` is not a relationship of countries that is stored",
        ),
    ] {
        std::fs::write(&path, format!("\n{line}\n")).unwrap();
        let error = started(folder.path(), path.clone()).await;
        let text = error.to_string();
        assert!(text.contains(&format!("wrong.jsonl could not be loaded: line 2: {why}")), "{text}");
    }
    let error = started(folder.path(), folder.path().join("absent")).await;
    assert!(error.to_string().contains("the file cannot be read"), "{error}");
}

async fn started(folder: &std::path::Path, file: PathBuf) -> StartError {
    Server::builder(config(folder, ReferenceData::File(file))).start().await.unwrap_err()
}
