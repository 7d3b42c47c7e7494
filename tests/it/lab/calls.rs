//! Faults of calls, as a real caller over UDP meets them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sip::edge::{ANSWERS_AT_ONCE, Edge, RINGS_THEN_ANSWERS, Trunk};
use crate::sip::media::{looked_at, packet};
use crate::sip::uac::Call;

/// An edge with a trunk, and a fault of calls.
async fn edge_with(fault: Value) -> (Edge, Trunk) {
    let edge = Edge::start().await;
    let trunk = edge.trunk(json!({})).await;
    let mut members = json!({ "target": "calls" });
    members.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
    edge.control_request("/faults", "POST", &members).await;
    (edge, trunk)
}

async fn hits(edge: &Edge) -> Value {
    edge.control.get("/faults/1").await.at("/hits")
}

#[tokio::test]
async fn a_called_party_refuses_with_the_chosen_code_and_others_answer() {
    let fault = json!({ "effect": "status", "status": 486, "path": "4420*" });
    let (edge, trunk) = edge_with(fault).await;
    let refused = Call::new(&edge, RINGS_THEN_ANSWERS).await.place(&trunk).await;
    assert_eq!(refused.code(), 486);
    let mut answered = Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await;
    answered.hang_up().await;
    assert_eq!(hits(&edge).await, 1);
    let attempts = edge.control.get("/attempts?outcome=admitted").await;
    let sentences = attempts.text;
    assert!(sentences.contains("refuses the call with 486 Busy Here; fault 1 of the lab"), "{sentences}");
}

#[tokio::test]
async fn a_fault_of_another_trunk_or_account_takes_no_call() {
    let nothing = "00000000-0000-4000-8000-000000000000";
    let (edge, trunk) = edge_with(json!({ "effect": "status", "status": 603, "trunk": nothing })).await;
    let of_nothing = json!({ "effect": "status", "status": 603, "target": "calls", "account": nothing });
    edge.control_request("/faults", "POST", &of_nothing).await;
    Call::up(&edge, &trunk, ANSWERS_AT_ONCE).await.hang_up().await;
    let own = json!({ "effect": "status", "status": 603, "target": "calls", "account": edge.account,
        "trunk": trunk.id });
    edge.control_request("/faults", "POST", &own).await;
    assert_eq!(Call::new(&edge, ANSWERS_AT_ONCE).await.place(&trunk).await.code(), 603);
}

#[tokio::test]
async fn a_late_answer_rings_first() {
    let (edge, trunk) = edge_with(json!({ "effect": "delay", "delay_ms": 300 })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let began = Instant::now();
    assert_eq!(call.place(&trunk).await.code(), 200);
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert!(call.provisional.iter().any(|provisional| provisional.code() == 180));
    call.hang_up().await;
}

#[tokio::test]
async fn a_call_that_is_not_answered_rings_until_its_time_is_over() {
    let (edge, trunk) = edge_with(json!({ "effect": "no_answer" })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let rings = async {
        edge.calls_up(1).await;
        edge.advance(61).await;
    };
    let (answer, ()) = tokio::join!(call.place(&trunk), rings);
    assert!((400..500).contains(&answer.code()), "{answer:?}");
    assert!(call.provisional.iter().any(|provisional| provisional.code() == 180));
}

#[tokio::test]
async fn an_answer_whose_ack_is_lost_is_repeated() {
    let (edge, trunk) = edge_with(json!({ "effect": "lost_ack", "times": 1 })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    assert_eq!(call.place(&trunk).await.code(), 200);
    for _ in 0..2 {
        // Not by `answer`, which would repeat the INVITE.
        let repeated = call.uac.receive(Duration::from_millis(1_400)).await;
        let repeated = repeated.expect("the answer comes again although it was acknowledged");
        assert_eq!((repeated.code(), repeated.method()), (200, "INVITE"));
        call.acknowledge().await;
    }
    call.hang_up().await;
}

#[tokio::test]
async fn a_caller_of_one_way_audio_is_heard_and_hears_nothing() {
    let (edge, trunk) = edge_with(json!({ "effect": "one_way_audio" })).await;
    let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
    let (at, _) = call.place(&trunk).await.media();
    for sequence in 0..5 {
        call.media.send_to(&packet(sequence), at).await.unwrap();
    }
    looked_at(&mut call, at).await;
    assert_eq!(heard(&call), 0);
    call.hang_up().await;
    let record = edge.record(&trunk, 1).await;
    assert_eq!(
        (&record["rtp_received"], &record["rtp_sent"]),
        (&json!(5), &json!(5)),
        "they are lost on their way"
    );
}

#[tokio::test]
async fn a_share_of_packets_is_lost_and_the_same_number_in_each_run() {
    let lost = async || {
        let fault = json!({ "effect": "packet_loss", "loss": 0.5, "seed": 11 });
        let (edge, trunk) = edge_with(fault).await;
        let mut call = Call::new(&edge, ANSWERS_AT_ONCE).await;
        let (at, _) = call.place(&trunk).await.media();
        for sequence in 0..40 {
            call.media.send_to(&packet(sequence), at).await.unwrap();
        }
        looked_at(&mut call, at).await;
        let heard = heard(&call);
        call.hang_up().await;
        heard
    };
    let first = lost().await;
    assert!((5..35).contains(&first), "{first} of 40 are left");
    assert_eq!(lost().await, first);
}

/// The number of packets that wait to be read from a call's socket.
fn heard(call: &Call) -> usize {
    let mut buffer = [0; 2048];
    let mut count = 0;
    while call.media.try_recv_from(&mut buffer).is_ok() {
        count += 1;
    }
    count
}
