//! The reason of a call's outcome: from the control API if it can be reached, else from the response. The edge's recent
//! attempts have the sentence of the log, even if no trunk was authenticated; the call record keeps it longer. The
//! reason why an answered call has no audio is in the entry of its end.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sip_dialler::CallMessages;

use super::arguments::PlaceCall;
use crate::cli::exchange::{bearer, escaped, exchange};

/// Maximum number of reads of the call's record, which is written after the response.
const MAX_READS: u32 = 10;
/// The pause between two of these reads.
const READ_INTERVAL: Duration = Duration::from_millis(100);
/// The number of latest records of the number that are searched.
const MAX_RECORDS: u32 = 20;

/// The final response to the INVITE.
pub(super) struct FinalResponse {
    pub(super) code: u16,
    pub(super) phrase: String,
    /// The values of the headers that explain it.
    explanations: Vec<String>,
}

/// The properties of the call, for a decision of the edge without a call.
pub(super) struct Question<'a> {
    pub(super) local: IpAddr,
    pub(super) to: &'a str,
    pub(super) from: &'a str,
    pub(super) username: Option<&'a str>,
}

impl FinalResponse {
    /// The last final response to an INVITE among these messages.
    pub(super) fn of(found: &CallMessages) -> Option<Self> {
        found.messages.iter().rev().find_map(|message| Self::parse(&String::from_utf8_lossy(&message.bytes)))
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, _) = text.split_once("\r\n\r\n")?;
        let (status, phrase) = head.strip_prefix("SIP/2.0 ")?.lines().next()?.split_once(' ')?;
        let code = status.parse().ok().filter(|code| *code >= 200)?;
        let header = |line: &str, names: &[&str]| {
            let (name, value) = line.split_once(':')?;
            names.iter().any(|known| known.eq_ignore_ascii_case(name.trim())).then(|| value.trim().to_owned())
        };
        let sequence = head.lines().find_map(|line| header(line, &["CSeq"]))?;
        if !sequence.ends_with("INVITE") {
            return None;
        }
        let explains = |line: &str| header(line, &["X-Refusal", "Reason", "Warning"]);
        Some(Self {
            code,
            phrase: phrase.to_owned(),
            explanations: head.lines().filter_map(explains).collect(),
        })
    }
}

/// The reason of the outcome; `None` if none is known.
pub(super) async fn find(
    call: &PlaceCall,
    found: Option<&CallMessages>,
    response: Option<&FinalResponse>,
    answered: bool,
    question: &Question<'_>,
) -> Option<String> {
    if answered {
        return None;
    }
    let recorded = match (found, response) {
        (Some(found), Some(response)) => match of_attempts(call, &found.call_id, response.code).await {
            Some(reason) => Some(reason),
            None => of_record(call, &found.call_id, question.to).await,
        },
        _ => None,
    };
    let stated = || {
        let explanations = &response?.explanations;
        (!explanations.is_empty()).then(|| explanations.join("; "))
    };
    match recorded {
        Some(reason) => Some(reason),
        None => match stated() {
            Some(stated) => Some(stated),
            None => of_decision(call, response?, question).await,
        },
    }
}

/// The edge's recent attempts with a `Call-ID`, newest first; `None` if the control API cannot be read.
async fn attempts_of(call: &PlaceCall, call_id: &str) -> Option<Vec<Value>> {
    let path = format!("/control/v1/attempts?call_id={}&limit={MAX_RECORDS}", escaped(call_id));
    let headers = bearer(call.control_token.as_ref());
    let (status, mut answer) = exchange(&call.control_listen, &path, &headers, None).await.ok()?;
    let attempts = answer.get_mut("attempts").filter(|_| status.is_success())?.take();
    serde_json::from_value(attempts).ok()
}

/// The reason in the edge's recent attempts: the sentence of the newest one with this `Call-ID` and code.
pub(super) async fn of_attempts(call: &PlaceCall, call_id: &str, code: u16) -> Option<String> {
    let attempts = attempts_of(call, call_id).await?;
    let is_it = |attempt: &&Value| attempt.get("code").and_then(Value::as_u64) == Some(code.into());
    sentence(attempts.iter().find(is_it)?)
}

/// The reason in the record of the call, if there is one: an entry of the recent attempts may have been pushed out.
async fn of_record(call: &PlaceCall, call_id: &str, to: &str) -> Option<String> {
    // The filter finds a part of the dialled text, whose tech prefix may have characters that a query cannot have.
    let digits = to.rsplit(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
    let path = format!("/control/v1/calls?number={digits}&limit={MAX_RECORDS}");
    for _ in 0..MAX_READS {
        let headers = bearer(call.control_token.as_ref());
        let (status, answer) = exchange(&call.control_listen, &path, &headers, None).await.ok()?;
        if !status.is_success() {
            return None;
        }
        let records = answer.get("calls").and_then(Value::as_array)?;
        let is_it = |record: &&Value| record.get("call_id").and_then(Value::as_str) == Some(call_id);
        if let Some(record) = records.iter().find(is_it) {
            return sentence(record);
        }
        tokio::time::sleep(READ_INTERVAL).await;
    }
    None
}

/// The record's explanation, which is the sentence of the recent attempts.
fn sentence(record: &Value) -> Option<String> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let explanation = text("explanation")?;
    Some(with_check(explanation, text("check")))
}

fn with_check(explanation: &str, check: Option<&str>) -> String {
    check.map_or_else(|| explanation.to_owned(), |check| format!("{explanation}; check {check}"))
}

/// Why an answered call had no audio: the sentence in the edge's entry of its end. `None` if it had audio, if this edge
/// has no entry of the call, or if the control API cannot be read.
pub(super) async fn no_audio(call: &PlaceCall, call_id: &str) -> Option<String> {
    for _ in 0..MAX_READS {
        let attempts = attempts_of(call, call_id).await.filter(|attempts| !attempts.is_empty())?;
        let has_ended = |attempt: &&Value| attempt.get("outcome").and_then(Value::as_str) == Some("ended");
        if let Some(ended) = attempts.iter().find(has_ended) {
            return ended.get("no_audio").and_then(Value::as_str).map(str::to_owned);
        }
        tokio::time::sleep(READ_INTERVAL).await;
    }
    None
}

/// The edge's decision on the same call, for a refusal without a record, such as that of an unknown address. It is
/// used if it has the code of the response.
async fn of_decision(call: &PlaceCall, response: &FinalResponse, question: &Question<'_>) -> Option<String> {
    let mut asked = json!({ "source": question.local, "to": question.to, "from": question.from });
    if let (Some(username), Some(members)) = (question.username, asked.as_object_mut()) {
        members.insert("username".to_owned(), json!(username));
    }
    let headers = bearer(call.control_token.as_ref());
    let answer = exchange(&call.control_listen, "/control/v1/explain", &headers, Some(&asked)).await;
    let (_, explanation) = answer.ok().filter(|(status, _)| status.is_success())?;
    let is_same = explanation.get("code").and_then(Value::as_u64) == Some(response.code.into());
    explanation.get("explanation").and_then(Value::as_str).filter(|_| is_same).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_is_the_explanation_with_its_check() {
        let entry =
            json!({ "explanation": "the trunk is blocked", "check": "status", "configured": "active" });
        assert_eq!(sentence(&entry).as_deref(), Some("the trunk is blocked; check status"));
        let ended = json!({ "explanation": "the callee answered 486 Busy Here", "check": null });
        assert_eq!(sentence(&ended).as_deref(), Some("the callee answered 486 Busy Here"));
        assert_eq!(sentence(&json!({ "explanation": "" })), None);
    }

    #[test]
    fn the_final_response_to_an_invite_is_found_with_its_explanations() {
        let parse = |text: &str| {
            FinalResponse::parse(text).map(|response| (response.code, response.phrase, response.explanations))
        };
        let text = "SIP/2.0 403 Forbidden\r\nCSeq: 2 INVITE\r\nx-refusal: check=cli\r\nReason: Q.850;cause=21\r\n\r\n";
        let explained = vec!["check=cli".to_owned(), "Q.850;cause=21".to_owned()];
        assert_eq!(parse(text), Some((403, "Forbidden".to_owned(), explained)));
        assert_eq!(parse("SIP/2.0 180 Ringing\r\nCSeq: 2 INVITE\r\n\r\n"), None);
        assert_eq!(parse("SIP/2.0 200 OK\r\nCSeq: 3 BYE\r\n\r\n"), None);
        assert_eq!(parse("INVITE sip:x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"), None);
    }
}
