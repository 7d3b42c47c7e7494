//! Whether a customer can pay for one call.
//!
//! The price of a call, and its charge afterwards, are computed elsewhere.

use rust_decimal::Decimal;

/// A customer's balance and the minimum price of a call to the destination's country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The balance; `None` for an account without a limit.
    pub amount: Option<Decimal>,
    /// The minimum price of one call; zero if unknown.
    pub call_price: Decimal,
}

impl Balance {
    /// Whether the balance is positive and covers one call.
    pub fn covers_a_call(self) -> bool {
        self.amount.is_none_or(|amount| amount > Decimal::ZERO && amount >= self.call_price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(amount: Option<i64>, price: i64) -> bool {
        let cents = |cents| Decimal::new(cents, 2);
        Balance { amount: amount.map(cents), call_price: cents(price) }.covers_a_call()
    }

    #[test]
    fn a_call_needs_its_price_on_the_account() {
        assert!(covers(Some(5), 5) && covers(Some(6), 5));
        assert!(!covers(Some(4), 5));
    }

    #[test]
    fn an_empty_account_pays_for_nothing_even_when_no_price_is_known() {
        assert!(!covers(Some(0), 0) && !covers(Some(-1), 0));
        assert!(covers(Some(1), 0));
    }

    #[test]
    fn an_account_without_a_limit_pays_for_everything() {
        assert!(covers(None, 1_000_000));
    }
}
