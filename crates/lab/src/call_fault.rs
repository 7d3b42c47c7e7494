//! The effects of a fault on a call of the carrier edge.

use std::time::Duration;

use uuid::Uuid;

use crate::dice;
use crate::fault::{Effect, Target};
use crate::faults::{Seen, Strike};
use crate::handle::Lab;

/// The effects of a fault on a call that a trunk admitted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallFault {
    /// The id of the fault, unique in this process.
    pub id: u64,
    /// The time by which ringing is prolonged.
    pub delay: Duration,
    /// The SIP status with which the called party rejects the call.
    pub refusal: Option<u16>,
    /// Whether the called party never answers.
    pub is_never_answered: bool,
    /// Whether the ACK of the answer does not arrive.
    pub loses_ack: bool,
    /// The loss of RTP packets to the caller.
    pub loss: Option<PacketLoss>,
}

/// Decides for each packet whether it is lost.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketLoss {
    share: f64,
    seed: u64,
    position: u64,
}

impl PacketLoss {
    /// Whether the next packet is lost.
    pub fn takes_next(&mut self) -> bool {
        let position = self.position;
        self.position = position.wrapping_add(1);
        dice::happens(self.share, self.seed, position)
    }
}

impl Lab {
    /// Whether a fault for calls is set.
    pub fn takes_calls(&self) -> bool {
        self.faults().takes_calls()
    }

    /// Finds the fault that applies to a call through a trunk to a destination number.
    pub fn call(&self, account: Option<Uuid>, trunk: Option<Uuid>, number: &str) -> Option<CallFault> {
        let call = Seen { target: Target::Calls, account, trunk, method: "INVITE", path: number };
        let Strike { id, fault, delay, position } = self.faults().strike(call)?;
        let share = match fault.effect {
            Effect::OneWayAudio => Some(1.0),
            Effect::PacketLoss => fault.loss,
            _ => None,
        };
        // Each call loses different packets; in a repeated run, the n-th call loses the same ones.
        let seed = fault.seed.wrapping_add(position);
        Some(CallFault {
            id,
            delay,
            refusal: fault.status.filter(|_| fault.effect == Effect::Status),
            is_never_answered: fault.effect == Effect::NoAnswer,
            loses_ack: fault.effect == Effect::LostAck,
            loss: share.map(|share| PacketLoss { share, seed, position: 0 }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;

    #[test]
    fn a_call_is_taken_by_its_number_and_its_trunk() {
        let (lab, trunk) = (Lab::default(), Uuid::from_u128(1));
        assert!(!lab.takes_calls());
        lab.faults().add(Fault::status(486).of_calls().path("4420*").trunk(trunk)).unwrap();
        assert!(lab.takes_calls());
        assert_eq!(lab.call(None, Some(trunk), "442079460018").and_then(|fault| fault.refusal), Some(486));
        assert_eq!(lab.call(None, None, "442079460018"), None);
        assert_eq!(lab.call(None, Some(trunk), "12025550143"), None);
    }

    #[test]
    fn the_nth_call_loses_the_same_packets_again() {
        let calls = || {
            let lab = Lab::default();
            lab.faults().add(Fault::packet_loss(0.5, 7)).unwrap();
            let of_call = || {
                let mut loss = lab.call(None, None, "1").and_then(|fault| fault.loss).unwrap();
                (0..64).map(|_| loss.takes_next()).collect::<Vec<_>>()
            };
            (of_call(), of_call())
        };
        assert_eq!(calls(), calls());
        assert_ne!(calls().0, calls().1);
        let lab = Lab::default();
        lab.faults().add(Fault::new(Effect::OneWayAudio).of_calls()).unwrap();
        let mut loss = lab.call(None, None, "1").and_then(|fault| fault.loss).unwrap();
        assert!((0..1_000).all(|_| loss.takes_next()));
    }
}
