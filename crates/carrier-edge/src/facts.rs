//! What is known of a call from its admission on, kept once for its task, for whoever lists calls, and for its record.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use didww_types::Timestamp;
use trunk_rules::carrier::{Admitted, Cli, Digits, Identified, Rate, TrunkTerms};
use uuid::Uuid;

use super::Inner;
use super::event::{self, Event};
use super::stack::Incoming;
use service_base::mailbox::Mailbox;

/// What names a dialog: the call id, the caller's tag and ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) call_id: Box<str>,
    pub(crate) remote: Box<str>,
    pub(crate) local: Box<str>,
}

impl Key {
    /// The dialog of a request that comes in.
    pub(crate) fn of(request: &Incoming) -> Option<Self> {
        Some(Self {
            call_id: request.call_id().into(),
            remote: request.remote_tag()?.into(),
            local: request.local_tag()?.into(),
        })
    }
}

/// Where an INVITE came from and what it says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The id of its record.
    pub(crate) id: Uuid,
    pub(crate) started: Timestamp,
    pub(crate) source: SocketAddr,
    pub(crate) protocol: &'static str,
    pub(crate) user_agent: Option<Box<str>>,
    pub(crate) p_charge_info: Option<Box<str>>,
}

impl Origin {
    pub(crate) fn of(inner: &Inner, request: &Incoming, started: Timestamp) -> Self {
        Self {
            id: inner.core.ids.record(started),
            started,
            source: request.source(),
            protocol: request.transport(),
            user_agent: request.value("User-Agent").map(Into::into),
            p_charge_info: request.value("P-Charge-Info").map(Into::into),
        }
    }
}

/// A call that was let through.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) key: Key,
    pub(crate) origin: Origin,
    pub(crate) trunk: Arc<TrunkTerms>,
    pub(crate) dialled: Box<str>,
    pub(crate) destination: Digits,
    pub(crate) cli: Cli,
    pub(crate) is_emergency: bool,
    pub(crate) rate: Option<Rate>,
    /// Whether the caller has shown that it hears what is sent to its address.
    pub(crate) is_heard: bool,
    /// What comes for it.
    pub(crate) mailbox: Mailbox<Event>,
    /// When it was answered, in milliseconds; `NEVER` before.
    connected: AtomicI64,
    /// The number of the caller's last request in the dialog.
    sequence: AtomicU32,
}

const NEVER: i64 = i64::MIN;

impl Facts {
    pub(crate) fn new(key: Key, origin: Origin, sequence: u32, admitted: Admitted) -> Self {
        let Admitted { trunk, identified, dialled, destination, cli, emergency, rate, .. } = admitted;
        let is_heard = origin.protocol != "udp" || matches!(identified, Identified::Digest { .. });
        Self {
            key,
            origin,
            trunk,
            dialled: dialled.into(),
            destination,
            cli,
            is_emergency: emergency.is_some(),
            rate,
            is_heard,
            mailbox: Mailbox::new(event::MOST),
            connected: AtomicI64::new(NEVER),
            sequence: AtomicU32::new(sequence),
        }
    }

    /// Notes the number of a request in the dialog; returns whether it comes in its order.
    pub(crate) fn follows(&self, sequence: u32) -> bool {
        self.sequence.fetch_max(sequence, Ordering::Relaxed) <= sequence
    }

    /// Notes that it was answered.
    pub(crate) fn connect(&self, at: Timestamp) {
        self.connected.store(at.as_unix_millis(), Ordering::Relaxed);
    }

    /// When it was answered.
    pub(crate) fn connected(&self) -> Option<Timestamp> {
        let at = self.connected.load(Ordering::Relaxed);
        (at != NEVER).then(|| Timestamp::from_unix_millis(at))
    }

    /// The store's id of the trunk.
    pub(crate) fn trunk_number(&self) -> Option<Uuid> {
        self.trunk.id.as_str().parse().ok()
    }

    /// Whether the threshold does not hold for it.
    pub(crate) fn is_exempt(&self, inner: &Inner) -> bool {
        self.is_emergency && inner.config.settings.emergency_bypass
    }

    /// The store's number of the account.
    pub(crate) fn account(&self) -> i64 {
        self.trunk.account.parse().unwrap_or_default()
    }
}
