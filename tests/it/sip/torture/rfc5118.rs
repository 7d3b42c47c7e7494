//! RFC 5118, section 4: each message by its name, in the order of the RFC.

use super::answered;

#[tokio::test]
async fn ipv6_good() {
    answered("ipv6-good", 405).await;
}

#[tokio::test]
async fn ipv6_bad() {
    // Without brackets, the last group of the address could be a port.
    answered("ipv6-bad", 400).await;
}

#[tokio::test]
async fn port_ambiguous() {
    // The text in brackets is the address, so it is valid and has no port.
    answered("port-ambiguous", 405).await;
}

#[tokio::test]
async fn port_unambiguous() {
    answered("port-unambiguous", 405).await;
}

#[tokio::test]
async fn via_received_param_with_delim() {
    answered("via-received-param-with-delim", 481).await;
}

#[tokio::test]
async fn via_received_param_no_delim() {
    answered("via-received-param-no-delim", 200).await;
}

#[tokio::test]
async fn ipv6_in_sdp() {
    answered("ipv6-in-sdp", 484).await;
}

#[tokio::test]
async fn mult_ip_in_header() {
    let answer = answered("mult-ip-in-header", 481).await;
    assert_eq!(answer.headers("Via").count(), 3, "{answer:?}");
}

#[tokio::test]
async fn mult_ip_in_sdp() {
    answered("mult-ip-in-sdp", 484).await;
}

#[tokio::test]
async fn ipv4_mapped_ipv6() {
    answered("ipv4-mapped-ipv6", 484).await;
}

#[tokio::test]
async fn ipv6_bug_abnf_3_colons() {
    // An implementation must tolerate what the grammar of RFC 3261 permitted by mistake.
    answered("ipv6-bug-abnf-3-colons", 200).await;
}

#[tokio::test]
async fn ipv6_correct_abnf_2_colons() {
    answered("ipv6-correct-abnf-2-colons", 200).await;
}
