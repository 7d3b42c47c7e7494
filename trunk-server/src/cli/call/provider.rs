//! A test call through a provider of the communication platform. The running server dials it like a customer's call, so
//! that the provider's record, its credentials and the server's address are tested.

use std::time::Duration;

use http::{HeaderName, header};
use serde_json::{Value, json};
use service_base::clock::Clock;

use super::arguments::PlaceCall;
use super::error::CallError;
use super::reason;
use super::report::{Report, Step};
use crate::cli::exchange::{bearer, escaped, exchange, exchange_text};

/// Maximum number of pages of providers that are searched, of 100 each.
const MAX_PAGES: usize = 100;
/// The pause between two reads of the call.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Maximum time from the request until the call has ended, not counting the duration of the answered call.
const MAX_SETUP: Duration = Duration::from_mins(5);

/// Places the call, and returns when it has ended.
pub(super) async fn place(call: &PlaceCall, provider: &str, key: &str) -> Result<Report, CallError> {
    let platform = PlatformClient { call, key };
    let provider = platform.provider(provider).await?;
    let text = |value: &Value, member: &str| {
        value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (name, hostname, id) = (text(&provider, "name"), text(&provider, "hostname"), text(&provider, "id"));
    // The platform accepts only numbers with a plus sign.
    let number = |text: &str| if text.starts_with('+') { text.to_owned() } else { format!("+{text}") };
    let to = number(&call.to);
    let from = call.from.as_deref().map(number);
    let source = from.as_ref().map(|from| json!({ "type": "tel", "target": from }));
    let milliseconds = u64::from(call.duration) * 1_000;
    let body = json!({
        "provider_id": id,
        "source": source,
        "destinations": [{ "type": "tel", "target": to }],
        "actions": [
            { "type": "answer" },
            { "type": "sleep", "option": { "duration": milliseconds } },
            { "type": "hangup" },
        ],
    });
    let clock = Clock::system();
    let start = clock.stopwatch();
    let caller = from.unwrap_or_else(|| "no number (set --from)".to_owned());
    let event = format!("calling {to} through {name} ({hostname}) as {caller}");
    let mut steps = vec![Step { at: Duration::ZERO, event }];
    let placed = platform.exchange("/v1.0/providercalls", Some(&body)).await?;
    let placed = placed.pointer("/call_ids/0").and_then(Value::as_str);
    let placed = placed.ok_or_else(|| platform.failed("it placed no call".to_owned()))?;
    let ended = platform.follow(placed, &clock, start, &mut steps).await?;
    let tries = tries(call, &text(&ended, "customer_id"), placed).await;
    let answered = ended.get("tm_progressing").is_some_and(|at| !at.is_null());
    let last = tries.as_ref().and_then(|tries| tries.last());
    let call_id = last.map(|tried| text(tried, "call_id")).filter(|call_id| !call_id.is_empty());
    let code = last.and_then(|tried| tried.get("code")?.as_u64()).and_then(|code| u16::try_from(code).ok());
    let response = code.zip(last.map(|tried| text(tried, "reason_phrase")));
    let why = match (&tries, &call_id) {
        _ if answered => None,
        (None, _) => Some(format!(
            "unknown: the attempts of the call cannot be read from the control API at {}",
            call.control_listen
        )),
        // The server's own edge states its reason under the same Call-ID.
        (Some(_), call_id) => match (call_id, code) {
            (Some(call_id), Some(code)) => reason::of_attempts(call, call_id, code).await,
            _ => None,
        }
        .or_else(|| last.map(|tried| text(tried, "outcome"))),
    };
    let no_audio = match &call_id {
        // If the carrier is the server's own edge, the edge has a more precise reason.
        Some(call_id) if answered => {
            reason::no_audio(call, call_id).await.or_else(|| last.and_then(no_media))
        }
        _ => None,
    };
    let ladder = match &call_id {
        Some(call_id) => ladder(call, call_id).await.unwrap_or_default(),
        None => String::new(),
    };
    let end = format!("{}, by {}", text(&ended, "hangup_reason"), text(&ended, "hangup_by"));
    let tries = tries.unwrap_or_default();
    Ok(Report { steps, answered, end, response, call_id, tries, ladder, why, no_audio })
}

/// The platform's API of the running server, with an access key.
struct PlatformClient<'a> {
    call: &'a PlaceCall,
    key: &'a str,
}

impl PlatformClient<'_> {
    fn failed(&self, why: String) -> CallError {
        CallError::Platform { at: self.call.listen.clone(), why }
    }

    /// The JSON of a successful response.
    async fn exchange(&self, path: &str, body: Option<&Value>) -> Result<Value, CallError> {
        let headers: [(HeaderName, String); 1] = [(header::COOKIE, format!("accesskey={}", self.key))];
        let answer = exchange(&self.call.listen, path, &headers, body).await;
        let (status, answer) = answer.map_err(|why| self.failed(why))?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (reason, message) = (text("/error/reason"), text("/error/message"));
        Err(self.failed(format!("it responded {} {reason} {message}", status.as_u16())))
    }

    /// The provider with a name or an id.
    async fn provider(&self, name: &str) -> Result<Value, CallError> {
        let mut found = Vec::new();
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let page =
                self.exchange(&format!("/v1.0/providers?page_token={}", escaped(&token)), None).await?;
            let providers =
                page.get("result").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let is_it = |provider: &&Value| {
                let text = |member| provider.get(member).and_then(Value::as_str);
                text("id") == Some(name) || text("name") == Some(name)
            };
            found.extend(providers.iter().filter(is_it).cloned());
            page.get("next_page_token").and_then(Value::as_str).unwrap_or_default().clone_into(&mut token);
            if token.is_empty() {
                break;
            }
        }
        match found.len() {
            0 => Err(CallError::Named(format!("there is no provider {name}"))),
            1 => Ok(found.swap_remove(0)),
            _ => Err(CallError::Named(format!("several providers are named {name}: use an id"))),
        }
    }

    /// Reads the call until it has ended, and adds a step for each change of its status.
    async fn follow(
        &self,
        id: &str,
        clock: &Clock,
        start: Duration,
        steps: &mut Vec<Step>,
    ) -> Result<Value, CallError> {
        let max = MAX_SETUP + Duration::from_secs(self.call.duration.into());
        let mut status = "dialing".to_owned();
        loop {
            let read = self.exchange(&format!("/v1.0/calls/{id}"), None).await;
            let elapsed = clock.stopwatch().saturating_sub(start);
            let call = match read {
                Ok(call) => call,
                Err(error) if elapsed >= max => return Err(error),
                // A failed read, for example because of the rate limit, does not end the call.
                Err(_) => {
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                    continue;
                }
            };
            let text = |member| call.get(member).and_then(Value::as_str).unwrap_or_default();
            if text("status") != status {
                text("status").clone_into(&mut status);
                let event = match &*status {
                    "progressing" => "answered".to_owned(),
                    "canceling" | "terminating" => "hanging up".to_owned(),
                    "hangup" => format!("ended: {}, by {}", text("hangup_reason"), text("hangup_by")),
                    other => other.to_owned(),
                };
                steps.push(Step { at: elapsed, event });
            }
            if status == "hangup" {
                return Ok(call);
            }
            if elapsed >= max {
                return Err(self.failed(format!("the call {id} has not ended yet; its status is {status}")));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// The attempts of a call at carriers, oldest first; `None` if the control API cannot be read.
async fn tries(call: &PlaceCall, customer: &str, id: &str) -> Option<Vec<Value>> {
    let path = format!("/control/v1/customers/{customer}/calls/{id}/tries");
    let headers = bearer(call.control_token.as_ref());
    let (status, mut answer) = exchange(&call.control_listen, &path, &headers, None).await.ok()?;
    let tries = answer.get_mut("tries").filter(|_| status.is_success())?.take();
    serde_json::from_value(tries).ok()
}

/// Why the server sent no media in an attempt that was answered; `None` if it sent some.
fn no_media(tried: &Value) -> Option<String> {
    let media = tried.get("media").and_then(Value::as_str)?;
    media.starts_with("no media").then(|| media.to_owned())
}

/// The ladder of the SIP messages with a `Call-ID`.
async fn ladder(call: &PlaceCall, call_id: &str) -> Option<String> {
    let path = format!("/control/v1/calls/{}/messages?format=ladder", escaped(call_id));
    let headers = bearer(call.control_token.as_ref());
    let (status, text) = exchange_text(&call.control_listen, &path, &headers).await.ok()?;
    status.is_success().then_some(text)
}

/// An attempt as one line of text.
pub(super) fn line(tried: &Value) -> String {
    let text = |member: &str| tried.get(member).and_then(Value::as_str).unwrap_or_default();
    let mut line = "tried".to_owned();
    for (before, value) in [(" ", text("host")), (" at ", text("target")), (" over ", text("transport"))] {
        if !value.is_empty() {
            line.push_str(before);
            line.push_str(value);
        }
    }
    format!("{line}: {}; {}", text("outcome"), text("next"))
}
