//! Shares of rate limits that the nodes hold, and a row of each limit that is locked to take some.
//!
//! With that lock, a transaction sees the shares that every other one has taken, as with channels. Shares expire by the
//! database's clock, those of a dead node too. Returning a share needs no lock: a node that counts the old number takes
//! less.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::store::SHARE_LEASE;
use crate::{Answer, HeldShare, RateShares, RateSubject, ShareRequest};

impl RateSubject {
    /// The subject as it is stored.
    fn text(self) -> String {
        match self {
            Self::Key(id) => format!("key/{id}"),
            Self::Account(number) => format!("account/{number}"),
            Self::Mints(number) => format!("mints/{number}"),
            Self::Prices(audience, number) => format!("prices/{audience}/{number}"),
            Self::Customer(id) => format!("customer/{id}"),
            Self::Delegates(id) => format!("delegates/{id}"),
            Self::DirectTokens(id) => format!("direct/{id}"),
        }
    }
}

/// The database's time in milliseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

/// Takes the limits' turns, in the order of their subjects.
const LOCK: &str = "INSERT INTO rate_share_turn AS t (subject, turns) \
     SELECT s, 1 FROM unnest($1::text[]) AS given (s) ORDER BY s COLLATE \"C\" \
     ON CONFLICT (subject) DO UPDATE SET turns = t.turns + 1";
/// The parts that the other nodes hold, and those that they need beyond them.
const OTHERS: &str = concat!(
    "SELECT subject, sum(held)::bigint, sum(greatest(needed - held, 0))::bigint FROM rate_share \
     WHERE subject = ANY ($1) AND node <> $2 AND until > ",
    now!(),
    " GROUP BY subject"
);
/// Stores the parts that this node holds and needs.
const HOLD: &str = concat!(
    "INSERT INTO rate_share (subject, node, held, needed, until) SELECT s, $1, h, n, u + ",
    now!(),
    " FROM unnest($2::text[], $3::int8[], $4::int8[], $5::int8[]) AS given (s, h, n, u) \
     ON CONFLICT (subject, node) DO UPDATE \
     SET held = excluded.held, needed = excluded.needed, until = excluded.until"
);
const RETURN: &str = "DELETE FROM rate_share WHERE node = $1 AND subject = ANY ($2)";

async fn hold(transaction: &Transaction<'_>, requests: &[ShareRequest]) -> Done<Vec<HeldShare>> {
    let own = transaction.node.number;
    let subjects: Vec<String> = requests.iter().map(|request| request.subject.text()).collect();
    let returned = |request: &ShareRequest| request.wanted == 0;
    let subjects_of = |is_returned: bool| -> Vec<&str> {
        let all = requests.iter().zip(&subjects).filter(|(request, _)| returned(request) == is_returned);
        all.map(|(_, subject)| subject.as_str()).collect()
    };
    let (held, no_longer_held) = (subjects_of(false), subjects_of(true));
    if !no_longer_held.is_empty() {
        let parameters = &[(&own as _, Type::INT8), (&no_longer_held as _, Type::TEXT_ARRAY)];
        transaction.execute_typed(RETURN, parameters).await?;
    }
    let mut others: HashMap<String, (u32, u32)> = HashMap::new();
    if !held.is_empty() {
        transaction.execute_typed(LOCK, &[(&held, Type::TEXT_ARRAY)]).await?;
        let parameters = &[(&held as _, Type::TEXT_ARRAY), (&own as _, Type::INT8)];
        for row in transaction.query_typed(OTHERS, parameters).await? {
            let number = |column| -> Done<u32> {
                Ok(u32::try_from(row.try_get::<_, i64>(column)?).unwrap_or(u32::MAX))
            };
            others.insert(row.try_get(0)?, (number(1)?, number(2)?));
        }
    }
    let granted: Vec<HeldShare> = requests
        .iter()
        .zip(&subjects)
        .map(|(request, subject)| {
            let (others, missing) = others.get(subject).copied().unwrap_or_default();
            request.granted(others, missing)
        })
        .collect();
    if !held.is_empty() {
        let rows = || requests.iter().zip(&granted).filter(|(request, _)| !returned(request));
        let shares: Vec<i64> = rows().map(|(_, granted)| granted.held.into()).collect();
        let needed: Vec<i64> = rows().map(|(request, _)| request.needed.into()).collect();
        let lasts: Vec<i64> = rows().map(|(request, _)| millis(SHARE_LEASE + request.memory)).collect();
        let parameters = &[
            (&own as _, Type::INT8),
            (&held as _, Type::TEXT_ARRAY),
            (&shares as _, Type::INT8_ARRAY),
            (&needed as _, Type::INT8_ARRAY),
            (&lasts as _, Type::INT8_ARRAY),
        ];
        transaction.execute_typed(HOLD, parameters).await?;
    }
    Ok(granted)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

const FORGET: &str = concat!(
    "DELETE FROM rate_share WHERE (subject, node) IN (SELECT subject, node FROM rate_share WHERE until < ",
    now!(),
    " ORDER BY subject, node LIMIT $1)"
);
/// In the order in which shares are taken, so that the two never wait for each other.
const FORGET_TURNS: &str = "DELETE FROM rate_share_turn WHERE subject IN (\
     SELECT subject FROM rate_share_turn t \
     WHERE NOT EXISTS (SELECT 1 FROM rate_share s WHERE s.subject = t.subject) \
     ORDER BY subject LIMIT $1 FOR UPDATE)";

async fn forget(transaction: &Transaction<'_>, limit: u64) -> Done<u64> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut forgotten = 0;
    for delete in [FORGET, FORGET_TURNS] {
        forgotten += transaction.execute_typed(delete, &[(&limit, Type::INT8)]).await?;
    }
    Ok(forgotten)
}

impl RateShares for PostgresStore {
    fn hold_shares(&self, requests: Vec<ShareRequest>) -> Answer<'_, Vec<HeldShare>> {
        if requests.is_empty() {
            return Answer::ready(Ok(Vec::new()));
        }
        self.node.write(requests, |transaction, requests| Box::pin(hold(transaction, requests)))
    }

    fn forget_shares(&self, limit: u64) -> Answer<'_, u64> {
        self.node.write(limit, |transaction, limit| Box::pin(forget(transaction, *limit)))
    }
}
