//! INFO requests in the dialog of a call: DTMF.

use trunk_rules::carrier::{DTMF_MEDIA_TYPES, InfoError, info_signal};

use super::Call;
use super::requests::respond_in_background;
use crate::attempt_log::refused_in_call;
use crate::stack::Incoming;

impl Call<'_> {
    /// Counts the key of an INFO request and answers it. No info package (RFC 6086) is supported.
    pub(super) fn handle_info(&self, request: Incoming) {
        let refused = |code, why| refused_in_call(self.inner, &request, code, why);
        if request.value("Info-Package").is_some() {
            refused(469, "no info package is supported");
            return respond_in_background(request, 469, Some(("Recv-Info", String::new())));
        }
        match info_signal(request.value("Content-Type"), request.body()) {
            Ok(signal) => {
                if let Some(signal) = signal {
                    self.call_state().media.lock().dtmf.info(signal);
                }
                respond_in_background(request, 200, None);
            }
            Err(InfoError::Type) => {
                refused(415, "the body of the INFO has another type than DTMF");
                respond_in_background(request, 415, Some(("Accept", DTMF_MEDIA_TYPES.to_owned())));
            }
            Err(InfoError::Signal) => {
                refused(400, "the body of the INFO contains no DTMF key");
                respond_in_background(request, 400, None);
            }
        }
    }
}
