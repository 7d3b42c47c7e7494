//! Properties of every declaration.

use didww_client::{ApiVersion, Client};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use trunkctl::provision::{Clients, Declaration, Pace, apply, plan};

use crate::support::Service;

/// Values of an attribute in forms that the service stores in another one.
fn forms(version: ApiVersion) -> Vec<(&'static str, Vec<Value>)> {
    let mut forms = vec![
        ("on_cli_mismatch_action", vec![json!("reject_call"), json!("send_original_cli")]),
        ("status", vec![json!("active"), json!("blocked")]),
        ("threshold_amount", vec![json!("10"), json!("10.50"), json!(12.5), json!(7), json!("00.1")]),
        ("capacity_limit", vec![json!(1), json!("32"), json!(7.0), Value::Null]),
        ("rtp_ping", vec![json!(true), json!("true"), json!("1"), json!(0), json!("false")]),
        ("force_symmetric_rtp", vec![json!(true), json!(false)]),
        ("media_encryption_mode", vec![json!("disabled"), json!("srtp_sdes")]),
        ("dst_prefixes", vec![json!([]), json!(["44", "44", "49"]), json!(["0044"]), json!(["1", "2", "1"])]),
        ("allowed_rtp_ips", vec![Value::Null, json!(["10.0.0.9"]), json!(["10.1.2.3/8", "2001:DB8::1"])]),
        (
            "callback_url",
            vec![Value::Null, json!("http://example.com/a?b=%20"), json!("HTTPS://Example.com")],
        ),
    ];
    if version.has_corrected_rules() {
        forms.push(("rtp_timeout", vec![json!(30), json!("45"), json!(600)]));
        forms.push(("emergency_enable_all", vec![json!(false), json!("false")]));
        forms.push(("callback_url", vec![json!("example.com/hook")]));
    }
    forms
}

fn method(version: ApiVersion) -> impl Strategy<Value = Value> {
    let networks =
        ["203.0.113.7", "203.0.114.9/24", "10.1.2.3/8", "2001:DB8:0:0::5", "2001:db8:7::/48", "0.0.0.0/0"];
    let prefixes = if version.has_corrected_rules() {
        vec![None, Some(Value::Null), Some(json!("12")), Some(json!("0#"))]
    } else {
        vec![None, Some(Value::Null)]
    };
    (subsequence(networks.to_vec(), 1..=4), select(prefixes)).prop_map(|(networks, prefix)| {
        let mut attributes = json!({"allowed_sip_ips": networks});
        if let Some(prefix) = prefix {
            attributes["tech_prefix"] = prefix;
        }
        json!({"type": "credentials_and_ip", "attributes": attributes})
    })
}

fn trunk(version: ApiVersion) -> impl Strategy<Value = Value> {
    let forms = forms(version);
    let members: Vec<_> =
        forms.into_iter().map(|(name, values)| (Just(name), any::<bool>(), select(values))).collect();
    let numbers = subsequence(vec!["12025550143", "442079460018", "37061498222"], 0..=3);
    (members, method(version), proptest::option::of(numbers)).prop_map(|(members, method, numbers)| {
        let mut trunk = Map::from_iter([("authentication_method".to_owned(), method)]);
        for (name, is_declared, value) in members {
            if is_declared || name == "on_cli_mismatch_action" {
                trunk.insert(name.to_owned(), value);
            }
        }
        trunk.extend(numbers.map(|numbers| ("dids".to_owned(), json!(numbers))));
        Value::Object(trunk)
    })
}

/// Trunks and a number by name, some of which are in one declaration and not in the next.
fn declaration(version: ApiVersion) -> impl Strategy<Value = Value> {
    let descriptions = select(vec![json!("Sales"), json!(""), Value::Null, json!("Sales, \"North\"\n")]);
    let trunks = vec((select(vec!["Berlin", "Paris, Nord", "Rome: \"Sud\""]), trunk(version)), 0..=3);
    (trunks, descriptions, any::<bool>()).prop_map(|(trunks, description, has_owner)| {
        let trunks: Map<String, Value> =
            trunks.into_iter().map(|(name, trunk)| (name.to_owned(), trunk)).collect();
        let mut file = json!({"voice_out_trunks": trunks, "dids": {"37061498222": {"description": description,
            "capacity_limit": 5}}});
        if has_owner {
            file["owner"] = json!("netops");
        }
        file
    })
}

/// Applies each declaration to the same account, one after the other, and plans again.
fn a_second_plan_is_empty(version: ApiVersion) {
    let service = Service::start();
    let client = Client::builder(service.server.base_url(), service.server.api_key());
    let client = Clients::from(client.api_version(version).build().unwrap());
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let pace = Pace { parallel: 3, keeps_going: false };
    let prunes = version.has_corrected_rules();
    let outcome = runner.run(&declaration(version), |file| {
        let declared = Declaration::of(file.as_object().unwrap().clone()).unwrap();
        let prunes = prunes && declared.owner.is_some();
        service.runtime.block_on(async {
            let first = plan(&client, &declared, prunes).await.unwrap();
            let applied = apply(&client, first, pace).await;
            prop_assert!(applied.is_complete(), "{:?}", applied.actions);
            let second = plan(&client, &declared, prunes).await.unwrap();
            prop_assert!(second.actions.is_empty(), "{:?}", second.actions);
            Ok(())
        })
    });
    outcome.unwrap();
}

#[test]
fn a_plan_after_apply_is_empty_whatever_forms_the_values_have() {
    a_second_plan_is_empty(ApiVersion::NEWEST);
}

#[test]
fn a_plan_after_apply_is_empty_in_the_flat_form_too() {
    a_second_plan_is_empty(ApiVersion::V2022_05_10);
}
