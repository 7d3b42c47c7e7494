//! The final response of a call that ends before it is answered.

use trunk_rules::carrier::{Refusal, Warning, reason_phrase};

use super::{Call, End};
use crate::ending_sentence::ending_sentence;
use crate::hung_up_by::HungUpBy;
use crate::inspection;
use crate::record::Ending;
use crate::stack::Incoming;

impl Call<'_> {
    /// Refuses an admitted call with the response of this ending.
    pub(super) async fn refuse(&mut self, mut request: Incoming, ending: Ending) -> Box<End> {
        self.respond_with(&mut request, &ending).await;
        Box::new(End::Unanswered(ending, request))
    }

    /// Sends the final response of a call that ended unanswered. The response to a caller that a trunk identifies has
    /// the sentence of the call's record.
    pub(super) async fn respond_with(&mut self, request: &mut Incoming, ending: &Ending) {
        // A proxy that tries its next destination sends the INVITE again, as soon as it has the refusal.
        self.pending = None;
        let header = inspection::header_of(ending.code, self.inner.core.ids.word());
        let warning = ending.warning.map(|warning| self.warning(warning));
        // A call that the caller ended itself was not refused.
        let is_refusal = ending.by != HungUpBy::Caller;
        let diagnosis = (is_refusal && self.inner.diagnoses(request)).then(|| {
            let (cause, trunk) = (Some(ending.cause), Some(self.call_state().trunk.id.as_str()));
            let value = Refusal::diagnosis_without_check(cause, trunk, &ending_sentence(ending));
            (Refusal::DIAGNOSIS_HEADER, value)
        });
        let headers: Vec<(&str, &str)> = header
            .iter()
            .chain(&warning)
            .chain(&diagnosis)
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        request.respond(ending.code, reason_phrase(ending.code), &headers, "").await;
    }

    /// The header of a response that refuses media.
    pub(super) fn warning(&self, warning: Warning) -> inspection::Header {
        ("Warning", warning.header(&self.inner.config.server_name))
    }
}
