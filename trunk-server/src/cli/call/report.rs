//! The report of a test call.

use std::time::Duration;

use serde_json::Value;

/// An event of the call, with its time since the beginning.
pub(super) struct Step {
    pub(super) at: Duration,
    pub(super) event: String,
}

/// The course and the result of a call.
pub(super) struct Report {
    pub(super) steps: Vec<Step>,
    pub(super) answered: bool,
    /// How the call ended, in words for the terminal.
    pub(super) end: String,
    /// The code and the reason phrase of the final response.
    pub(super) response: Option<(u16, String)>,
    pub(super) call_id: Option<String>,
    /// The running server's attempts at carriers, oldest first; empty for a call through the edge.
    pub(super) tries: Vec<Value>,
    /// The SIP messages as a diagram.
    pub(super) ladder: String,
    /// Why the call was not answered.
    pub(super) why: Option<String>,
    /// Why the answered call had no audio.
    pub(super) no_audio: Option<String>,
}
