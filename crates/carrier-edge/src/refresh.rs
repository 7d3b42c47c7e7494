//! Refreshing the session of a call, where that is for us to do (RFC 4028 §7.4).

use std::time::Duration;

use tokio::sync::oneshot;

use super::call::Call;
use super::stack::Final;
use sip_transport::session_timer::{Said, Session};

/// How long until a refresh is tried again that failed for a reason that may pass.
const AGAIN: Duration = Duration::from_secs(3);
/// The longest wait after a refresh that met one of the caller's, in steps of 10 ms (RFC 3261 §14.1: this side did not
/// make the dialog's `Call-ID`).
const STEPS_AFTER_GLARE: u64 = 200;

/// A refresh that is under way.
pub(crate) struct Refreshing {
    outcome: oneshot::Receiver<Option<Final>>,
    /// Whether it carries an offer.
    pub offers: bool,
}

/// What became of a refresh; for ever where there is none. Safe to give up waiting for.
pub(crate) async fn outcome(refreshing: Option<&mut Refreshing>) -> Option<Final> {
    match refreshing {
        Some(refreshing) => (&mut refreshing.outcome).await.ok().flatten(),
        None => std::future::pending().await,
    }
}

impl Call<'_> {
    /// Refreshes the session: by UPDATE where the caller understands it, else by an INVITE with what was said before.
    pub(crate) async fn refresh(&mut self) {
        let (Some(session), Some(dialog)) = (self.session.as_mut(), self.dialog.as_ref()) else { return };
        let (updates, contact) = (dialog.updates, dialog.contact.clone());
        session.wait();
        let (expires, least) = (session.terms.in_request(), self.least_interval.to_string());
        let offer = if updates { String::new() } else { self.offer() };
        let mut headers = vec![
            ("Contact", &*contact),
            ("Allow", super::stack::ALLOW),
            ("Supported", super::stack::SUPPORTED),
            ("Session-Expires", expires.as_str()),
        ];
        if self.least_interval > 0 {
            headers.push(("Min-SE", least.as_str()));
        }
        let Some(dialog) = self.dialog.as_mut() else { return };
        match dialog.refresh(&headers, &offer).await {
            Some(sent) => {
                let (sender, outcome) = oneshot::channel();
                tokio::spawn(async move {
                    // The call may be over meanwhile.
                    let _gone = sender.send(sent.answer().await);
                });
                self.refreshing = Some(Refreshing { outcome, offers: !offer.is_empty() });
            }
            None => self.refresh_after(AGAIN),
        }
    }

    fn refresh_after(&mut self, wait: Duration) {
        let at = self.inner.core.clock.now().after(wait);
        if let Some(session) = &mut self.session {
            session.try_again_at(at);
        }
    }

    /// Takes what became of a refresh; returns whether the call goes on. One that fails for another reason than that
    /// the caller does not know the call is tried again until the session is over.
    pub(crate) async fn refreshed(&mut self, response: Option<Final>) -> bool {
        let offered = self.refreshing.take().is_some_and(|refreshing| refreshing.offers);
        let Some(Final { code, headers, description }) = response else { return false };
        if offered && !(200..300).contains(&code) {
            self.speech.awaits = false;
        }
        let said = Said::of(&headers).unwrap_or_default();
        match code {
            200..300 => {
                let now = self.inner.core.clock.now();
                self.session = said.agreed().map(|terms| Session::new(terms, now));
                return !offered || self.answered_offer(description.as_deref()).await.is_ok();
            }
            408 | 481 => return false,
            422 => match (said.least, self.session.as_mut()) {
                (Some(least), Some(session)) if least > session.terms.interval => {
                    session.terms.interval = least;
                    self.least_interval = least;
                    self.refresh_after(Duration::ZERO);
                }
                _ => self.refresh_after(AGAIN),
            },
            405 | 501 if !offered => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.updates = false;
                }
                self.refresh_after(Duration::ZERO);
            }
            491 => {
                let steps = self.inner.core.ids.word() % STEPS_AFTER_GLARE;
                self.refresh_after(Duration::from_millis(10 * steps));
            }
            _ => self.refresh_after(AGAIN),
        }
        true
    }
}
