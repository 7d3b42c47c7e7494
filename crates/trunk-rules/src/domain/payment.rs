//! Payments from an account's balance, and its available funds.

use didww_types::resources::Balance;
use didww_types::values::{BalanceAmount, Money};
use didww_types::{DecodeError, Resource as _};
use rust_decimal::Decimal;
use serde_json::{Map, json};

use super::needs::FoundRecord;
use super::outcome::{Links, RecordChange};

/// The funds of an account: its balance and its credit, or nothing if it has no balance.
pub(super) fn spendable(record: Option<&FoundRecord>) -> Result<Decimal, DecodeError> {
    let Some(record) = record else { return Ok(Decimal::ZERO) };
    let balance: Balance = record.decode()?;
    Ok(balance.balance.money().amount() + balance.credit.money().amount())
}

/// The change that subtracts an amount from a balance; a negative amount is paid back. `None` if it is zero.
pub(super) fn pay(record: &FoundRecord, amount: Decimal) -> Result<Option<RecordChange>, DecodeError> {
    if amount.is_zero() {
        return Ok(None);
    }
    let before: Balance = record.decode()?;
    let after = BalanceAmount::from(Money::new(before.balance.money().amount() - amount));
    let attributes = Map::from_iter([("balance".to_owned(), json!(after))]);
    Ok(Some(RecordChange::update(Balance::SPEC, &record.id, attributes, Links::new())))
}
