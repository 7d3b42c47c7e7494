//! Shares of rate limits, which the nodes of a database hold for a short time.

use std::time::Duration;

use uuid::Uuid;

/// The requests that a shared rate limit applies to. Each key, account and customer is stored before it can send
/// requests, so a peer cannot invent subjects.
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
    /// Requests of the customer with this id: of its agents and access keys.
    Customer(Uuid),
    /// Requests with delegates' tokens for the customer with this id.
    Delegates(Uuid),
    /// Requests with direct tokens of the customer with this id.
    DirectTokens(Uuid),
}

/// A node's request for a share of one limit. All numbers are parts that the limit is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareRequest {
    /// The requests that the limit applies to.
    pub subject: RateSubject,
    /// Number of parts that the node needs: those that its requests use, and more for requests that wait.
    pub needed: u32,
    /// Number of parts that the node takes if no other node needs them; at least `needed`. 0 returns its share.
    pub wanted: u32,
    /// The limit, for the requests of all nodes together.
    pub limit: u32,
    /// How long a request counts after it was admitted. Parts that the node no longer requests are free for others
    /// after that.
    pub memory: Duration,
}

/// The share of one limit that a node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldShare {
    /// Number of parts that this node holds from now on.
    pub held: u32,
    /// Number of parts that the other nodes held when the request was decided.
    pub others: u32,
}

impl ShareRequest {
    /// The share that the node holds if the others hold `others` parts, and need `missing` more.
    pub(crate) fn granted(&self, others: u32, missing: u32) -> HeldShare {
        let free = self.limit.saturating_sub(others);
        let spare = free.saturating_sub(missing);
        HeldShare { held: self.needed.min(free).max(self.wanted.min(spare)), others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_needs_comes_before_what_it_would_take_and_what_others_miss_is_left() {
        let held = |needed, wanted, others, missing| {
            let subject = RateSubject::Account(1);
            ShareRequest { subject, needed, wanted, limit: 20, memory: Duration::ZERO }
                .granted(others, missing)
                .held
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
