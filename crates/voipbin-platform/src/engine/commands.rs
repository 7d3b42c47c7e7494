//! The commands of requests to the task of a call.

use sip_dialler::Leg;
use trunk_rules::outbound::is_before_answer;
use voipbin_types::CallStatus;

use super::Running;
use crate::active_calls::Command;
use crate::error::{ApiError, ApiResult};

impl Running<'_> {
    /// Carries out a command; none means that no further one can come. `leg` is the present attempt, if there is one.
    pub(super) async fn obey(&mut self, command: Option<Command>, leg: Option<&Leg>) {
        match command {
            Some(Command::HangUp(reply)) => {
                Box::pin(self.hang_up(leg)).await;
                // Fails only if the client has disconnected.
                let _disconnected = reply.send(self.acknowledgement());
            }
            Some(Command::Delete(reply)) => {
                Box::pin(self.hang_up(leg)).await;
                let answer = if self.call.deleted {
                    Err(ApiError::state_invalid())
                } else {
                    self.call.mark_deleted(self.platform.timestamps.next());
                    Box::pin(self.save("call_deleted")).await;
                    self.acknowledgement()
                };
                let _disconnected = reply.send(answer);
            }
            Some(Command::Tries(reply)) => {
                if let Some(leg) = leg {
                    self.note_tries(leg);
                }
                let _disconnected = reply.send(self.call.private.tries.clone());
            }
            Some(Command::Stop) | None => Box::pin(self.hang_up(leg)).await,
        }
    }

    /// Carries out the commands that came while no attempt was in progress, and returns whether the call is hung up: a
    /// further carrier must not be called then, not even for a moment.
    pub(super) async fn obey_waiting(&mut self) -> bool {
        while let Some(command) = self.slot.commands.try_recv() {
            Box::pin(self.obey(Some(command), None)).await;
        }
        !is_before_answer(&self.call.public.status)
    }

    /// The reply to a command: the call, or an error if the call's current state could not be written.
    fn acknowledgement(&self) -> ApiResult {
        if self.unwritten.is_empty() && !self.is_removed {
            Ok(self.call.public_json())
        } else {
            Err(ApiError::busy())
        }
    }

    /// Hangs up. Does nothing if this server hangs up already.
    pub(super) async fn hang_up(&mut self, leg: Option<&Leg>) {
        let status = if is_before_answer(&self.call.public.status) {
            CallStatus::Canceling
        } else {
            CallStatus::Terminating
        };
        self.become_status(status).await;
        if let Some(leg) = leg {
            leg.hang_up();
        }
    }
}
