//! A phone behind Kamailio: the proxy answers the trunk's challenge. Its configuration is the one in the
//! documentation.

use serde_json::json;

use super::baresip::{Account, Baresip};
use super::free_port;
use super::kamailio::Kamailio;
use crate::sip::certificates::Certificates;
use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, FOREIGN_NUMBER, Trunk};

/// The configuration in `docs/calls.md`.
const CONFIG: &str = include_str!("../../../docs/kamailio.cfg");

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
        if transport == "tls" { config.replacen('\n', "\n#!define WITH_TLS\n", 1) } else { config }
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
            let domain = kamailio.at.to_string();
            let account = Account {
                number: FOREIGN_NUMBER,
                domain: domain.clone(),
                transport: "udp",
                ..Account::default()
            };
            let mut phone = Baresip::start(&account).await;
            phone.call(&format!("sip:{ANSWERS_AT_ONCE}@{domain}")).await;
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
