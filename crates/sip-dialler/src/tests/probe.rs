//! Tests of probes.

use std::time::Duration;

use tokio::net::TcpListener;

use super::carrier::Carrier;
use super::{DiallerConfig, config, mapped, start};
use crate::ProbeError;

#[tokio::test]
async fn any_response_to_the_single_datagram_is_a_success() {
    for status in ["200 OK", "404 Not Found", "503 Service Unavailable", "100 Trying"] {
        let mut carrier = Carrier::udp().await;
        let dialler = mapped(carrier.address).await;
        let answer = async {
            let options = carrier.expect("OPTIONS").await;
            carrier.answer(&options, status, "", "").await;
            options
        };
        let (probed, options) = tokio::join!(dialler.probe("carrier.example.com"), answer);
        assert_eq!(probed.unwrap().to_string(), status[..3]);
        let local = dialler.address();
        assert_eq!(options.start, "OPTIONS sip:healthcheck@carrier.example.com SIP/2.0");
        assert_eq!(options.header("To"), "<sip:healthcheck@carrier.example.com>");
        assert!(
            options.header("From").starts_with(&format!("<sip:healthcheck@{local}>;tag=")),
            "{options:?}"
        );
        assert_eq!((options.header("CSeq"), options.header("Max-Forwards")), ("1 OPTIONS", "70"));
        assert_eq!(options.header("Contact"), format!("<sip:{local};transport=udp>"));
        assert_eq!(options.header("Content-Length"), "0");
    }
}

#[tokio::test]
async fn a_probe_fails_for_a_host_that_is_silent_or_unknown_or_cannot_be_dialled() {
    let mut carrier = Carrier::udp().await;
    let hosts = [("silent.example.com".to_owned(), carrier.address.to_string())].into();
    let dialler = start(DiallerConfig { hosts, probe_timeout: Duration::from_millis(700), ..config() }).await;
    assert_eq!(dialler.probe("silent.example.com").await, Err(ProbeError::Silent));
    carrier.expect("OPTIONS").await;
    carrier.hears_nothing_for(super::ROUND_TRIP).await;
    assert_eq!(dialler.probe("::1").await, Err(ProbeError::Unresolved));
    for name in ["", "a b", "user@silent.example.com", "silent.example.com;transport=ws"] {
        assert_eq!(dialler.probe(name).await, Err(ProbeError::Hostname), "{name}");
    }
    let probed = dialler.probe("nowhere.invalid").await;
    assert!(matches!(probed, Err(ProbeError::Unresolved | ProbeError::Silent)), "{probed:?}");
}

#[tokio::test]
async fn a_probe_follows_srv_records_as_a_call_does() {
    let mut carrier = Carrier::udp().await;
    let services = vec![(10, "a.example.com", carrier.address.port()), (20, "nowhere.example.com", 9)];
    let dialler = super::transports::with_names(services).await;
    let answer = async {
        let options = carrier.expect("OPTIONS").await;
        carrier.answer(&options, "200 OK", "", "").await;
        options
    };
    let (probed, options) = tokio::join!(dialler.probe("voice.example.com"), answer);
    assert_eq!((probed, options.uri()), (Ok(200), "sip:healthcheck@voice.example.com"));
}

#[tokio::test]
async fn a_probe_does_not_wait_for_hosts_of_the_srv_records_that_it_does_not_need() {
    let mut carrier = Carrier::udp().await;
    let services = vec![
        (10, "a.example.com", carrier.address.port()),
        (20, "silent1.example.com", 9),
        (30, "silent2.example.com", 9),
        (40, "silent3.example.com", 9),
    ];
    let dialler = super::transports::with_names(services).await;
    let answer = async {
        let options = carrier.expect("OPTIONS").await;
        carrier.answer(&options, "200 OK", "", "").await;
    };
    let (probed, ()) = tokio::join!(dialler.probe("voice.example.com"), answer);
    assert_eq!(probed, Ok(200));
}

#[tokio::test]
async fn a_probe_uses_the_port_and_the_transport_of_the_hostname_as_a_call_does() {
    let dialler = start(config()).await;
    let mut carrier = Carrier::udp().await;
    for hostname in [format!("{}", carrier.address), format!("sip:{};transport=udp", carrier.address)] {
        let answer = async {
            let options = carrier.expect("OPTIONS").await;
            carrier.answer(&options, "200 OK", "", "").await;
            options
        };
        let (probed, options) = tokio::join!(dialler.probe(&hostname), answer);
        assert_eq!((probed, options.uri().contains("transport")), (Ok(200), false), "{hostname}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hostname = format!("{};transport=tcp", listener.local_addr().unwrap());
    let answer = async {
        let mut carrier = Carrier::accept(&listener).await;
        let options = carrier.expect("OPTIONS").await;
        carrier.answer(&options, "200 OK", "", "").await;
        options
    };
    let (probed, options) = tokio::join!(dialler.probe(&hostname), answer);
    assert_eq!(probed, Ok(200));
    assert_eq!(options.uri(), format!("sip:healthcheck@{hostname}"));
    assert!(options.header("Via").starts_with("SIP/2.0/TCP"), "{options:?}");
}
