//! The rules of reservations of numbers in stock.

use std::time::Duration;

use didww_types::DecodeError;
use didww_types::resources::DidReservation;

use super::draft::Draft;
use super::{Rules, WriteContext};

/// How long a number is reserved, which is DIDWW's usual plan.
const RESERVATION_TIME: Duration = Duration::from_mins(10);

impl Rules for DidReservation {
    /// A number that is not in stock, or that an account has reserved already, is refused as if it did not exist.
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.require_linked_records(context);
        draft.changes.expires_at = Some(context.now.after(RESERVATION_TIME));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use didww_types::Resource as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{LinkedRecord, RecordChange, Rulebook, WriteError};

    /// Reserves a number. Returns the attributes that are stored, or the errors for the client.
    fn reserve(available_did: LinkedRecord<'_>) -> Result<Value, Value> {
        let links = BTreeMap::from([("available_did", vec![available_did])]);
        let context = WriteContext { links: &links, ..WriteContext::of_nothing() };
        match Rulebook::DIDWW.decide_write(DidReservation::SPEC, &context) {
            Ok(outcome) => match outcome.changes.as_slice() {
                [RecordChange::Create { attributes, .. }] => Ok(json!(attributes)),
                other => panic!("{other:?}"),
            },
            Err(WriteError::Refused(refusals)) => {
                Err(refusals.iter().map(|refusal| json!(refusal.to_error())).collect())
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_number_is_held_for_ten_minutes() {
        let stored = reserve(LinkedRecord { id: "1".to_owned(), attributes: Some("{}") }).unwrap();
        assert_eq!(stored["created_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(stored["expires_at"], "1970-01-01T00:10:00.000Z");
    }

    #[test]
    fn a_number_that_is_gone_is_invalid() {
        let errors = reserve(LinkedRecord { id: "1".to_owned(), attributes: None }).unwrap_err();
        assert_eq!(errors[0]["detail"], "available_did - is invalid");
        assert_eq!(errors[0]["source"]["pointer"], "/data/relationships/available_did");
    }
}
