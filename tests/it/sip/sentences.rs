//! Every check and every cause of the edge: a call that meets it, and one sentence in the log, in the recent attempts,
//! in the record and in the answer. A check or a cause that is declared and has no row here fails.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use serde_json::{Value, json};
use trunk_rules::carrier::{Cause, Check};

use super::edge::{ANSWERS_AT_ONCE, Edge, RINGS_THEN_ANSWERS, Trunk, credentials, until};
use super::message::Message;
use super::uac::{Call, Uac};
use crate::docs::pages::{path, read};
use crate::docs::why::assert_has_sentence;

/// A call that meets a check or a cause.
struct Row {
    /// The check that refuses it; `None` for a call that is refused or ended after all checks.
    check: Option<Check>,
    cause: Cause,
    /// The configuration of an edge for this call alone; `None` for the shared one.
    config: Option<&'static str>,
    trunk: Value,
    /// The number that is called.
    to: &'static str,
    /// How the INVITE differs from an ordinary one.
    change: fn(&mut Call),
    happens: Happens,
}

/// The course of the call.
enum Happens {
    /// Its INVITE is refused.
    Refused,
    /// Its INVITE is refused without a digest.
    RefusedUnknown,
    /// Its password is wrong.
    ChallengedAgain,
    /// It rings for these seconds, and is then refused.
    RingsFor(u64),
    /// It is answered, and ended after these seconds.
    EndsAfter(u64),
    /// It is answered, and its trunk is deleted.
    LosesItsTrunk,
    /// It is refused while another call of its account is up.
    SecondCall,
    /// It is refused while an answer to its address is not acknowledged.
    AfterAnUnacknowledgedOne,
}

/// The shared edge has no rate for some destinations.
const SHARED: &str = "[[sip.rates]]\nprefix = \"44\"\nper_minute = \"0.05\"\n\
                      [[sip.rates]]\nprefix = \"999\"\nper_minute = \"0.06\"\n";

/// Causes that no decision of the edge has. Their numbers are those of the switch that DIDWW's agree with.
const UNUSED: [Cause; 6] = [
    Cause::NoRoutes,
    Cause::TransactionTimeout,
    Cause::CanceledBeforeRouting,
    Cause::NoBalance,
    Cause::GatewayDisabled,
    Cause::CpsLimit,
];

/// Causes that need more than a call, and the tests that call [`is_stated`] for them.
const ELSEWHERE: [(Option<Check>, Cause, &str, &str); 3] = [
    (
        Some(Check::Recording),
        Cause::NotRecorded,
        "charging",
        "with_a_full_disk_no_call_of_a_trunk_with_a_threshold_comes_in_and_every_other_is_charged_in_the_end",
    ),
    (
        None,
        Cause::NoAck,
        "timers",
        "an_answer_that_is_never_acknowledged_is_repeated_and_then_the_call_is_ended",
    ),
    (None, Cause::ServerLost, "records", "what_a_trunk_spent_outlives_a_kill"),
];

fn nothing(_: &mut Call) {}

impl Row {
    /// A call that a check refuses.
    fn of(check: Check, cause: Cause) -> Self {
        Self { check: Some(check), ..Self::after_the_checks(cause) }
    }

    fn after_the_checks(cause: Cause) -> Self {
        Self {
            check: None,
            cause,
            config: None,
            trunk: json!({}),
            to: RINGS_THEN_ANSWERS,
            change: nothing,
            happens: Happens::Refused,
        }
    }

    fn trunk(self, trunk: Value) -> Self {
        Self { trunk, ..self }
    }

    fn to(self, to: &'static str) -> Self {
        Self { to, ..self }
    }

    fn changed(self, change: fn(&mut Call)) -> Self {
        Self { change, ..self }
    }

    fn happens(self, happens: Happens) -> Self {
        Self { happens, ..self }
    }

    fn at(self, config: &'static str) -> Self {
        Self { config: Some(config), ..self }
    }
}

fn line(call: &mut Call, line: &str) {
    call.headers.push(line.to_owned());
}

fn rows() -> Vec<Row> {
    let narrow = || json!({ "authentication_method": credentials(&["127.255.255.0/24"], None) });
    let prefixed = json!({ "authentication_method": credentials(&["127.0.0.0/8"], Some("7#")) });
    let encrypted = |mode: &str| json!({ "media_encryption_mode": mode });
    let silent = |threshold: &str| json!({ "rtp_timeout": 600, "threshold_amount": threshold });
    vec![
        Row::of(Check::Source, Cause::NoCustomer).at("").trunk(narrow()).happens(Happens::RefusedUnknown),
        Row::of(Check::TechPrefix, Cause::NoCustomer).at("").trunk(prefixed).happens(Happens::RefusedUnknown),
        Row::of(Check::Digest, Cause::Unauthorized).happens(Happens::ChallengedAgain),
        Row::of(Check::Trunk, Cause::NoCustomer).trunk(narrow()),
        Row::of(Check::Request, Cause::BadRequest).changed(|call| call.contact.clear()),
        Row::of(Check::Request, Cause::NotAcceptable).changed(|call| line(call, "Accept: text/plain")),
        Row::of(Check::Request, Cause::UnsupportedMediaType)
            .changed(|call| call.content = vec!["Content-Type: text/plain".to_owned()]),
        Row::of(Check::Request, Cause::BadExtension).changed(|call| line(call, "Require: replaces")),
        Row::of(Check::Request, Cause::IntervalTooSmall)
            .changed(|call| line(call, "Supported: timer\r\nSession-Expires: 30")),
        Row::of(Check::Status, Cause::RejectedByAuthRecord).trunk(json!({ "status": "blocked" })),
        Row::of(Check::Number, Cause::NumberMalformed).to("02079460018"),
        Row::of(Check::Emergency, Cause::SourceBlacklisted).to("911"),
        Row::of(Check::Destination, Cause::DestinationBlacklisted)
            .trunk(json!({ "default_dst_action": "reject_all" })),
        Row::of(Check::Cli, Cause::SourceBlacklisted)
            .trunk(json!({ "on_cli_mismatch_action": "reject_call" })),
        Row::of(Check::Route, Cause::NoDestinationPrefix).to("37061498222"),
        Row::of(Check::Media, Cause::CodecsNotMatched).changed(|call| {
            call.offer =
                call.offer.replace("RTP/AVP 8 0 101", "RTP/AVP 119") + "a=rtpmap:119 \"x\u{7}\\y/16000\r\n";
        }),
        Row::of(Check::Media, Cause::NoSuitableMedia).trunk(encrypted("srtp_sdes")),
        Row::of(Check::Media, Cause::DtlsNotImplemented).trunk(encrypted("srtp_dtls")),
        Row::of(Check::Media, Cause::SdpUnparsable).changed(|call| "hello".clone_into(&mut call.offer)),
        Row::of(Check::Capacity, Cause::Overloaded).trunk(json!({ "capacity_limit": 0 })),
        Row::of(Check::Capacity, Cause::NoFreePorts).at("[sip]\ncalls = 0\n"),
        Row::after_the_checks(Cause::Forbidden).to("9990403"),
        Row::after_the_checks(Cause::BusyHere).to("9990486"),
        Row::after_the_checks(Cause::Decline).to("9990603"),
        Row::after_the_checks(Cause::RingingTimeout).to("9990180").happens(Happens::RingsFor(60)),
        Row::after_the_checks(Cause::NoFreePorts)
            .at("[sip]\ncalls_per_account = 1\n")
            .happens(Happens::SecondCall),
        Row::after_the_checks(Cause::Unacknowledged)
            .at("[sip]\nunacknowledged_answers = 1\n")
            .to(ANSWERS_AT_ONCE)
            .happens(Happens::AfterAnUnacknowledgedOne),
        Row::after_the_checks(Cause::RtpTimeout).to(ANSWERS_AT_ONCE).happens(Happens::EndsAfter(30)),
        Row::after_the_checks(Cause::SessionTimeout)
            .to(ANSWERS_AT_ONCE)
            .trunk(silent("100.0"))
            .changed(|call| line(call, "Supported: timer\r\nSession-Expires: 90;refresher=uac"))
            .happens(Happens::EndsAfter(60)),
        Row::after_the_checks(Cause::TrunkDeleted).to(ANSWERS_AT_ONCE).happens(Happens::LosesItsTrunk),
        Row::after_the_checks(Cause::ThresholdReached)
            .to(ANSWERS_AT_ONCE)
            .trunk(silent("0.06"))
            .happens(Happens::EndsAfter(61)),
    ]
}

#[test]
fn every_check_and_every_cause_has_its_row() {
    let elsewhere = || ELSEWHERE.iter().map(|(check, cause, ..)| (*check, *cause));
    let met: Vec<(Option<Check>, Cause)> =
        rows().iter().map(|row| (row.check, row.cause)).chain(elsewhere()).collect();
    let checks: BTreeSet<Check> = met.iter().filter_map(|(check, _)| *check).collect();
    assert_eq!(checks, Check::ALL.into_iter().collect(), "checks without a row");
    let causes: BTreeSet<Cause> = met.iter().map(|(_, cause)| *cause).chain(UNUSED).collect();
    assert_eq!(causes, Cause::ALL.iter().copied().collect(), "causes without a row");
    for (_, cause, file, name) in ELSEWHERE {
        let source = read(&format!("tests/it/sip/{file}.rs"));
        let test = source.split(&format!("async fn {name}(")).nth(1).unwrap_or_else(|| panic!("no {name}"));
        let test = test.split("#[tokio::test").next().unwrap();
        assert!(test.contains("is_stated(") && test.contains(&format!("Cause::{cause:?}")), "{name}");
    }
    let mut sources = String::new();
    for room in ["trunk-rules", "carrier-edge"] {
        read_below(&path(&format!("crates/{room}/src")), &mut sources);
    }
    for cause in UNUSED {
        assert!(!sources.contains(&format!("Cause::{cause:?}")), "{cause:?} is used: it needs a row");
    }
}

/// Appends the sources of a folder.
fn read_below(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(&path, text);
        } else {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[tokio::test]
async fn every_check_and_every_cause_has_the_same_sentence_in_log_ring_record_and_answer() {
    let started = async |config| {
        let edge = Edge::with_config(config).await;
        edge.freeze().await;
        edge
    };
    let shared = started(SHARED).await;
    for row in rows() {
        if let Some(config) = row.config {
            row.holds(&started(config).await).await;
        } else {
            row.holds(&shared).await;
            // Lines of the log are limited in each minute.
            shared.advance(60).await;
        }
    }
}

impl Row {
    async fn holds(self, edge: &Edge) {
        let trunk = edge.trunk(self.trunk.clone()).await;
        let mut call = Call::new(edge, self.to).await;
        (self.change)(&mut call);
        let answer = self.meets(edge, &trunk, &mut call).await;
        let why = is_stated(edge, &call, (self.check, self.cause), answer.as_ref()).await;
        // Before the trunk is known, there is none whose record it could be.
        let is_recorded = self.check.is_none_or(|check| check >= Check::Trunk);
        if is_recorded {
            let record = until("the record of the call", async || {
                let listed = edge.control.get(&format!("/calls?call_id={}", call.id)).await;
                Some(listed.at("/calls/0")).filter(Value::is_object)
            })
            .await;
            assert_eq!(record["explanation"], why, "{record}");
            assert_eq!(record["disconnect_cause"], self.cause.id(), "{record}");
            assert_eq!(record["check"], json!(self.check.map(Check::name)), "{record}");
        } else {
            assert!(edge.records(&trunk).await.is_empty(), "{why}");
        }
    }

    /// Makes the call. Returns the final response that refused it; `None` if it was answered.
    async fn meets(&self, edge: &Edge, trunk: &Trunk, call: &mut Call) -> Option<Message> {
        let answer = match self.happens {
            Happens::Refused => call.place(trunk).await,
            Happens::RefusedUnknown => call.attempt().await,
            Happens::ChallengedAgain => {
                call.attempt_as(trunk, |digest| "wrong".clone_into(&mut digest.password)).await
            }
            Happens::RingsFor(seconds) => {
                let rings = async {
                    edge.calls_up(1).await;
                    edge.advance(seconds).await;
                };
                tokio::join!(call.attempt_as(trunk, |_| {}), rings).0
            }
            Happens::EndsAfter(seconds) => {
                assert_eq!(call.place(trunk).await.code(), 200);
                assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK was received");
                edge.advance(seconds).await;
                call.hung_up().await;
                return None;
            }
            Happens::LosesItsTrunk => {
                assert_eq!(call.place(trunk).await.code(), 200);
                assert_eq!(call.request("OPTIONS", &[], "").await.code(), 200, "the ACK was received");
                let deleted = edge.api.delete(&format!("/voice_out_trunks/{}", trunk.id)).await;
                assert_eq!(deleted.status, 204, "{}", deleted.text);
                call.hung_up().await;
                return None;
            }
            Happens::SecondCall => {
                let mut first = Call::up(edge, trunk, ANSWERS_AT_ONCE).await;
                let refused = call.place(trunk).await;
                first.hang_up().await;
                refused
            }
            Happens::AfterAnUnacknowledgedOne => {
                edge.ip_only(trunk, &["127.0.0.0/8"]).await;
                let IpAddr::V4(source) = call.uac.local.ip() else { unreachable!("it is IPv4") };
                let uac = Uac::udp_from(edge, source).await;
                let mut first = Call::over(uac, edge, ANSWERS_AT_ONCE).await;
                assert_eq!(first.attempt().await.code(), 200);
                let refused = call.attempt().await;
                first.acknowledge().await;
                first.hang_up().await;
                refused
            }
        };
        assert!(answer.code() >= 300, "{answer:?}");
        Some(answer)
    }
}

/// Checks that the newest entry of a call's attempts, the line of the log and the answer state a check and a cause in
/// one sentence, and that the page about failed calls has a row for it. Returns the sentence. A source that no trunk
/// names learns nothing.
pub async fn is_stated(
    edge: &Edge,
    call: &Call,
    (check, cause): (Option<Check>, Cause),
    answer: Option<&Message>,
) -> String {
    let (outcome, words) = match check {
        Some(Check::Digest) => ("challenged", "challenged again"),
        Some(_) => ("refused", "refused"),
        None => ("ended", " ended "),
    };
    let query = format!("/attempts?call_id={}&outcome={outcome}&cause={}", call.id, cause.id());
    let entry = until(&format!("an attempt that is {outcome} with the cause {cause:?}"), async || {
        Some(edge.control.get(&query).await.at("/attempts/0")).filter(Value::is_object)
    })
    .await;
    assert_eq!(entry["check"], json!(check.map(Check::name)), "{entry}");
    assert_eq!(entry["source"], call.uac.local.to_string(), "{entry}");
    let why = entry["explanation"].as_str().unwrap().to_owned();
    assert!(!why.is_empty() && why.is_ascii(), "{entry}");
    assert_has_sentence(&why);
    let line = edge.logs(&[words, &call.id, &format!("why=\"{why}\"")]).await;
    assert!(check == Some(Check::Digest) || line.contains(" INFO "), "{line}");
    if let Some(answer) = answer {
        assert_eq!(entry["code"], answer.code(), "{entry}");
        let header = answer.header("X-Refusal");
        if check == Some(Check::Source) {
            assert_eq!(header, None, "{answer:?}");
        } else {
            let header = header.unwrap_or_else(|| panic!("{cause:?}: {answer:?}"));
            assert!(header.contains(&format!("cause={};", cause.id())), "{header}");
            assert!(header.ends_with(&format!(";why=\"{why}\"")), "{header} is not: {why}");
        }
    }
    why
}

/// Checks that an INVITE which was refused before the checks has one sentence in the answer, in the recent attempts and
/// in the log, and that the page about failed calls has a row for it.
pub async fn assert_states_why(edge: &Edge, call: &Call, answer: &Message) {
    let header = answer.header("X-Refusal").unwrap_or_else(|| panic!("{answer:?}"));
    let why =
        header.strip_prefix("why=\"").and_then(|rest| rest.strip_suffix('"')).expect("the sentence alone");
    assert_has_sentence(why);
    let query = format!("/attempts?call_id={}&outcome=refused", call.id);
    let entry = until("the refusal is traced", async || {
        Some(edge.control.get(&query).await.at("/attempts/0")).filter(Value::is_object)
    })
    .await;
    assert_eq!((&entry["explanation"], &entry["check"]), (&json!(why), &Value::Null), "{entry}");
    assert_eq!(entry["code"], answer.code(), "{entry}");
    edge.logs(&["refused", &call.id, &format!("why=\"{why}\"")]).await;
}

/// Checks that a call which ended so has one sentence in its record, in the recent attempts, in the log and, if it was
/// refused by a response that says why, in that; and that the page about failed calls has a row for it.
pub async fn assert_ended_with(edge: &Edge, call: &Call, why: &str, answer: Option<&Message>) {
    let record = until("the record of the call", async || {
        let listed = edge.control.get(&format!("/calls?call_id={}", call.id)).await;
        Some(listed.at("/calls/0")).filter(Value::is_object)
    })
    .await;
    assert_eq!(record["explanation"], why, "{record}");
    let entry = edge.control.get(&format!("/attempts?call_id={}&outcome=ended", call.id)).await;
    assert_eq!(entry.at("/attempts/0/explanation"), why, "{}", entry.text);
    edge.logs(&[" ended ", &call.id, &format!("why=\"{why}\"")]).await;
    if let Some(answer) = answer {
        assert_eq!(record["disconnect_code"], answer.code(), "{record}");
        let header = answer.header("X-Refusal").unwrap_or_else(|| panic!("{answer:?}"));
        assert!(header.ends_with(&format!(";why=\"{why}\"")), "{header}");
    }
    assert_has_sentence(why);
}
