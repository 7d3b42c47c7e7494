//! The rules of outbound trunks.

use didww_types::resources::{
    AuthenticationMethod, Did, IpOnly, OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkPartial,
};
use didww_types::values::IpNetworks;
use didww_types::{ApiVersion, DecodeError, Feature, Partial as _, Resource as _, Violation};

use super::draft::Draft;
use super::{Credentials, MembersRead, Membership, Refusal, Rules, WriteContext, blocking};

const DEFAULT_DID: &str = VoiceOutTrunk::DEFAULT_DID.as_str();
const DIDS: &str = VoiceOutTrunk::DIDS.as_str();
const EMERGENCY_DIDS: &str = VoiceOutTrunk::EMERGENCY_DIDS.as_str();

const ON_CLI_MISMATCH_ACTION: &str = VoiceOutTrunk::SPEC.attribute_name("on_cli_mismatch_action");
const THRESHOLD_AMOUNT: &str = VoiceOutTrunk::SPEC.attribute_name("threshold_amount");
const ALLOW_ANY_DID_AS_CLI: &str = VoiceOutTrunk::SPEC.attribute_name("allow_any_did_as_cli");
const EMERGENCY_ENABLE_ALL: &str = VoiceOutTrunk::SPEC.attribute_name("emergency_enable_all");

/// The DIDs that can be caller numbers.
const ELIGIBLE: &[(&str, bool)] =
    &[(Did::SPEC.attribute_name("blocked"), false), (Did::SPEC.attribute_name("terminated"), false)];
/// The DIDs with emergency calling.
const EMERGENCY: &[(&str, bool)] = &[(Did::SPEC.attribute_name("emergency_enabled"), true)];

impl Rules for VoiceOutTrunk {
    const COMPUTED: &'static [&'static str] = &[DIDS, EMERGENCY_DIDS];
    const INITIAL_META: Option<&'static str> = Some("{\"spent_amount\":\"0.0\"}");

    /// A request that only sets the mismatch action is decided on the default DID that the trunk has.
    const WRITE_READS: &'static [MembersRead] =
        &[MembersRead { relationship: DEFAULT_DID, attribute: ON_CLI_MISMATCH_ACTION }];

    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        threshold(context, draft);
        authentication(context, draft);
        default_did(context, draft);
        draft.require_linked_records(context);
        if allows_any_did(draft) {
            clear_managed_members(ALLOW_ANY_DID_AS_CLI, DIDS, context, draft);
        }
        if allows_all_emergency_dids(draft) {
            clear_managed_members(EMERGENCY_ENABLE_ALL, EMERGENCY_DIDS, context, draft);
        }
        registered_members(context, draft)?;
        emergency_members(context, draft)?;
        blocking::apply(context, draft)
    }

    /// With `allow_any_did_as_cli`, a trunk's DIDs are all eligible DIDs of the account; with
    /// `emergency_enable_all`, its emergency DIDs are all those with emergency calling. The service maintains
    /// both.
    fn membership(owner: &VoiceOutTrunkPartial, relationship: &str) -> Membership {
        if relationship == DIDS && owner.allow_any_did_as_cli == Some(true) {
            Membership::Matching(ELIGIBLE)
        } else if relationship == EMERGENCY_DIDS && owner.emergency_enable_all.flatten() == Some(true) {
            Membership::Matching(EMERGENCY)
        } else {
            Membership::Linked
        }
    }

    /// A trunk whose `allowed_sip_ips` include the whole Internet: with `ip_only` it is open to all senders, otherwise
    /// only its password protects it.
    fn notice(attributes: &str) -> Option<&'static str> {
        // Most trunks are recognised without decoding them: a network of the whole Internet ends so.
        if !attributes.contains("/0\"") {
            return None;
        }
        let method = VoiceOutTrunkPartial::from_attributes(attributes).ok()?.authentication_method?;
        let is_open = method.allowed_sip_ips()?.has_every_address();
        match method {
            AuthenticationMethod::IpOnly(_) if is_open => {
                Some("the trunk takes calls from any address, without a password")
            }
            _ if is_open => Some("the trunk takes calls from any address that has its password"),
            _ => None,
        }
    }
}

/// In the older API versions, a new trunk has no threshold unless one is sent.
fn threshold(context: &WriteContext<'_>, draft: &mut Draft<VoiceOutTrunk>) {
    let is_older = !context.version.has_corrected_rules();
    if is_older && context.is_create() && !context.sent.contains_key(THRESHOLD_AMOUNT) {
        draft.changes.threshold_amount = Some(None);
    }
}

/// From 2026-04-16 on, `replace_cli` requires a default DID, and the other actions refuse one. Only members that the
/// request names are checked, so that a trunk of an older version can be changed in other respects.
fn default_did(context: &WriteContext<'_>, draft: &mut Draft<VoiceOutTrunk>) {
    if !context.version.has_corrected_rules() || !context.features.has(Feature::ReplaceCli) {
        return;
    }
    let sent_action = draft.changes.on_cli_mismatch_action.as_ref();
    let stored_action = draft.before.as_ref().map(|trunk| &trunk.on_cli_mismatch_action);
    let Some(action) = sent_action.or(stored_action) else { return };
    let sent = context.linked(DEFAULT_DID).map(|records| !records.is_empty());
    let is_stored = || !context.stored(DEFAULT_DID).is_empty();
    let refuse = |violation, why: &str| Refusal::relationship(DEFAULT_DID, violation).because(why);
    if *action != OnCliMismatchAction::ReplaceCli {
        if sent == Some(true) {
            draft.refusals.push(refuse(Violation::MustBeBlank, "on_cli_mismatch_action is not replace_cli"));
        }
    } else if (sent.is_some() || sent_action.is_some()) && !sent.unwrap_or_else(is_stored) {
        draft.refusals.push(refuse(Violation::Blank, "on_cli_mismatch_action is replace_cli"));
    }
}

/// From 2026-11-19 on, a DID that awaits its registration cannot be a caller number.
fn registered_members(
    context: &WriteContext<'_>,
    draft: &mut Draft<VoiceOutTrunk>,
) -> Result<(), DecodeError> {
    if context.version < ApiVersion::V2026_11_19 {
        return Ok(());
    }
    for record in context.linked(DIDS).unwrap_or_default() {
        let Some(did) = record.decode::<Did>()? else { continue };
        if did.awaiting_registration == Some(true) {
            let refusal = Refusal::member(DIDS, &record.id, Violation::Invalid);
            draft.refusals.push(refusal.because("the DID awaits its registration"));
        }
    }
    Ok(())
}

/// Only staff can set `ip_only`. A trunk that changes to `credentials_and_ip` receives new credentials; a
/// trunk that has this method already keeps its credentials.
fn authentication(context: &WriteContext<'_>, draft: &mut Draft<VoiceOutTrunk>) {
    let Some(sent) = &mut draft.changes.authentication_method else { return };
    let before = draft.before.as_ref().map(|trunk| &trunk.authentication_method);
    let is_older = !context.version.has_corrected_rules();
    if let AuthenticationMethod::IpOnly(_) = sent {
        let violation =
            if before.is_none() { Violation::NotAllowedForCreation } else { Violation::NotAllowedForUpdate };
        let pointer = "/data/attributes/authentication_method/type";
        draft.refusals.push(Refusal::member_at(pointer, "type", violation));
        return;
    }
    if let (true, Some(AuthenticationMethod::IpOnly(_))) = (is_older, before) {
        let why = "only staff can change the addresses of an ip_only trunk";
        let refusal = Refusal::attribute("allowed_sip_ips", Violation::NotAllowedForUpdate);
        draft.refusals.push(refusal.because(why));
        return;
    }
    let AuthenticationMethod::CredentialsAndIp(sent) = sent else { return };
    let stored = match before {
        Some(AuthenticationMethod::CredentialsAndIp(stored)) => Some(stored),
        _ => None,
    };
    if is_older {
        // The older versions have no member for the tech prefix, so they keep the stored one.
        sent.tech_prefix = stored.and_then(|method| method.tech_prefix.clone());
    }
    let kept = stored.and_then(|method| Some((method.username.clone()?, method.password.clone()?)));
    let (username, password) =
        kept.unwrap_or_else(|| (context.fresh.username.clone(), context.fresh.password.clone()));
    (sent.username, sent.password) = (Some(username), Some(password));
}

fn allows_any_did(draft: &Draft<VoiceOutTrunk>) -> bool {
    let stored = draft.before.as_ref().is_some_and(|trunk| trunk.allow_any_did_as_cli);
    draft.changes.allow_any_did_as_cli.unwrap_or(stored)
}

fn allows_all_emergency_dids(draft: &Draft<VoiceOutTrunk>) -> bool {
    let stored = draft.before.as_ref().and_then(|trunk| trunk.emergency_enable_all);
    draft.changes.emergency_enable_all.flatten().or(stored).unwrap_or_default()
}

/// While the switch is on, the service maintains the members: a request may name none, and the linked members
/// are removed.
fn clear_managed_members(
    switch: &str,
    relationship: &'static str,
    context: &WriteContext<'_>,
    draft: &mut Draft<VoiceOutTrunk>,
) {
    if context.linked(relationship).is_some_and(|records| !records.is_empty()) {
        let why = format!("{switch} is on");
        draft.refusals.push(Refusal::relationship(relationship, Violation::MustBeBlank).because(why));
    }
    draft.links.insert(relationship, Vec::new());
}

/// Only a DID with emergency calling may be an emergency DID.
fn emergency_members(
    context: &WriteContext<'_>,
    draft: &mut Draft<VoiceOutTrunk>,
) -> Result<(), DecodeError> {
    for record in context.linked(EMERGENCY_DIDS).unwrap_or_default() {
        let Some(did) = record.decode::<Did>()? else { continue };
        if did.emergency_enabled.flatten() != Some(true) {
            draft.refusals.push(Refusal::member(EMERGENCY_DIDS, &record.id, Violation::NoEmergency));
        }
    }
    Ok(())
}

/// An operation on a trunk that its owner does not perform by writing an attribute.
#[derive(Debug, Clone)]
pub enum TrunkOperation {
    /// Set the authentication method to `ip_only`. Only staff may do this.
    IpOnly {
        /// The addresses and subnets that calls may come from.
        allowed_sip_ips: IpNetworks,
    },
    /// Replace the digest credentials by these; the old ones are refused from then on.
    Regenerate(Credentials),
}

/// Returns the attributes of a trunk that an operation changes; `None` if the trunk's authentication method does not
/// permit the operation.
pub fn apply_to_trunk(trunk: &VoiceOutTrunk, operation: TrunkOperation) -> Option<VoiceOutTrunkPartial> {
    let before = &trunk.authentication_method;
    let method = match (operation, before) {
        (TrunkOperation::IpOnly { allowed_sip_ips }, _) => {
            let mut method = IpOnly::default();
            method.allowed_sip_ips = allowed_sip_ips;
            method.tech_prefix = before.tech_prefix().cloned();
            AuthenticationMethod::IpOnly(method)
        }
        (TrunkOperation::Regenerate(fresh), AuthenticationMethod::CredentialsAndIp(method)) => {
            let mut method = method.clone();
            (method.username, method.password) = (Some(fresh.username), Some(fresh.password));
            AuthenticationMethod::CredentialsAndIp(method)
        }
        (TrunkOperation::Regenerate(_), _) => return None,
    };
    let mut changes = VoiceOutTrunkPartial::empty();
    changes.authentication_method = Some(method);
    Some(changes)
}
