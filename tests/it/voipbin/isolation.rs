//! Customers cannot read, use or be notified of another customer's records.

use serde_json::{Value, json};
use trunk_server::control::ControlError;
use trunk_server::control::customers::TokenKind;
use trunk_server::voipbin::{ENDPOINTS, Needs};
use uuid::Uuid;

use super::caller::Caller;
use super::carrier::{Carrier, Incoming};
use super::refusal::*;
use super::stage::*;

/// Two customers on one server, and a carrier.
struct Neighbours {
    stage: Stage,
    carrier: Carrier,
    ours: Uuid,
    theirs: Uuid,
    us: Caller,
    them: Caller,
}

impl Neighbours {
    async fn meet() -> Self {
        let carrier = Carrier::start().await;
        let hosts = [("ours.example.com", carrier.at), ("theirs.example.com", carrier.at)];
        let stage = Stage::hosting(&hosts).await;
        let (ours, theirs) = (stage.customer("ours").await, stage.customer("theirs").await);
        let (us, them) = (stage.agent(ours, ADMIN).await, stage.agent(theirs, ADMIN).await);
        allow(&us).await;
        allow(&them).await;
        stage.number(ours, US_TOO).await;
        stage.number(theirs, "+12125550199").await;
        Self { stage, carrier, ours, theirs, us, them }
    }

    /// Places an answered call of the other customer.
    async fn up(&mut self) -> (String, Incoming) {
        let actions = json!([{ "type": "answer" }, { "type": "sleep", "option": { "duration": 3_600_000 } }]);
        let body = json!({
            "source": tel("+12125550199"), "destinations": [sip("bob", self.carrier.at)], "actions": actions,
        });
        let id = first_call(&self.them.post("/calls", &body).await.ok());
        let mut incoming = self.carrier.call().await;
        incoming.answer().await;
        call_is(&self.them, &id, "progressing").await;
        (id, incoming)
    }
}

#[tokio::test]
async fn anothers_call_is_not_ones_own_whoever_asks() {
    let mut near = Neighbours::meet().await;
    let (id, _incoming) = near.up().await;
    let before = call(&near.them, &id).await;
    let callers = [
        near.us.clone(),
        near.stage.agent(near.ours, MANAGER).await,
        near.stage.agent(near.ours, 0xFFF0).await,
        near.stage.key(near.ours, None).await,
        near.stage.holder(near.ours, TokenKind::Delegate),
    ];
    let about_one = ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.needs == Needs::CustomerAdminOrManager)
        .filter(|endpoint| endpoint.path.starts_with("/calls/{id}"));
    let mut asked = 0;
    for endpoint in about_one {
        let path = endpoint.path.replace("{id}", &id);
        for caller in &callers {
            caller.send(endpoint.method, &path, "").await.refused(&permission_denied());
            asked += 1;
        }
    }
    assert_eq!(asked, 3 * callers.len());
    for caller in &callers {
        assert!(caller.get("/calls").await.rows().is_empty());
        // A filter by the other customer does not help.
        let query = format!("/calls?customer_id={}", near.theirs);
        assert!(caller.get(&query).await.rows().is_empty());
    }
    assert_eq!(call(&near.them, &id).await, before);
    // A super admin is allowed to.
    assert_eq!(call(&near.stage.sa, &id).await, before);
    near.stage.sa.send("POST", &format!("/calls/{id}/hangup"), "").await.ok();
    assert_eq!(call_ends(&near.them, &id).await.1, "local");
}

/// The platform answers 403 for a record of another customer, and 404 for one that does not exist.
#[tokio::test]
async fn no_endpoint_shows_or_changes_a_record_of_another_customer() {
    const NAME: &str = "theirs alone";
    const NUMBER: &str = "+12125550111";
    let mut near = Neighbours::meet().await;
    let (call_id, _incoming) = near.up().await;
    let flow = json!({ "name": NAME, "actions": [{ "type": "answer" }] });
    let flow = near.them.post("/flows", &flow).await.id();
    let key = near.them.post("/accesskeys", &json!({ "name": NAME, "expire": 86_400 })).await.id();
    let number = near.stage.number(near.theirs, NUMBER).await;
    let provider = near.stage.provider("theirs.example.com").await;
    let id_below = |path: &str| match path.split('/').nth(1) {
        Some("calls" | "timelines") => call_id.clone(),
        Some("flows") => flow.clone(),
        Some("accesskeys") => key.clone(),
        Some("numbers") => number.clone(),
        Some("providers") => provider.clone(),
        _ => UNKNOWN.to_owned(),
    };
    let own = [
        format!("/calls/{call_id}"),
        format!("/flows/{flow}"),
        format!("/accesskeys/{key}"),
        format!("/numbers/{number}"),
    ];
    let mut before = Vec::new();
    for path in &own {
        before.push(near.them.get(path).await.ok());
    }
    let callers = [near.us.clone(), near.stage.agent(near.ours, MANAGER).await];
    let mut asked = 0;
    for endpoint in ENDPOINTS {
        let path = endpoint.path.replace("{resource_type}", "calls");
        let is_about_one = path.contains('{');
        let path = ["{id}", "{resource_id}", "{call_id}"]
            .iter()
            .fold(path, |path, name| path.replace(*name, &id_below(endpoint.path)));
        assert!(!path.contains('{'), "{path}");
        if !is_about_one && endpoint.method != "GET" {
            continue;
        }
        let body = if ["GET", "DELETE"].contains(&endpoint.method) { "" } else { r#"{"name":"ours"}"# };
        for caller in &callers {
            let answer = caller.send(endpoint.method, &path, body).await;
            assert!(
                !answer.text.contains(NAME) && !answer.text.contains(NUMBER),
                "{} {path}: {}",
                endpoint.method,
                answer.text
            );
            if is_about_one {
                let is_refused = (400..500).contains(&answer.status);
                assert!(is_refused, "{} {path}: {} {}", endpoint.method, answer.status, answer.text);
                asked += 1;
            }
        }
    }
    assert!(asked > 40, "{asked}");
    for (path, before) in own.iter().zip(before) {
        assert_eq!(near.them.get(path).await.ok(), before, "{path}");
    }
}

#[tokio::test]
async fn lists_of_calls_are_each_customers_own() {
    let mut near = Neighbours::meet().await;
    let (theirs, _incoming) = near.up().await;
    let body = json!({ "source": tel(US_TOO), "destinations": [sip("bob", near.carrier.at)] });
    let ours = first_call(&near.us.post("/calls", &body).await.ok());
    assert_eq!(near.us.get("/calls").await.column("id"), [ours]);
    assert_eq!(near.them.get("/calls").await.column("id"), [theirs]);
    assert!(
        near.stage.sa.get("/calls").await.rows().is_empty(),
        "a super admin's list is its own customer's"
    );
}

#[tokio::test]
async fn each_customer_reads_and_changes_its_own_config() {
    let near = Neighbours::meet().await;
    let theirs = near.them.get("/outbound_config").await.text;
    let changed = json!({ "destination_whitelist": ["kr"], "name": "ours", "customer_id": near.theirs });
    let ours = near.us.put("/outbound_config", &changed).await.ok();
    assert_eq!(ours["customer_id"], json!(near.ours));
    assert_eq!(near.them.get("/outbound_config").await.text, theirs);
    let path = format!("/outbound_config?customer_id={}", near.theirs);
    assert_eq!(near.us.get(&path).await.ok(), ours);
    // The super admin's own config is that of its own customer.
    assert_eq!(near.stage.sa.get("/outbound_config").await.ok()["customer_id"], json!(near.stage.admin));
}

#[tokio::test]
async fn anothers_whitelist_allows_nothing() {
    let near = Neighbours::meet().await;
    near.us.put("/outbound_config", &json!({ "destination_whitelist": [] })).await.ok();
    let body = json!({ "source": tel(US_TOO), "destinations": [tel(US)] });
    let refusal = invalid("outbound destination country not whitelisted");
    near.us.post("/calls", &body).await.refused(&refusal);
    assert_eq!(near.carrier.untaken(), 0);
}

#[tokio::test]
async fn anothers_number_is_no_source() {
    let mut near = Neighbours::meet().await;
    let provider = near.stage.provider("ours.example.com").await;
    near.stage.route(BASIC, "all", &provider, 0).await;
    let body = |number: &str| json!({ "source": tel(number), "destinations": [tel(US)] });
    near.us.post("/calls", &body("+12125550199")).await.refused_because("source");
    near.us.post("/calls", &body(US_TOO)).await.ok();
    assert!(near.carrier.call().await.invite.header("From").unwrap().contains(US_TOO));
    near.them.post("/calls", &body("+12125550199")).await.ok();
    assert!(near.carrier.call().await.invite.header("From").unwrap().contains("+12125550199"));
    assert_eq!(near.carrier.untaken(), 0);
}

#[tokio::test]
async fn anothers_flow_cannot_be_run() {
    let mut near = Neighbours::meet().await;
    let (id, _incoming) = near.up().await;
    let flow = call(&near.them, &id).await["flow_id"].clone();
    assert_ne!(flow, ZERO);
    let body = json!({
        "source": tel(US_TOO), "destinations": [sip("bob", near.carrier.at)], "flow_id": flow,
    });
    near.us.post("/calls", &body).await.refused(&permission_denied());
    assert!(near.us.get("/calls").await.rows().is_empty());
    near.them.post("/calls", &body).await.ok();
    assert_eq!(near.carrier.call().await.invite.method(), "INVITE");
}

#[tokio::test]
async fn anothers_routes_are_not_taken() {
    let mut near = Neighbours::meet().await;
    let [ours, theirs] =
        [near.stage.provider("ours.example.com").await, near.stage.provider("theirs.example.com").await];
    near.stage.route(&near.theirs.to_string(), "+1", &theirs, 0).await;
    near.stage.route(BASIC, "all", &ours, 9).await;
    let body = |number: &str| json!({ "source": tel(number), "destinations": [tel(US)] });
    near.us.post("/calls", &body(US_TOO)).await.ok();
    let incoming = near.carrier.call().await;
    assert!(incoming.uri().contains("@ours."), "{}", incoming.uri());
    near.them.post("/calls", &body("+12125550199")).await.ok();
    let incoming = near.carrier.call().await;
    assert!(incoming.uri().contains("@theirs."), "{}", incoming.uri());
}

#[tokio::test]
async fn a_super_admins_provider_call_is_its_own_customers() {
    let mut near = Neighbours::meet().await;
    near.stage.allow().await;
    let provider = near.stage.provider("ours.example.com").await;
    let another = near.stage.agent(near.theirs, SUPER_ADMIN | ADMIN).await;
    let place = async |caller: &Caller| {
        let body = json!({ "provider_id": provider, "source": tel(US), "destinations": [tel(US)] });
        caller.post("/providercalls", &body).await.ok()
    };
    let (first, second): (Value, Value) = (place(&near.stage.sa).await, place(&another).await);
    assert_eq!(first["customer_id"], json!(near.stage.admin));
    assert_eq!(second["customer_id"], json!(near.theirs));
    near.carrier.call().await;
    near.carrier.call().await;
    // The list of provider calls is the platform's; the calls belong to each customer.
    for caller in [&near.stage.sa, &another] {
        assert_eq!(caller.get("/providercalls").await.rows(), [second.clone(), first.clone()]);
    }
    let path = format!("/calls/{}", first_call(&second));
    assert_eq!(near.them.get(&path).await.ok()["customer_id"], json!(near.theirs));
    near.us.get(&path).await.refused(&permission_denied());
    let path = format!("/calls/{}", first_call(&first));
    near.them.get(&path).await.refused(&permission_denied());
}

#[tokio::test]
async fn who_belongs_to_a_deleted_customer_is_nobody_from_the_next_request_on() {
    let near = Neighbours::meet().await;
    let callers = [
        near.us.clone(),
        near.stage.agent(near.ours, SUPER_ADMIN | ADMIN).await,
        near.stage.key(near.ours, None).await,
        near.stage.holder(near.ours, TokenKind::Delegate),
        near.stage.holder(near.ours, TokenKind::Direct),
    ];
    near.stage.control().delete_customer(near.ours).await.unwrap();
    let body = json!({ "source": tel(US_TOO), "destinations": [sip("bob", near.carrier.at)] });
    for caller in &callers {
        caller.get("/outbound_config").await.refused(&invalid_credentials());
        caller.post("/calls", &body).await.refused(&invalid_credentials());
    }
    assert_eq!(near.carrier.untaken(), 0);
    near.them.get("/outbound_config").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_a_customer_that_come_together_take_turns() {
    let stage = Stage::start().await;
    let customer = stage.customer("one").await;
    for _ in 0..30 {
        let number: Uuid = stage.number(customer, "+12125550100").await.parse().unwrap();
        let removals = (0..8).map(|_| {
            let control = stage.control();
            tokio::spawn(async move { control.remove_phone_number(customer, number).await })
        });
        let outcomes: Vec<_> = removals.collect();
        let mut removed = 0;
        for outcome in outcomes {
            match outcome.await.unwrap() {
                Ok(()) => removed += 1,
                Err(error) => assert!(matches!(error, ControlError::NotFound(_)), "{error:?}"),
            }
        }
        assert_eq!(removed, 1);
    }
    let ensure = || {
        let control = stage.control();
        tokio::spawn(
            async move { control.ensure_super_admin("twin", "battery staple".to_owned().into()).await },
        )
    };
    let (first, second) = tokio::join!(ensure(), ensure());
    assert_eq!(first.unwrap().unwrap(), second.unwrap().unwrap(), "there is one agent, of one customer");
}
