//! The money of an account: `balances`, at the path `balance`.

use crate::values::{BalanceAmount, CreditLimit};
use crate::{Extra, Id, Resource};

/// The balance of an account.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(name = "balances", since = "2017-09-18", verbs(get), singleton = "balance")]
#[non_exhaustive]
pub struct Balance {
    /// The balance's id, a UUID that the service chose.
    pub id: Id<Balance>,
    /// The prepaid amount, in US dollars. It is negative if more was spent, of the credit.
    #[attr(default = "0.00")]
    pub balance: BalanceAmount,
    /// The credit limit, in US dollars, which can be spent in addition to `balance`.
    #[attr(default = "0.00", value = CreditLimit)]
    pub credit: BalanceAmount,
    /// The sum of `balance` and `credit`, in US dollars.
    #[attr(default = "0.00", total("balance", "credit"))]
    pub total_balance: BalanceAmount,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}
