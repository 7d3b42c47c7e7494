//! The order of checks, and the errors that are reported together.

use http::Method;
use serde_json::json;

use crate::support::api::Answer;
use crate::support::world::*;

/// A request that breaks every rule, corrected one rule at a time.
#[tokio::test]
async fn the_checks_come_in_their_documented_order() {
    let world = World::start().await;
    let trunk = world.trunk("A").await;
    world.trunk("B").await;
    let (right_type, right_accept) = ("application/vnd.api+json", "application/vnd.api+json");
    let wrong = "text/plain";
    let (bad_fields, bad_include) = ("fields[bogus]=x&include=bogus", "include=bogus");
    let links = |id: &str, data: &str| {
        format!(
            r#"{{"data":{{"id":"{id}","type":"voice_out_trunks","attributes":{{"name":"B"}},"relationships":{{"dids":{{"data":{data}}}}}}}}}"#
        )
    };
    let member = r#"[{"type":"dids","id":"1"}]"#;
    let other = UNKNOWN;
    let renamed = links(&trunk, "[]");
    let steps: Vec<(&str, bool, &str, &str, &str, String, &str)> = vec![
        ("401", false, wrong, wrong, bad_fields, "{".into(), other),
        ("415", true, wrong, wrong, bad_fields, "{".into(), other),
        ("406", true, right_type, wrong, bad_fields, "{".into(), other),
        ("101", true, right_type, right_accept, bad_fields, "{".into(), other),
        ("112", true, right_type, right_accept, bad_include, "{".into(), other),
        ("400", true, right_type, right_accept, "", "{".into(), other),
        ("400", true, right_type, right_accept, "", "[]".into(), other),
        ("106", true, right_type, right_accept, "", "{}".into(), other),
        ("122", true, right_type, right_accept, "", r#"{"data":"x"}"#.into(), other),
        ("109", true, right_type, right_accept, "", r#"{"data":{"type":"dids","bogus":1}}"#.into(), other),
        ("110", true, right_type, right_accept, "", r#"{"data":{"id":"1","type":"dids"}}"#.into(), other),
        (
            "101",
            true,
            right_type,
            right_accept,
            "",
            format!(r#"{{"data":{{"id":"{other}","type":"dids","bogus":1}}}}"#),
            other,
        ),
        (
            "105",
            true,
            right_type,
            right_accept,
            "",
            format!(
                r#"{{"data":{{"id":"{other}","type":"voice_out_trunks","relationships":{{"dids":7}},"attributes":{{"bogus":1}}}}}}"#
            ),
            other,
        ),
        ("115", true, right_type, right_accept, "", links(other, "7"), other),
        ("116", true, right_type, right_accept, "", links(other, r#"[{"type":"orders","id":"1"}]"#), other),
        ("404", true, right_type, right_accept, "", links(other, member), other),
        ("100", true, right_type, right_accept, "", links(&trunk, member), &trunk),
        ("100", true, right_type, right_accept, "", renamed, &trunk),
    ];
    for (place, (code, key, content, accept, query, body, id)) in steps.into_iter().enumerate() {
        let api = if key { world.api.clone() } else { world.api.with_key(None) };
        let path = format!("{TRUNKS}/{id}?{query}");
        let mut request = api.request(Method::PATCH, &path).body(body).build().unwrap();
        request.headers_mut().insert("content-type", content.parse().unwrap());
        request.headers_mut().insert("accept", accept.parse().unwrap());
        let answer = world.api.execute(request).await;
        assert_eq!(answer.at("/errors/0/code"), code, "step {place}: {}", answer.text);
        assert_eq!(answer.at("/errors/1"), json!(null), "step {place}: {}", answer.text);
    }
    let free = patch(&trunk, json!({ "name": "C" }));
    assert_eq!(world.api.patch(&format!("{TRUNKS}/{trunk}"), &free).await.status, 200);
}

fn codes(answer: &Answer) -> Vec<String> {
    let errors = answer.at("/errors");
    errors.as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn wrong_includes_filters_and_pages_are_reported_together_in_that_order() {
    let world = World::start().await;
    let query = "page[size]=0&page[x]=1&filter[a]=1&filter[status]=x&include=a,b&page[number]=0";
    let answer = world.api.get(&format!("{TRUNKS}?{query}")).await;
    assert_eq!(
        (answer.status, codes(&answer)),
        (400, ["112", "112", "102", "107", "105"].map(str::to_owned).to_vec()),
        "the paginator checks no value beside an unknown name"
    );
    let answer = world.api.get(&format!("{TRUNKS}?page[size]=0&filter[a]=1&include=a&page[number]=0")).await;
    assert_eq!(codes(&answer), ["112", "102", "118"]);
}

#[tokio::test]
async fn a_wrong_sort_ends_the_reading() {
    let world = World::start().await;
    let query = "page[size]=0&filter[a]=1&include=a&sort=x,y";
    let answer = world.api.get(&format!("{TRUNKS}?{query}")).await;
    assert_eq!((answer.status, codes(&answer)), (400, ["112", "102", "114"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn wrong_fields_are_reported_alone() {
    let world = World::start().await;
    let query = "page[size]=0&filter[a]=1&include=a&sort=x&fields[dids]=x";
    let answer = world.api.get(&format!("{TRUNKS}?{query}")).await;
    assert_eq!(codes(&answer), ["104"]);
}

#[tokio::test]
async fn broken_rules_are_reported_together_relationships_after_attributes() {
    let world = World::start().await;
    let did = world.did("37061498222").await;
    let sent = json!({
        "rtp_timeout": 1, "name": "", "allow_any_did_as_cli": true, "on_cli_mismatch_action": "replace_cli",
    });
    let body = linking(with(credentials("A"), sent), "dids", dids(&[&did]));
    let body = linking(body, "emergency_dids", dids(&[&did]));
    let member = format!("emergency_dids/{did}");
    refused(
        &world.api.post(TRUNKS, &body).await,
        &[
            attribute("on_cli_mismatch_action", "is not included in the list"),
            attribute("name", "can't be blank"),
            attribute("rtp_timeout", "must be greater than or equal to 30"),
            relationship("dids", "must be blank"),
            relationship(&member, "does not support Emergency feature"),
        ],
    );
}

#[tokio::test]
async fn a_path_that_is_not_served_is_said_before_the_key_is_looked_at() {
    let world = World::start().await;
    refused(&world.api.with_key(None).get("/nothing").await, &[no_route()]);
    refused(&world.api.with_key(None).delete(TRUNKS).await, &[unauthorised()]);
}
