//! Shares of rate limits that the nodes hold, and a row of each limit that is locked to take some.
//!
//! With that lock, a transaction sees what every other one has taken, as with channels. Shares end by the database's clock, and
//! the rows of a dead node with them. To return a share needs no lock: who counts the old number takes less.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::PostgresStore;
use super::failure::Done;
use super::transaction::Transaction;
use crate::store::SHARE_LEASE;
use crate::{Answer, AskedShare, HeldShare, RateShares, RateSubject};

impl RateSubject {
    /// The subject as it is stored.
    fn text(self) -> String {
        match self {
            Self::Key(id) => format!("key/{id}"),
            Self::Account(number) => format!("account/{number}"),
            Self::Mints(number) => format!("mints/{number}"),
            Self::Prices(audience, number) => format!("prices/{audience}/{number}"),
            Self::Customer(id) => format!("customer/{id}"),
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
/// What the other nodes hold, and what they need beyond it.
const OTHERS: &str = concat!(
    "SELECT subject, sum(held)::bigint, sum(greatest(needed - held, 0))::bigint FROM rate_share \
     WHERE subject = ANY ($1) AND node <> $2 AND until > ",
    now!(),
    " GROUP BY subject"
);
/// Stores what this node holds and needs.
const HOLD: &str = concat!(
    "INSERT INTO rate_share (subject, node, held, needed, until) SELECT s, $1, h, n, u + ",
    now!(),
    " FROM unnest($2::text[], $3::int8[], $4::int8[], $5::int8[]) AS given (s, h, n, u) \
     ON CONFLICT (subject, node) DO UPDATE \
     SET held = excluded.held, needed = excluded.needed, until = excluded.until"
);
const RETURN: &str = "DELETE FROM rate_share WHERE node = $1 AND subject = ANY ($2)";

async fn hold(transaction: &Transaction<'_>, asked: &[AskedShare]) -> Done<Vec<HeldShare>> {
    let own = transaction.node.number;
    let subjects: Vec<String> = asked.iter().map(|asked| asked.subject.text()).collect();
    let returned = |asked: &AskedShare| asked.most == 0;
    let of = |is_returned: bool| -> Vec<&str> {
        let all = asked.iter().zip(&subjects).filter(|(asked, _)| returned(asked) == is_returned);
        all.map(|(_, subject)| subject.as_str()).collect()
    };
    let (held, over) = (of(false), of(true));
    if !over.is_empty() {
        transaction.execute_typed(RETURN, &[(&own, Type::INT8), (&over, Type::TEXT_ARRAY)]).await?;
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
    let given: Vec<HeldShare> = asked
        .iter()
        .zip(&subjects)
        .map(|(asked, subject)| {
            let (others, missing) = others.get(subject).copied().unwrap_or_default();
            asked.given(others, missing)
        })
        .collect();
    if !held.is_empty() {
        let rows = || asked.iter().zip(&given).filter(|(asked, _)| !returned(asked));
        let shares: Vec<i64> = rows().map(|(_, given)| given.held.into()).collect();
        let needed: Vec<i64> = rows().map(|(asked, _)| asked.least.into()).collect();
        let lasts: Vec<i64> = rows().map(|(asked, _)| millis(SHARE_LEASE + asked.memory)).collect();
        let parameters = &[
            (&own as _, Type::INT8),
            (&held as _, Type::TEXT_ARRAY),
            (&shares as _, Type::INT8_ARRAY),
            (&needed as _, Type::INT8_ARRAY),
            (&lasts as _, Type::INT8_ARRAY),
        ];
        transaction.execute_typed(HOLD, parameters).await?;
    }
    Ok(given)
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

async fn forget(transaction: &Transaction<'_>, most: u64) -> Done<u64> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut forgotten = 0;
    for delete in [FORGET, FORGET_TURNS] {
        forgotten += transaction.execute_typed(delete, &[(&most, Type::INT8)]).await?;
    }
    Ok(forgotten)
}

impl RateShares for PostgresStore {
    fn hold_shares(&self, asked: Vec<AskedShare>) -> Answer<'_, Vec<HeldShare>> {
        if asked.is_empty() {
            return Answer::ready(Ok(Vec::new()));
        }
        self.node.write(asked, |transaction, asked| Box::pin(hold(transaction, asked)))
    }

    fn forget_shares(&self, most: u64) -> Answer<'_, u64> {
        self.node.write(most, |transaction, most| Box::pin(forget(transaction, *most)))
    }
}
