//! The events of calls at the carrier edge: attempts while they happen, and records of calls that ended.

use futures_util::stream::{self, StreamExt as _};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::Control;
use crate::attempts::entries;
use crate::events::{CallEvents, Event};

/// The events of calls from now on; none without a SIP listener.
pub(crate) fn of_calls(control: &Control) -> CallEvents {
    let (Ok(attempts), Ok(records)) = (control.follow_attempts(), control.follow_calls()) else {
        return stream::empty().boxed();
    };
    let attempts = entries(control.clone(), attempts).map(|entry| match entry {
        Ok(attempt) => Event::new("attempt", attempt),
        Err(_missed) => Event::reload(),
    });
    let records = stream::unfold(records, |mut records| async {
        let event = match records.recv().await {
            Ok(record) => Event::new("call", json!(*record)),
            Err(RecvError::Lagged(_)) => Event::reload(),
            Err(RecvError::Closed) => return None,
        };
        Some((event, records))
    });
    stream::select(attempts, records).boxed()
}
