//! Phone numbers of customers, which can be the source of calls. The control API adds and removes them.

use trunk_rules::outbound::OwnNumber;
use trunk_store::DocumentKind;
use voipbin_types::{Number, NumberKind};

use crate::entity::{Entity, Kind};

/// The [`Kind`] of phone numbers.
pub struct PhoneNumbers;

impl Kind for PhoneNumbers {
    const KIND: DocumentKind = DocumentKind::Number;
    type Public = Number;
    type Private = ();

    fn keys(number: &Entity<Self>) -> Vec<(&'static str, String)> {
        let public = &number.public;
        let mut keys = vec![("customer", number.customer.to_string()), ("number", public.number.clone())];
        let mut flows = vec![public.call_flow_id, public.message_flow_id];
        flows.retain(|flow| !flow.is_nil());
        flows.dedup();
        keys.extend(flows.into_iter().map(|flow| ("flow", flow.to_string())));
        keys
    }

    fn unique(number: &Entity<Self>) -> Vec<(&'static str, String)> {
        if number.deleted { Vec::new() } else { vec![("number", number.public.number.clone())] }
    }
}

impl Entity<PhoneNumbers> {
    /// The number as the rules of `trunk_rules` read it.
    pub fn as_own_number(&self) -> OwnNumber<'_> {
        OwnNumber {
            number: &self.public.number,
            customer_id: self.customer,
            kind: self.public.kind.as_str(),
            status: self.public.status.as_str(),
            deleted: self.deleted,
        }
    }

    /// The number as the API sends it. One that an earlier release stored has no time of its purchase.
    pub(crate) fn shown(&self) -> Number {
        let mut number = self.public.clone();
        if number.kind == NumberKind::Normal {
            number.tm_purchase = number.tm_purchase.or(number.tm_create);
            number.tm_renew = number.tm_renew.or(number.tm_purchase);
        }
        number
    }
}
