//! The admission policy of a trunk: the part of its terms that many trunks of an account share, stored once for all of
//! them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use didww_types::resources::MediaEncryptionMode;
use didww_types::values::Money;

use super::callers::Callers;
use super::network::Address;
use super::subnet_set::SubnetSet;
use super::{AccountDids, CallerSet, CliRule, DestinationRule, RtpTerms};

/// The admission policy of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrunkPolicy {
    /// The account that owns the trunk, by the identifier that the index's user chooses.
    pub account: Arc<str>,
    /// The maximum spending in a rolling 24 hours, in US dollars; `None` is unlimited.
    pub threshold: Option<Money>,
    /// The maximum number of simultaneous calls; `None` is unlimited.
    pub capacity: Option<u32>,
    /// The tech prefix, dialled before the number; may be empty.
    pub tech_prefix: Box<str>,
    /// The destinations that the trunk may call.
    pub destinations: DestinationRule,
    /// The caller numbers that the trunk may present.
    pub cli: CliRule,
    /// How the media of its calls is encrypted.
    pub media_encryption_mode: MediaEncryptionMode,
    /// How its media is accepted and sent.
    pub rtp: RtpTerms,
    pub(super) networks: SubnetSet,
    pub(super) emergency: Callers,
}

impl TrunkPolicy {
    /// Whether calls from an address are allowed.
    pub fn allows(&self, source: std::net::IpAddr) -> bool {
        self.allows_source(Address::of(source))
    }

    pub(super) fn allows_source(&self, source: Address) -> bool {
        self.networks.contains(source)
    }

    /// Whether a dialled text begins with the tech prefix.
    pub fn allows_dialled(&self, dialled: &[u8]) -> bool {
        dialled.starts_with(self.tech_prefix.as_bytes())
    }

    /// The numbers from which emergency calls may be made. `dids` are those of the account, by which the trunk was
    /// prepared.
    pub const fn emergency_callers<'a>(&'a self, dids: &'a AccountDids) -> CallerSet<'a> {
        CallerSet::emergency(dids, &self.emergency)
    }
}

/// The policies of the trunks of an index, each once.
///
/// One that no trunk has any more is forgotten at once. A call in progress keeps its own.
#[derive(Debug, Default)]
pub(super) struct Policies {
    known: HashSet<Arc<TrunkPolicy>>,
    /// The number of trunks beyond the first of each policy that several trunks share, by the policy's address. A
    /// policy of one trunk has no entry: a million of such entries would take as much memory as the table of policies.
    further: HashMap<usize, usize>,
    /// The known policy that was shared last. Trunks that were made one after the other mostly have the same one, and
    /// comparing two takes a tenth of the instructions of hashing one.
    last: Option<Arc<TrunkPolicy>>,
}

impl Policies {
    /// Counts a trunk that has a policy. The policy is replaced by an equal one of another trunk, if there is one.
    pub(super) fn share(&mut self, policy: &mut Arc<TrunkPolicy>) {
        if let Some(last) = self.last.as_ref().filter(|last| **last == *policy) {
            *policy = Arc::clone(last);
        } else if let Some(known) = self.known.get(&**policy) {
            *policy = Arc::clone(known);
            self.last = Some(Arc::clone(policy));
        } else {
            self.known.insert(Arc::clone(policy));
            self.last = Some(Arc::clone(policy));
            return;
        }
        *self.further.entry(address_of(policy)).or_default() += 1;
    }

    /// Forgets a trunk whose policy was [shared](Self::share).
    pub(super) fn release(&mut self, policy: &Arc<TrunkPolicy>) {
        let address = address_of(policy);
        let Some(further) = self.further.get_mut(&address) else {
            self.known.remove(&**policy);
            if self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, policy)) {
                self.last = None;
            }
            return;
        };
        *further = further.saturating_sub(1);
        if *further == 0 {
            self.further.remove(&address);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.further.is_empty() && self.last.is_none()
    }
}

/// The address of a policy, which no other one has while it is known.
fn address_of(policy: &Arc<TrunkPolicy>) -> usize {
    Arc::as_ptr(policy).addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::{CliAction, DidFacts};
    use didww_types::resources::DefaultDstAction;

    fn policy(capacity: u32, callers: Callers) -> Arc<TrunkPolicy> {
        Arc::new(TrunkPolicy {
            account: "a".into(),
            threshold: None,
            capacity: Some(capacity),
            tech_prefix: "".into(),
            destinations: DestinationRule::new(
                &DefaultDstAction::AllowAll,
                crate::carrier::PrefixSet::new([]),
            ),
            cli: CliRule::new(CliAction::Reject, callers, None),
            media_encryption_mode: MediaEncryptionMode::Disabled,
            rtp: RtpTerms::for_tests(&["192.0.2.0/24"], false),
            networks: SubnetSet::default(),
            emergency: own(),
        })
    }

    fn own() -> Callers {
        Callers::Own(Box::default())
    }

    #[test]
    fn equal_policies_are_kept_once_and_others_are_not_mistaken_for_them() {
        let mut policies = Policies::default();
        let share = |policies: &mut Policies, mut policy: Arc<TrunkPolicy>| {
            policies.share(&mut policy);
            policy
        };
        let first = share(&mut policies, policy(1, own()));
        assert!(Arc::ptr_eq(&first, &share(&mut policies, policy(1, own()))));
        assert_eq!(share(&mut policies, policy(2, own())).capacity, Some(2));
        let all = share(&mut policies, policy(1, Callers::All));
        assert!(Arc::ptr_eq(&all, &share(&mut policies, policy(1, Callers::All))));
        let dids = AccountDids::new(["1", "2"].map(|number| DidFacts {
            id: number.into(),
            number: format!("44201111111{number}"),
            eligible: true,
            emergency_enabled: false,
            expires_at: None,
        }));
        let linked = |id: &str| Callers::Own(dids.links(&[id.into()]));
        let to_one = share(&mut policies, policy(1, linked("1")));
        assert!(Arc::ptr_eq(&to_one, &share(&mut policies, policy(1, linked("1")))));
        for callers in [own(), linked("2")] {
            let other = share(&mut policies, policy(1, callers));
            assert!(!Arc::ptr_eq(&all, &other) && !Arc::ptr_eq(&to_one, &other));
        }
    }

    #[test]
    fn a_policy_is_known_for_as_long_as_a_trunk_has_it() {
        let mut policies = Policies::default();
        let (mut one, mut other) = (policy(1, own()), policy(1, own()));
        policies.share(&mut one);
        policies.share(&mut other);
        policies.release(&one);
        let mut again = policy(1, own());
        policies.share(&mut again);
        assert!(Arc::ptr_eq(&other, &again), "one trunk has it still");
        policies.release(&other);
        policies.release(&again);
        assert!(policies.is_empty());
    }
}
