//! The diagnostic header that explains a refusal to the caller, in addition to the response code.
//!
//! The sentence is that of the log, the recent attempts and the call record. Only a caller at an address that a trunk
//! names receives it, in a header that other clients ignore.

use trunk_rules::carrier::{Refusal, reason_phrase};

use super::attempt_log;
use super::inner::Inner;
use super::stack::Incoming;

impl Inner {
    /// Whether the response may state to the sender why a request is refused: a subnet of a trunk identifies its
    /// address, and diagnostic headers are enabled.
    pub(crate) fn diagnoses(&self, request: &Incoming) -> bool {
        self.config.settings.diagnostic_headers && self.front.identifies(request.source().ip())
    }
}

/// Refuses an INVITE for a reason that concerns no trunk, and traces it.
pub(crate) async fn refuse_unchecked(inner: &Inner, request: Incoming, code: u16, why: &str) {
    attempt_log::refused_unchecked(inner, &request, code, why);
    let diagnosis = inner.diagnoses(&request).then(|| Refusal::diagnosis_without_check(None, None, why));
    let header = diagnosis.as_deref().map(|why| (Refusal::DIAGNOSIS_HEADER, why));
    request.finish(code, reason_phrase(code), header.as_slice()).await;
}
