//! Requests inside a dialog.

use super::Inner;
use super::facts::Key;
use super::stack::Incoming;

/// Hands a request to its call, or says that there is no such call.
pub(super) async fn serve(inner: &Inner, request: Incoming) {
    let undelivered = match Key::of(&request) {
        Some(key) if request.method() == "BYE" => {
            if inner.calls.hang_up(&key) {
                return request.finish(200, "OK", &[]).await;
            }
            request
        }
        Some(key) => match inner.calls.deliver(&key, request) {
            Ok(()) => return,
            Err(request) => *request,
        },
        None => request,
    };
    undelivered.finish(481, "Call/Transaction Does Not Exist", &[]).await;
}
