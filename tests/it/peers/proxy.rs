//! A phone behind Kamailio: the proxy answers the trunk's challenge. Its configuration is the one in the
//! documentation.

use serde_json::{Value, json};

use super::baresip::{Account, Baresip};
use super::free_port;
use super::kamailio::Kamailio;
use crate::sip::certificates::Certificates;
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, Trunk, credentials, until};

/// The configuration that `docs/recipes/kamailio.md` prints.
const CONFIG: &str = include_str!("../../../docs/kamailio.cfg");
/// Its statements that relay an INVITE to the trunk.
const RELAY: &str = "    $du = \"TRUNK_URI\";\n    t_relay();\n";

/// The documented configuration, with the settings that a reader has to change replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    let mut config = CONFIG.to_owned();
    for (printed, own) in changes {
        assert_eq!(config.matches(&format!("!{printed}!g")).count(), 1, "{printed} is to be changed");
        config = config.replace(&format!("!{printed}!g"), &format!("!{own}!g"));
    }
    config
}

async fn proxy(edge: &Edge, made: &Certificates, transport: &str, trunk: &Trunk) -> Kamailio {
    proxy_with(edge, made, transport, trunk, |config| config).await
}

/// The same with a further change of the configuration.
async fn proxy_with(
    edge: &Edge,
    made: &Certificates,
    transport: &str,
    trunk: &Trunk,
    change: impl FnOnce(String) -> String,
) -> Kamailio {
    let to = if transport == "tls" { edge.binary.sip_tls.unwrap() } else { edge.sip };
    Kamailio::start(|at| {
        let std::net::IpAddr::V4(address) = at.ip() else { panic!("a test's address is of IPv4") };
        let config = changed(&[
            ("127.0.0.1:5080", &at.to_string()),
            ("127.0.0.1:5081", &format!("{address}:{}", free_port(address))),
            ("sip:127.0.0.1:5060;transport=udp", &format!("sip:{to};transport={transport}")),
            ("username", &trunk.username),
            ("password", &trunk.password),
            ("/etc/ssl/certs/ca-certificates.crt", &made.path("ca.pem")),
            ("/etc/kamailio/certificate.pem", &made.path("cert.pem")),
            ("/etc/kamailio/key.pem", &made.path("key.pem")),
        ]);
        // Equivalent to `-A WITH_TLS`.
        let with_tls = config.replacen('\n', "\n#!define WITH_TLS\n", 1);
        change(if transport == "tls" { with_tls } else { config })
    })
    .await
}

/// A phone that calls through Kamailio, over UDP.
async fn phone_behind(kamailio: &Kamailio, parameters: &str) -> Baresip {
    Baresip::start(&Account {
        number: FOREIGN_NUMBER,
        domain: kamailio.at.to_string(),
        transport: "udp",
        parameters,
        ..Account::default()
    })
    .await
}

#[tokio::test]
async fn a_phone_behind_kamailio_talks_over_every_transport_by_credentials_and_by_address() {
    let made = Certificates::make();
    let (certificate, key) = (made.path("cert.pem"), made.path("key.pem"));
    let arguments =
        ["--sip-tls-listen", "127.0.0.1:0", "--tls-cert", certificate.as_str(), "--tls-key", key.as_str()];
    let edge = Edge::with_arguments(&arguments).await;
    let trunk = edge.trunk(json!({})).await;
    for by_address in [false, true] {
        if by_address {
            edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
        }
        for (number, transport) in ["udp", "tcp", "tls"].into_iter().enumerate() {
            let kamailio = proxy(&edge, &made, transport, &trunk).await;
            let mut phone = phone_behind(&kamailio, "").await;
            phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{}", kamailio.at)).await;
            phone.hears().await;
            if !by_address && transport == "tcp" {
                phone.holds_and_resumes().await;
            }
            // Kamailio's retransmissions cause no second call, and either side can end the call.
            let active = edge.active().await;
            assert_eq!(active.len(), 1, "{active:?}");
            if by_address {
                let id = active[0]["id"].as_str().unwrap();
                edge.control.delete(&format!("/calls/active/{id}")).await;
                let closed = phone.event("CALL_CLOSED").await;
                assert_eq!(closed["type"], "CALL_CLOSED", "{}", kamailio.log());
            } else {
                phone.hang_up().await;
            }
            let count = number + 1 + 3 * usize::from(by_address);
            let record = edge.record(&trunk, count).await;
            assert_eq!(record["success"], true, "{record}");
            assert_eq!(record["source_protocol"], transport);
            assert_eq!(edge.records(&trunk).await.len(), count, "nothing was refused on the way");
        }
    }
}

#[tokio::test]
async fn a_tech_prefix_is_dialled_by_the_lines_that_the_recipe_adds() {
    let recipe = crate::docs::pages::read("docs/recipes/kamailio.md");
    let (_, recipe) = recipe.split_once("\n## With a tech prefix\n").unwrap();
    let lines: Vec<&str> = recipe.lines().filter(|line| line.starts_with("    $rU = ")).collect();
    let [plain, escaped] = lines[..] else { panic!("{lines:?}") };
    let made = Certificates::make();
    let edge = Edge::start().await;
    for (prefix, line) in [("99", plain), ("9#", escaped)] {
        let method = credentials(&["127.0.0.0/8"], Some(prefix));
        let trunk = edge.trunk(json!({ "authentication_method": method })).await;
        let kamailio = proxy_with(&edge, &made, "udp", &trunk, |config| {
            config.replace(RELAY, &format!("{line}\n{RELAY}"))
        })
        .await;
        let mut phone = phone_behind(&kamailio, "").await;
        phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{}", kamailio.at)).await;
        phone.hears().await;
        phone.hang_up().await;
        let record = edge.record(&trunk, 1).await;
        assert_eq!(record["success"], true, "{record}\n{}", kamailio.log());
    }
}

#[tokio::test]
async fn an_invite_that_kamailio_sends_on_two_branches_is_one_call() {
    let made = Certificates::make();
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    edge.ip_only(&trunk, &["127.0.0.0/8"]).await;
    let kamailio = proxy_with(&edge, &made, "udp", &trunk, |config| {
        assert_eq!(config.matches(RELAY).count(), 1, "one place relays an INVITE");
        // The new branch takes the destination with it, so the first one is given its own again.
        let forks = format!("    $du = \"TRUNK_URI\";\n    append_branch();\n{RELAY}");
        let config = config.replace(RELAY, &forks);
        config.replace("loadmodule \"uac.so\"\n", "loadmodule \"uac.so\"\nloadmodule \"corex.so\"\n")
    })
    .await;
    let mut phone = phone_behind(&kamailio, "").await;
    phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{}", kamailio.at)).await;
    phone.hears().await;
    let active = edge.active().await;
    assert_eq!(active.len(), 1, "{active:?}");
    let query = format!("/attempts?call_id={}&outcome=refused", active[0]["call_id"].as_str().unwrap());
    let refused = until("the refusal of the other branch", async || {
        Some(edge.control.get(&query).await.at("/attempts/0")).filter(Value::is_object)
    })
    .await;
    assert_eq!(refused["code"], 482, "{refused}\n{}", kamailio.log());
    phone.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["success"], true);
    assert_eq!((edge.records(&trunk).await.len(), edge.counts().await[2]), (1, 1), "one call, one record");
}

#[tokio::test]
async fn a_phone_behind_kamailio_that_insists_on_srtp_is_answered_with_it() {
    let made = Certificates::make();
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({ "media_encryption_mode": "srtp_sdes" })).await;
    let kamailio = proxy(&edge, &made, "udp", &trunk).await;
    let mut phone = phone_behind(&kamailio, "mediaenc=srtp-mand").await;
    phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{}", kamailio.at)).await;
    let media = until("encrypted packets of the phone", async || {
        let media = edge.active().await.first()?["media"].clone();
        (media["packets_received"].as_u64()? > 10).then_some(media)
    })
    .await;
    assert_eq!((&media["encryption"], &media["unauthenticated"]), (&json!("sdes"), &json!(0)), "{media}");
    phone.hang_up().await;
    assert_eq!(edge.record(&trunk, 1).await["success"], true);
}
