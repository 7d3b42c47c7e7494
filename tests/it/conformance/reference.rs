//! Reference data, which every account can read and none can change, and an account's balance.

use didww_types::ApiVersion;
use serde_json::{Value, json};
use trunk_server::TestServer;
use trunk_server::control::{NewAccount, RecordMembers};
use uuid::Uuid;

use crate::support::api::{Answer, NEW, OLD, TOKENS};
use crate::support::world::*;

/// A server whose account is at the oldest version, so that a request can select any.
async fn oldest() -> World {
    World::of(TestServer::builder().version(ApiVersion::V2017_09_18)).await
}

async fn put(world: &World, kind: &str, members: RecordMembers) -> Uuid {
    world.server.control().put_record(None, kind, None, members).await.unwrap()
}

fn named(name: &str) -> RecordMembers {
    RecordMembers::default().attribute("name", name)
}

async fn country(world: &World, name: &str, iso: &str) -> Uuid {
    put(world, "countries", named(name).attribute("prefix", "1").attribute("iso", iso)).await
}

/// The values of an attribute of the listed records.
fn values(answer: &Answer, attribute: &str) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.at("/data");
    data.as_array().unwrap().iter().map(|record| record["attributes"][attribute].clone()).collect()
}

async fn listed(world: &World, version: &str, path: &str, attribute: &str) -> Vec<Value> {
    values(&world.api.at(Some(version)).get(path).await, attribute)
}

#[tokio::test]
async fn the_letters_of_a_name_count_before_2022_05_10() {
    let world = World::start().await;
    let country = RecordMembers::default().attribute("name", "Utopia").attribute("iso", "UT");
    let country = world.server.control().put_record(None, "countries", None, country).await.unwrap();
    let group = RecordMembers::default().attribute("area_name", "Amaurot").relationship("country", [country]);
    world.server.control().put_record(None, "did_groups", None, group).await.unwrap();
    for (version, found) in [(OLD, 0), ("2022-05-10", 1), (NEW, 1)] {
        let api = world.api.at(Some(version));
        for (path, name) in
            [("/countries?filter[name]", "Utopia"), ("/did_groups?filter[area_name]", "Amaurot")]
        {
            let of = async |name: &str| {
                let list = api.get(&format!("{path}={name}")).await.at("/data");
                list.as_array().unwrap().len()
            };
            let other = format!("Elsewhere,{}", name.to_uppercase());
            assert_eq!((of(name).await, of(&other).await), (1, found), "{path} at {version}");
        }
    }
}

#[tokio::test]
async fn n68_a_page_of_cities_and_areas_has_1000_records_and_of_others_50() {
    let world = World::start().await;
    let paths = [("/cities", 1000), ("/areas", 1000), ("/did_groups", 50), ("/nanpa_prefixes", 50)];
    for (version, (path, size)) in
        [NEW, TOKENS].into_iter().flat_map(|version| paths.map(|path| (version, path)))
    {
        let api = world.api.at(Some(version));
        let first = api.get(path).await.at("/links/first");
        assert!(first.as_str().unwrap().ends_with(&format!("page%5Bsize%5D={size}")), "{path} {first}");
        let most = if size == 1000 { 1000 } else { 100 };
        assert_eq!(api.get(&format!("{path}?page[size]={most}")).await.status, 200);
        let detail = format!("size exceeds maximum page size of {most}.");
        let above = api.get(&format!("{path}?page[size]={}", most + 1)).await;
        refused(&above, &[error(400, "118", "Invalid page value", &detail)]);
    }
}

#[tokio::test]
async fn n83_pops_and_group_types_end_with_2026_04_16() {
    let world = oldest().await;
    for (path, count, first) in [("/pops", 7, "USA, NY"), ("/did_group_types", 6, "Local")] {
        for version in ApiVersion::ALL {
            let api = world.api.at(Some(version.as_str()));
            let answer = api.get(path).await;
            if version > ApiVersion::V2026_04_16 {
                refused(&answer, &[no_route()]);
                continue;
            }
            let names = values(&answer, "name");
            assert_eq!((names.len(), &names[0]), (count, &json!(first)), "{path} at {version}");
        }
    }
    refused(&world.api.at(Some(TOKENS)).get("/did_group_types").await, &[no_route()]);
    let types =
        world.api.at(Some(NEW)).get("/did_group_types?filter[name]=Mobile,Toll-free&sort=-name").await;
    assert_eq!(values(&types, "name"), ["Toll-free", "Mobile"]);
    refused(&world.api.at(Some(NEW)).get(&format!("/pops/{UNKNOWN}")).await, &[no_route()]);
}

#[tokio::test]
async fn a_list_without_pages_has_all_records_and_neither_links_nor_a_total() {
    let world = World::start().await;
    for number in 0..60 {
        country(&world, &format!("Country {number:02}"), &format!("X{number:02}")).await;
    }
    for query in ["", "?page[size]=7", "?page[number]=9", "?page[size]=0", "?page=bogus"] {
        let answer = world.api.at(Some(TOKENS)).get(&format!("/countries{query}")).await;
        assert_eq!(values(&answer, "iso").len(), 60, "{query}");
        assert_eq!(answer.at("/links"), Value::Null);
        assert_eq!(answer.at("/meta"), json!({ "api_version": TOKENS }));
    }
}

#[tokio::test]
async fn countries_are_found_by_name_in_any_letters_and_by_what_can_be_bought() {
    let world = oldest().await;
    let [cordoba, other] =
        [country(&world, "Côte d'Ivoire", "CI").await, country(&world, "Cuba", "CU").await];
    put(&world, "regions", named("Abidjan").attribute("iso", "CI-AB").relationship("country", [cordoba]))
        .await;
    let group = |country, available| {
        RecordMembers::default()
            .attribute("area_name", "National")
            .relationship("country", [country])
            .meta("is_available", available)
    };
    put(&world, "did_groups", group(cordoba, true)).await;
    put(&world, "did_groups", group(other, false)).await;
    for version in ApiVersion::ALL {
        let of = async |query: &str| {
            listed(&world, version.as_str(), &format!("/countries?sort=iso&{query}"), "iso").await
        };
        assert_eq!(of("filter[name]=C%C3%B4te%20d%27Ivoire").await, ["CI"], "{version}");
        if version >= ApiVersion::V2022_05_10 {
            assert_eq!(of("filter[name]=C%C3%94TE%20D%27IVOIRE").await, ["CI"], "{version}");
            assert_eq!(of("filter[name]=c%C3%B4te%20d%27ivoire,CUBA").await, ["CI", "CU"], "{version}");
        }
        assert_eq!(of("filter[name]=c%C3%B4te").await, [""; 0], "{version}");
        assert_eq!(of("filter[iso]=CU").await, ["CU"], "{version}");
        assert_eq!(of("filter[is_available]=true").await, ["CI"], "{version}");
        assert_eq!(of("filter[is_available]=false").await, ["CU"], "{version}");
        let api = world.api.at(Some(version.as_str()));
        let answer = api.get(&format!("/countries/{cordoba}?include=regions")).await;
        assert_eq!(answer.at("/included/0/attributes/iso"), "CI-AB", "{version}");
        assert_eq!(
            answer.at("/data/relationships/regions/data/0"),
            identifier("regions", answer.at("/included/0/id").as_str().unwrap())
        );
        let regions = api.get(&format!("/countries/{other}/regions")).await;
        assert_eq!(values(&regions, "iso"), [""; 0], "{version}");
    }
}

#[tokio::test]
async fn n86_groups_are_found_by_the_type_of_their_numbers_in_the_form_of_each_version() {
    let world = oldest().await;
    for (area, kind) in [("One", "mobile"), ("Two", "local"), ("Three", "toll_free")] {
        let members = RecordMembers::default().attribute("area_name", area).attribute("number_type", kind);
        put(&world, "did_groups", members).await;
    }
    let newest =
        async |query: &str| listed(&world, TOKENS, &format!("/did_groups?{query}"), "area_name").await;
    assert_eq!(newest("filter[number_type]=local,mobile").await, ["One", "Two"]);
    assert_eq!(newest("sort=-number_type").await, ["Three", "One", "Two"]);
    let api = world.api.at(Some(NEW));
    let detail = "number_type is not allowed.";
    let answer = api.get("/did_groups?filter[number_type]=local,mobile").await;
    refused(&answer, &[error(400, "102", "Filter not allowed", detail)]);
    let types = api.get("/did_group_types?filter[name]=Mobile").await;
    let mobile = types.at("/data/0/id");
    let path =
        format!("/did_groups?filter[did_group_type.id]={}&include=did_group_type", mobile.as_str().unwrap());
    let found = api.get(&path).await;
    assert_eq!(values(&found, "area_name"), ["One"]);
    assert_eq!(found.at("/data/0/relationships/did_group_type/data/id"), mobile);
    assert_eq!(found.at("/included/0"), types.at("/data/0"));
    let sorted = api.get("/did_groups?sort=did_group_type.name").await;
    assert_eq!(values(&sorted, "area_name"), ["Two", "One", "Three"]);
    for no_type in [UNKNOWN, "mobile"] {
        let none = api.get(&format!("/did_groups?filter[did_group_type.id]={no_type}")).await;
        assert_eq!(values(&none, "area_name"), [""; 0], "{no_type}");
    }
}

#[tokio::test]
async fn a_number_is_found_from_its_country_to_its_price() {
    let world = oldest().await;
    let [us, ca] = [country(&world, "United States", "US").await, country(&world, "Canada", "CA").await];
    let state = named("New Jersey").attribute("iso", "US-NJ").relationship("country", [us]);
    let state = put(&world, "regions", state).await;
    let city = named("Jersey City").relationship("country", [us]).relationship("region", [state]);
    let city = put(&world, "cities", city).await;
    let prefix = RecordMembers::default()
        .attribute("npa", "201")
        .attribute("nxx", "221")
        .relationship("country", [us])
        .relationship("region", [state]);
    let prefix = put(&world, "nanpa_prefixes", prefix).await;
    let price =
        RecordMembers::default().attribute("monthly_price", "1.5").attribute("channels_included_count", 2);
    let price = put(&world, "stock_keeping_units", price).await;
    let group = RecordMembers::default()
        .attribute("area_name", "Jersey City")
        .attribute("features", json!(["voice_in", "sms_in"]))
        .relationship("country", [us])
        .relationship("region", [state])
        .relationship("city", [city])
        .relationship("nanpa_prefixes", [prefix])
        .relationship("stock_keeping_units", [price])
        .meta("is_available", true)
        .meta("total_count", 3);
    put(&world, "did_groups", group).await;
    let other = RecordMembers::default().attribute("area_name", "Toronto").relationship("country", [ca]);
    put(&world, "did_groups", other).await;

    let api = world.api.at(Some(TOKENS));
    let areas =
        async |query: &str| listed(&world, TOKENS, &format!("/did_groups?{query}"), "area_name").await;
    assert_eq!(areas("sort=country.name").await, ["Toronto", "Jersey City"]);
    assert_eq!(areas("sort=-country.name").await, ["Jersey City", "Toronto"]);
    for found in [
        format!("filter[nanpa_prefix.id]={prefix}"),
        "filter[nanpa_prefix.npanxx]=201221".to_owned(),
        "filter[nanpa_prefix.npanxx]=999999,201221".to_owned(),
        format!("filter[city.id]={city}&filter[region.id]={state}"),
        "filter[area_name]=JERSEY%20city".to_owned(),
        "filter[meta.total_count_gteq]=3".to_owned(),
    ] {
        assert_eq!(areas(&found).await, ["Jersey City"], "{found}");
    }
    let whole = api
        .get("/did_groups?filter[is_available]=true&include=stock_keeping_units,city.region.country")
        .await;
    let included = whole.at("/included");
    let mut kinds: Vec<&str> =
        included.as_array().unwrap().iter().map(|record| record["type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["cities", "countries", "regions", "stock_keeping_units"]);
    let sku =
        included.as_array().unwrap().iter().find(|record| record["type"] == "stock_keeping_units").unwrap();
    let shown = json!({ "setup_price": "0.0", "monthly_price": "1.5", "channels_included_count": 2 });
    assert_eq!(sku["attributes"], shown);
    for path in ["/stock_keeping_units", "/qty_based_pricings"] {
        refused(&api.get(path).await, &[no_route()]);
        refused(&api.get(&format!("{path}/{price}")).await, &[no_route()]);
    }
    // The link that only filters follow.
    assert_eq!(whole.at("/data/0/relationships/nanpa_prefixes"), Value::Null);
    assert_eq!(api.get("/did_groups?include=nanpa_prefixes").await.status, 400);

    let prefixes =
        async |query: &str| listed(&world, TOKENS, &format!("/nanpa_prefixes?{query}"), "nxx").await;
    for found in [
        "filter[did_group.features]=sms_in,voice_in",
        "filter[did_group.is_available]=true",
        "filter[npanxx]=1221",
        "filter[npa]=201&sort=nxx",
    ] {
        assert_eq!(prefixes(found).await, ["221"], "{found}");
    }
    for nothing in
        ["filter[did_group.features]=t38", "filter[did_group.is_available]=false", "filter[npanxx]=12212"]
    {
        assert_eq!(prefixes(nothing).await, [""; 0], "{nothing}");
    }
    let other = RecordMembers::default()
        .attribute("area_name", "Hoboken")
        .attribute("features", json!(["voice_in", "t38"]))
        .relationship("country", [us])
        .relationship("nanpa_prefixes", [prefix]);
    put(&world, "did_groups", other).await;
    let of_one_group = "filter[did_group.features]=t38,voice_in";
    assert_eq!(prefixes(of_one_group).await, ["221"]);
    let of_two_groups = "/nanpa_prefixes?filter[did_group.features]=t38,sms_in";
    for version in [NEW, TOKENS] {
        assert_eq!(listed(&world, version, of_two_groups, "nxx").await, [""; 0], "{version}");
    }
    let older = "2022-05-10";
    assert_eq!(listed(&world, older, of_two_groups, "nxx").await, ["221"], "either of them is enough");
    let cities =
        listed(&world, TOKENS, "/cities?filter[is_available]=true&filter[name]=jersey%20CITY", "name").await;
    assert_eq!(cities, ["Jersey City"]);
}

#[tokio::test]
async fn cities_of_several_areas_and_several_forms_are_found_from_2026_04_16_on() {
    let world = World::start().await;
    let home = country(&world, "United States", "US").await;
    let mut areas = Vec::new();
    for name in ["One", "Two", "Three"] {
        let area = put(&world, "areas", named(name).relationship("country", [home])).await;
        put(&world, "cities", named(name).relationship("country", [home]).relationship("area", [area])).await;
        let form = named(name).attribute("url", "https://example.com/form.pdf");
        put(&world, "supporting_document_templates", form).await;
        areas.push(area);
    }
    let cities = format!("/cities?filter[area.id]={},{}&sort=name", areas[0], areas[2]);
    for version in [NEW, TOKENS] {
        assert_eq!(listed(&world, version, &cities, "name").await, ["One", "Three"], "{version}");
        let forms = "/supporting_document_templates?filter[name]=One,Three&sort=name";
        assert_eq!(listed(&world, version, forms, "name").await, ["One", "Three"], "{version}");
    }
    let of_one = format!("/cities?filter[area.id]={}", areas[1]);
    assert_eq!(listed(&world, "2022-05-10", &of_one, "name").await, ["Two"]);
}

#[tokio::test]
async fn an_account_has_one_balance_that_no_other_account_reads() {
    let world = World::start().await;
    let control = world.server.control();
    let balance = async |version| world.api.at(Some(version)).get("/balance").await;
    let none = json!({ "balance": "0.00", "credit": "0.00", "total_balance": "0.00" });
    assert_eq!(balance(TOKENS).await.at("/data/attributes"), none);
    let members = RecordMembers::default().attribute("balance", "60.25").attribute("credit", "10.5");
    let id = control.put_record(Some(world.server.account()), "balances", None, members).await.unwrap();
    assert_eq!(id, world.server.account());
    for version in TRUNK_VERSIONS {
        let answer = balance(version).await;
        let shown = json!({ "balance": "60.25", "credit": "10.50", "total_balance": "70.75" });
        assert_eq!(
            answer.at("/data"),
            json!({ "id": id.to_string(), "type": "balances", "attributes": shown }),
            "{version}"
        );
        assert_eq!(answer.at("/meta"), json!({ "api_version": version }));
    }
    let some = world.api.get("/balance?fields[balances]=credit").await;
    assert_eq!(some.at("/data/attributes"), json!({ "credit": "10.50" }));
    let (account, key) = control.create_account(NewAccount::named("other")).await.unwrap();
    let other = world.api.with_key(Some(key.expose()));
    assert_eq!(other.get("/balance").await.at("/data/attributes"), none);
    let no_credit = RecordMembers::default().attribute("credit", "-0.5");
    assert!(control.put_record(Some(account.id), "balances", None, no_credit).await.is_err());
    let in_debt = RecordMembers::default().attribute("balance", "-37.5").attribute("credit", "50");
    control.put_record(Some(account.id), "balances", None, in_debt).await.unwrap();
    let shown = json!({ "balance": "-37.50", "credit": "50.00", "total_balance": "12.50" });
    assert_eq!(other.get("/balance").await.at("/data/attributes"), shown);
    for path in [format!("/balance/{id}"), "/balances".to_owned(), format!("/balances/{id}")] {
        refused(&world.api.get(&path).await, &[no_route()]);
    }
    refused(
        &world.api.patch("/balance", &update("balances", &id.to_string(), json!({}))).await,
        &[no_route()],
    );
    let computed = RecordMembers::default().attribute("total_balance", "1.0");
    let error =
        control.put_record(Some(world.server.account()), "balances", None, computed).await.unwrap_err();
    assert_eq!(error.to_string(), "`total_balance` is computed and cannot be set");
}

#[tokio::test]
async fn requirements_have_another_name_and_other_words_up_to_2022_05_10() {
    let world = oldest().await;
    let land = country(&world, "Germany", "DE").await;
    let members = RecordMembers::default()
        .attribute("number_type", "mobile")
        .attribute("identity_type", "business")
        .attribute("address_area_level", "world_wide")
        .attribute("business_area_level", "country")
        .relationship("country", [land]);
    let id = put(&world, "address_requirements", members).await;
    for version in ApiVersion::ALL {
        let api = world.api.at(Some(version.as_str()));
        let (old, new) = (
            api.get(&format!("/requirements/{id}")).await,
            api.get(&format!("/address_requirements/{id}")).await,
        );
        if version < ApiVersion::V2021_04_19 {
            refused(&old, &[no_route()]);
            refused(&new, &[no_route()]);
        } else if version <= ApiVersion::V2022_05_10 {
            refused(&new, &[no_route()]);
            assert_eq!(old.at("/data/type"), "requirements", "{version}");
            assert_eq!(old.at("/data/attributes/identity_type"), "Business", "{version}");
            assert_eq!(old.at("/data/attributes/address_area_level"), "WorldWide", "{version}");
            assert_eq!(old.at("/data/attributes/personal_area_level"), Value::Null, "{version}");
            let link = old.at("/data/relationships/country/links/self");
            assert!(link.as_str().unwrap().contains("/v3/requirements/"), "{link}");
        } else {
            refused(&old, &[no_route()]);
            assert_eq!(new.at("/data/type"), "address_requirements", "{version}");
            assert_eq!(new.at("/data/attributes/address_area_level"), "world_wide", "{version}");
        }
    }
}

#[tokio::test]
async fn n98_proof_types_cannot_be_sorted() {
    let world = World::start().await;
    for version in [NEW, TOKENS] {
        let answer = world.api.at(Some(version)).get("/proof_types?sort=name").await;
        let detail = "name is not a valid sort criteria for proof_types";
        refused(&answer, &[error(400, "114", "Invalid sort criteria", detail)]);
    }
}
