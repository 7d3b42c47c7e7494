//! Shares of rate limits, which the nodes of a database hold for a short time.

use std::time::Duration;

use uuid::Uuid;

/// What a rate limit that nodes share is of. Each is stored before it can send a request, so that no peer makes up one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateSubject {
    /// Requests with the API key with this id.
    Key(Uuid),
    /// Requests of the account with this number.
    Account(i64),
    /// Requests for tokens of the account with this number.
    Mints(i64),
    /// Requests to the price service with this audience, of the account with this number.
    Prices(&'static str, i64),
    /// Requests of the customer with this id.
    Customer(Uuid),
}

/// What a node asks for of one limit. All numbers are parts that the limit is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedShare {
    /// What the limit is of.
    pub subject: RateSubject,
    /// What the node needs: what it holds and uses, and more for requests that wait.
    pub least: u32,
    /// What the node takes if no other one needs it; at least `least`. 0 returns what it held.
    pub most: u32,
    /// The limit, for the requests of all nodes together.
    pub limit: u32,
    /// How long a request counts after it was admitted. Only then can others have what the node does not ask for again.
    pub memory: Duration,
}

/// What a node holds of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldShare {
    /// Number of parts that this node holds from now on.
    pub held: u32,
    /// Number of parts that the other nodes held when this was decided.
    pub others: u32,
}

impl AskedShare {
    /// What the node holds if the others hold `others`, and miss `missing` that they need.
    pub(crate) fn given(&self, others: u32, missing: u32) -> HeldShare {
        let free = self.limit.saturating_sub(others);
        let spare = free.saturating_sub(missing);
        HeldShare { held: self.least.min(free).max(self.most.min(spare)), others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_needs_comes_before_what_it_would_take_and_what_others_miss_is_left() {
        let held = |least, most, others, missing| {
            let subject = RateSubject::Account(1);
            AskedShare { subject, least, most, limit: 20, memory: Duration::ZERO }.given(others, missing).held
        };
        assert_eq!([held(2, 5, 0, 0), held(2, 30, 0, 0), held(30, 30, 0, 0)], [5, 20, 20]);
        assert_eq!(
            [held(2, 5, 16, 0), held(2, 5, 19, 0), held(2, 5, 20, 0), held(2, 5, 90, 0)],
            [4, 1, 0, 0]
        );
        assert_eq!([held(2, 9, 10, 3), held(2, 9, 10, 9), held(6, 9, 10, 9)], [7, 2, 6]);
        assert_eq!(held(0, 0, 3, 9), 0);
    }
}
