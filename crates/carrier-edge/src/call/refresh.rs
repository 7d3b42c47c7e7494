//! Refreshes the session of a call when the edge is the refresher (RFC 4028 §7.4).

use std::sync::Arc;
use std::time::Duration;

use service_base::awaited::Awaited;
use sip_transport::session_timer::{Session, TimerHeaders};
use sip_transport::streams::Lease;
use tokio::sync::oneshot;
use trunk_rules::carrier::Cause;

use super::Call;
use super::endings::ending;
use super::pending_refresh::PendingRefresh;
use crate::record::Ending;
use crate::stack::FinalResponse;

/// The delay before a failed refresh is repeated.
const REFRESH_RETRY_DELAY: Duration = Duration::from_secs(3);
/// After a 491, the next attempt waits a random number of 10 ms steps below this one: up to 2 seconds,
/// because the edge did not create the dialog's `Call-ID` (RFC 3261 §14.1).
const MAX_GLARE_STEPS: u64 = 200;

impl Call<'_> {
    /// Refreshes the session. If the caller closed its connection, a task opens another one first, and the call goes on
    /// meanwhile.
    pub(super) async fn refresh(&mut self) {
        let (Some(session), Some(dialog)) = (self.session.as_mut(), self.dialog.as_ref()) else { return };
        if !dialog.is_closed() {
            return self.send_refresh(None).await;
        }
        session.wait();
        let (mut sender, reconnecting) = oneshot::channel();
        let (dialog, stack) = (dialog.clone(), Arc::clone(self.stack));
        tokio::spawn(async move {
            let opened = tokio::select! {
                // The call has ended.
                () = sender.closed() => return,
                opened = dialog.connect(stack.reconnections()) => opened,
            };
            let _ended = sender.send(opened.map(Box::new));
        });
        self.reconnecting = Some(reconnecting);
    }

    /// Sends the refresh that waited for a connection. `None` if there can be none.
    pub(super) async fn reconnected(&mut self, lease: Option<Box<Lease>>) {
        self.reconnecting = None;
        let Some(dialog) = self.dialog.as_mut() else { return };
        if let Some(lease) = &lease {
            dialog.move_to(lease);
        }
        if dialog.is_closed() {
            // A connection that the caller closes at once is no reason to open the next one at once.
            return self.refresh_after(REFRESH_RETRY_DELAY);
        }
        self.send_refresh(lease.map(|lease| *lease)).await;
    }

    /// Sends a refresh: an UPDATE if the caller allows it, otherwise an INVITE with an offer of the current
    /// media. `lease` is that of a connection which was opened for it.
    async fn send_refresh(&mut self, lease: Option<Lease>) {
        let (Some(session), Some(dialog)) = (self.session.as_mut(), self.dialog.as_ref()) else { return };
        let (allows_update, contact) = (dialog.allows_update, dialog.contact.clone());
        session.wait();
        if !allows_update && self.reinvite.is_some() {
            // The caller's own INVITE has no ACK yet (RFC 3261 §14.1).
            return self.refresh_after(REFRESH_RETRY_DELAY);
        }
        let (session_expires, min_se) = (session.terms.in_request(), self.min_session_interval.to_string());
        let offer = if allows_update { String::new() } else { self.refresh_offer() };
        let mut headers = vec![
            ("Contact", &*contact),
            ("Allow", crate::stack::ALLOW),
            ("Supported", crate::stack::SUPPORTED),
            ("Session-Expires", session_expires.as_str()),
        ];
        if self.min_session_interval > 0 {
            headers.push(("Min-SE", min_se.as_str()));
        }
        let Some(dialog) = self.dialog.as_mut() else { return };
        let Some(sent) = dialog.refresh(&headers, &offer, lease).await else {
            if !offer.is_empty() {
                // The caller has nothing to answer, and may make an offer of its own.
                self.sdp_state.awaits_answer = false;
            }
            return self.refresh_after(REFRESH_RETRY_DELAY);
        };
        let response = Awaited::new(sent.answer());
        self.pending_refresh = Some(Box::new(PendingRefresh { response, has_offer: !offer.is_empty() }));
    }

    fn refresh_after(&mut self, wait: Duration) {
        let at = self.inner.core.clock.now().after(wait);
        if let Some(session) = &mut self.session {
            session.try_again_at(at);
        }
    }

    /// Handles the final response to a refresh. After failures other than those below, the refresh is repeated
    /// until the session expires.
    ///
    /// # Errors
    /// The ending of a call that must end: there was no response (408), the caller does not know the dialog
    /// (481), or the answer to the offer does not match.
    pub(super) async fn refreshed(&mut self, response: Option<FinalResponse>) -> Result<(), Ending> {
        let offered = self.pending_refresh.take().is_some_and(|pending| pending.has_offer);
        let Some(FinalResponse { code, headers, description }) = response else {
            return Err(ending(Cause::SessionTimeout));
        };
        if offered && !(200..300).contains(&code) {
            self.sdp_state.awaits_answer = false;
        }
        let timer = TimerHeaders::of(&headers).unwrap_or_default();
        match code {
            200..300 => {
                let now = self.inner.core.clock.now();
                if let Some(dialog) = &mut self.dialog {
                    dialog.retarget(&headers);
                }
                self.session = timer.agreed().map(|terms| Session::new(terms, now));
                tracing::debug!(call = %self.registered.call_state.origin.id, "the caller agreed to continue the session");
                if offered {
                    self.answered_refresh(description).await?;
                }
            }
            408 | 481 => return Err(ending(Cause::SessionTimeout)),
            422 => match (timer.min_se, self.session.as_mut()) {
                (Some(min_se), Some(session)) if min_se > session.terms.interval => {
                    session.terms.interval = min_se;
                    self.min_session_interval = min_se;
                    self.refresh_after(Duration::ZERO);
                }
                _ => self.repeat_refused(code),
            },
            405 | 501 if !offered => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.allows_update = false;
                }
                self.refresh_after(Duration::ZERO);
            }
            491 => {
                let steps = self.inner.core.ids.word() % MAX_GLARE_STEPS;
                self.refresh_after(Duration::from_millis(10 * steps));
            }
            // Also a challenge, because the edge has no credentials of its callers.
            _ => self.repeat_refused(code),
        }
        Ok(())
    }

    /// Repeats a refresh that was refused with this code, and logs that.
    fn repeat_refused(&mut self, code: u16) {
        let id = self.registered.call_state.origin.id;
        if self.inner.log_sums.refused_refreshes.admits(id, self.inner.core.clock.now()) {
            tracing::info!(
                call = %id,
                code,
                "the caller refused the refresh of the session, which will be repeated"
            );
        }
        self.refresh_after(REFRESH_RETRY_DELAY);
    }
}
