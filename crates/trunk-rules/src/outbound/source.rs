//! Chooses the number that a call to the telephone network presents.

use uuid::Uuid;
use voipbin_types::Address;

/// A number in the platform's inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnNumber<'a> {
    /// The number: `+` and digits.
    pub number: &'a str,
    /// The customer that owns the number.
    pub customer_id: Uuid,
    /// The type: `normal` or another one.
    pub kind: &'a str,
    /// The status: `active` or another one.
    pub status: &'a str,
    /// Whether the number was deleted.
    pub deleted: bool,
}

impl OwnNumber<'_> {
    /// Whether a customer may present the number: it is the customer's own, of type `normal`, active and not
    /// deleted.
    pub fn is_usable_by(&self, customer_id: Uuid) -> bool {
        self.customer_id == customer_id && self.kind == "normal" && self.status == "active" && !self.deleted
    }
}

/// The facts about the source of a call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// The source that the request names; `None` if it names none.
    pub requested: Option<&'a Address>,
    /// Whether the requested source is used without a check, as for provider calls.
    pub unchecked: bool,
    /// The inventory's record of exactly the requested target, if there is one.
    pub requested_number: Option<OwnNumber<'a>>,
    /// The inventory's record of the configuration's default number, if it is set and exists.
    pub default_number: Option<OwnNumber<'a>>,
}

/// No source number may be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no valid source number available for outgoing call")]
pub struct NoSource;

/// Returns the source that the call presents: the requested one if it is the customer's own, else the default
/// number.
pub fn choose_source(source: &Source<'_>, customer_id: Uuid) -> Result<Address, NoSource> {
    if source.unchecked {
        return Ok(source.requested.cloned().unwrap_or_default());
    }
    if let (Some(address), Some(number)) = (source.requested, source.requested_number)
        && address.target.starts_with('+')
        && address.target == number.number
        && number.is_usable_by(customer_id)
    {
        return Ok(address.clone());
    }
    let default = source.default_number.filter(|number| number.is_usable_by(customer_id)).ok_or(NoSource)?;
    Ok(Address { target_name: default.number.into(), ..Address::tel(default.number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Uuid = Uuid::from_u128(7);

    fn number(number: &str) -> OwnNumber<'_> {
        OwnNumber { number, customer_id: OWN, kind: "normal", status: "active", deleted: false }
    }

    #[test]
    fn an_unchecked_source_is_taken_verbatim_and_may_be_absent() {
        let address = Address { target_name: "Alice".into(), ..Address::tel("whatever") };
        let source = Source { requested: Some(&address), unchecked: true, ..Source::default() };
        assert_eq!(choose_source(&source, OWN), Ok(address.clone()));
        let source = Source { unchecked: true, ..Source::default() };
        assert_eq!(choose_source(&source, OWN), Ok(Address::default()));
    }

    #[test]
    fn the_customers_own_number_is_taken_verbatim() {
        let address = Address { target_name: "Alice".into(), ..Address::tel("+12125551234") };
        let source = Source {
            requested: Some(&address),
            requested_number: Some(number("+12125551234")),
            ..Source::default()
        };
        assert_eq!(choose_source(&source, OWN), Ok(address.clone()));
    }

    #[test]
    fn a_number_that_is_not_usable_is_replaced_by_the_default() {
        let own = number("+12125551234");
        for unusable in [
            OwnNumber { customer_id: Uuid::from_u128(8), ..own },
            OwnNumber { kind: "virtual", ..own },
            OwnNumber { status: "suspended", ..own },
            OwnNumber { deleted: true, ..own },
            OwnNumber { number: "+12125550000", ..own },
        ] {
            let address = Address::tel("+12125551234");
            let source = Source {
                requested: Some(&address),
                requested_number: Some(unusable),
                default_number: Some(number("+14155550000")),
                unchecked: false,
            };
            let chosen = choose_source(&source, OWN).unwrap();
            assert_eq!(
                (chosen.target.as_str(), chosen.target_name.as_str()),
                ("+14155550000", "+14155550000")
            );
            let source = Source { default_number: Some(unusable), ..source };
            assert_eq!(choose_source(&source, OWN).is_ok(), unusable.is_usable_by(OWN), "{unusable:?}");
        }
    }

    #[test]
    fn a_target_without_plus_is_no_number_even_when_the_stock_has_it() {
        let address = Address::tel("1000");
        let source =
            Source { requested: Some(&address), requested_number: Some(number("1000")), ..Source::default() };
        assert_eq!(choose_source(&source, OWN), Err(NoSource));
    }
}
