//! Tests of probes.

use std::time::Duration;

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
async fn a_probe_fails_for_a_host_that_is_silent_or_unknown_or_has_a_port() {
    let mut carrier = Carrier::udp().await;
    let hosts = [("silent.example.com".to_owned(), carrier.address.to_string())].into();
    let dialler = start(DiallerConfig { hosts, probe_timeout: Duration::from_millis(700), ..config() }).await;
    assert_eq!(dialler.probe("silent.example.com").await, Err(ProbeError::Silent));
    carrier.expect("OPTIONS").await;
    carrier.hears_nothing_for(super::ROUND_TRIP).await;
    assert_eq!(dialler.probe("silent.example.com:5070").await, Err(ProbeError::Port));
    assert_eq!(dialler.probe("::1").await, Err(ProbeError::Unresolved));
    for name in ["", "a b", "nowhere.invalid"] {
        let probed = dialler.probe(name).await;
        assert!(matches!(probed, Err(ProbeError::Unresolved | ProbeError::Silent)), "{name}: {probed:?}");
    }
}
