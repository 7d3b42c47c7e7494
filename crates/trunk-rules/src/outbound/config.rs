//! Validates updates of a customer's outbound configuration.
//!
//! An update is like a merge patch: an absent member keeps its value. The members are checked in the order
//! whitelist, codecs, number, and the first invalid one refuses the whole update.

use uuid::Uuid;

use super::codecs::{ConfigCodecsError, config_codecs};
use super::country::Country;
use super::source::OwnNumber;
use super::whitelist::{WhitelistError, read_whitelist};

/// The members of an update or create; `None` keeps the stored value.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigUpdate<'a> {
    /// Country codes, in any case.
    pub destination_whitelist: Option<&'a [String]>,
    /// Codec names, separated by commas.
    pub codecs: Option<&'a str>,
    /// The default source number: its id, nil for none, and the platform's record of it.
    pub default_number: Option<(Uuid, Option<OwnNumber<'a>>)>,
}

/// The values to store; `None` keeps the stored value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigChange {
    /// The countries, in the order in which they were sent.
    pub destination_whitelist: Option<Vec<Country>>,
    /// Codec names, separated by commas.
    pub codecs: Option<String>,
    /// The default source number's id; nil for none.
    pub default_outgoing_source_number_id: Option<Uuid>,
}

/// Why an update is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The whitelist has an invalid entry; the error names the first one.
    #[error(transparent)]
    Whitelist(#[from] WhitelistError),
    /// The codec list is malformed.
    #[error(transparent)]
    Codecs(#[from] ConfigCodecsError),
    /// The number is deleted, is not the customer's, or is not normal and active.
    #[error(
        "default_outgoing_source_number_id {id} is not a valid normal active number for customer {customer_id}"
    )]
    Number {
        /// The id that was sent.
        id: Uuid,
        /// The customer whose configuration is updated.
        customer_id: Uuid,
    },
}

/// Validates an update of a customer's configuration and returns the values to store.
pub fn settle_config(update: &ConfigUpdate<'_>, customer_id: Uuid) -> Result<ConfigChange, ConfigError> {
    let destination_whitelist = update.destination_whitelist.map(read_whitelist).transpose()?;
    update.codecs.map(config_codecs).transpose()?;
    if let Some((id, number)) = update.default_number
        && !id.is_nil()
        && !number.is_some_and(|number| number.is_usable_by(customer_id))
    {
        return Err(ConfigError::Number { id, customer_id });
    }
    Ok(ConfigChange {
        destination_whitelist,
        codecs: update.codecs.map(str::to_owned),
        default_outgoing_source_number_id: update.default_number.map(|(id, _)| id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Uuid = Uuid::from_u128(7);
    const ID: Uuid = Uuid::from_u128(9);

    fn whitelist(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    #[test]
    fn an_empty_update_changes_nothing() {
        assert_eq!(settle_config(&ConfigUpdate::default(), OWN), Ok(ConfigChange::default()));
    }

    #[test]
    fn empty_values_are_values() {
        let update = ConfigUpdate {
            destination_whitelist: Some(&[]),
            codecs: Some(""),
            default_number: Some((Uuid::nil(), None)),
        };
        let change = settle_config(&update, OWN).unwrap();
        assert_eq!(change.destination_whitelist.as_deref(), Some(&[][..]));
        assert_eq!(change.codecs.as_deref(), Some(""));
        assert_eq!(change.default_outgoing_source_number_id, Some(Uuid::nil()));
    }

    #[test]
    fn the_parts_are_checked_in_the_order_whitelist_codecs_number() {
        let (bad, good) = (whitelist(&["zz"]), whitelist(&["US"]));
        let all = ConfigUpdate {
            destination_whitelist: Some(&bad),
            codecs: Some(";"),
            default_number: Some((ID, None)),
        };
        assert!(matches!(settle_config(&all, OWN), Err(ConfigError::Whitelist(_))));
        let two = ConfigUpdate { destination_whitelist: Some(&good), ..all };
        assert!(matches!(settle_config(&two, OWN), Err(ConfigError::Codecs(_))));
        let one = ConfigUpdate { codecs: Some("PCMU"), ..two };
        assert_eq!(
            settle_config(&one, OWN).unwrap_err().to_string(),
            "default_outgoing_source_number_id 00000000-0000-0000-0000-000000000009 is not a valid normal active \
             number for customer 00000000-0000-0000-0000-000000000007"
        );
    }

    #[test]
    fn the_default_number_must_be_a_usable_one_of_the_same_customer() {
        let number =
            OwnNumber { number: "+1", customer_id: OWN, kind: "normal", status: "active", deleted: false };
        let update = ConfigUpdate { default_number: Some((ID, Some(number))), ..ConfigUpdate::default() };
        assert!(settle_config(&update, OWN).is_ok());
        assert!(settle_config(&update, ID).is_err());
    }
}
