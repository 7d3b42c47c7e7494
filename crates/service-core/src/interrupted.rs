//! Ends the calls whose records are documents and that no process runs any more, because their server was killed.
//!
//! A record that cannot be read or written keeps no other call from its end. Bounds: the documents of a read, and of a
//! commit.

use trunk_store::{Change, Document, DocumentKind, DocumentQuery, Node, StoreError};
use uuid::Uuid;

use crate::Core;

/// Maximum number of documents that a read returns.
const MAX_PER_READ: u64 = 500;
/// Maximum number of calls that a commit ends: a server can die with thousands, and a commit for each would take longer
/// than the time in which they must have ended. It is small because the writes of calls wait for the commit.
const MAX_PER_COMMIT: usize = 50;

/// The nodes that may run the calls of a database that they share. A database in a file has none: its calls are looked
/// for before the first one begins.
#[derive(Debug)]
pub struct Runners {
    own: Option<i64>,
    others: Vec<i64>,
}

impl Runners {
    /// A node that has an heir is dead. It can remain listed, for as long as a call of its edge is not settled.
    fn new(own: Option<i64>, nodes: &[Node]) -> Self {
        let living = nodes.iter().filter(|node| node.heir.is_none());
        let others = living.map(|node| node.number).filter(|number| Some(*number) != own).collect();
        Self { own, others }
    }

    /// Whether a call of the node with this number can be one of this process. No node has the number of an earlier
    /// one.
    pub fn is_own(&self, node: i64) -> bool {
        self.own == Some(node)
    }

    /// Whether the node with this number is another one, and not known to be dead.
    pub fn is_other(&self, node: i64) -> bool {
        self.own.is_some() && self.others.contains(&node)
    }
}

/// Ends the live documents of a kind that no process runs, and returns their number. `end` returns the changes that end
/// one, or `None` if it is running. Two nodes may find the same ones; one of them ends each.
///
/// # Errors
/// If the store cannot be read or written now.
pub async fn end_calls<E>(core: &Core, kind: DocumentKind, end: E) -> Result<usize, StoreError>
where
    E: Fn(&Document, &Runners) -> Result<Option<Vec<Change>>, StoreError>,
{
    let store = &*core.store;
    let (mut ended, mut before) = (0, i64::MAX);
    loop {
        let query = DocumentQuery { before, limit: MAX_PER_READ, ..DocumentQuery::live(kind) };
        let found = store.documents(query).await?;
        let Some(oldest) = found.last() else { return Ok(ended) };
        // Read after the calls: a node is listed before its first call, so a node that started meanwhile is not taken
        // for dead.
        let runners = Runners::new(store.is_shared().then(|| store.node()), &store.nodes().await?);
        let mut endings = Vec::new();
        for document in &found {
            match end(document, &runners) {
                Ok(Some(changes)) => endings.push((document.id, changes)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a call whose record cannot be read stays live"),
            }
        }
        for together in endings.chunks(MAX_PER_COMMIT) {
            let Outcomes { ended: now, conflicts } = end_together(core, kind, together).await?;
            ended += now;
            if conflicts == MAX_PER_COMMIT {
                // Another node ends the same ones, and each conflict costs more than an end: this one goes on behind
                // them. What that node leaves is found by the next search.
                break;
            }
        }
        if u64::try_from(found.len()).is_ok_and(|number| number < MAX_PER_READ) {
            return Ok(ended);
        }
        // Further ones may have been created at the same time.
        before = oldest.created_at.saturating_add(1).min(before.saturating_sub(1));
    }
}

/// What became of some calls.
struct Outcomes {
    /// Number of those that have ended.
    ended: usize,
    /// Number of those that another node has ended, or that were written meanwhile.
    conflicts: usize,
}

/// Commits the ends of calls in one transaction, or each alone if one of them cannot be written.
async fn end_together(
    core: &Core,
    kind: DocumentKind,
    endings: &[(Uuid, Vec<Change>)],
) -> Result<Outcomes, StoreError> {
    match core.commit(endings.iter().flat_map(|(_, changes)| changes.clone()).collect()).await {
        Ok(_) => return Ok(Outcomes { ended: endings.len(), conflicts: 0 }),
        Err(error) if concerns_all(&error) => return Err(error),
        Err(_) => {}
    }
    let mut outcomes = Outcomes { ended: 0, conflicts: 0 };
    for (call, changes) in endings {
        match core.commit(changes.clone()).await {
            Ok(_) => outcomes.ended += 1,
            Err(StoreError::Conflict) => outcomes.conflicts += 1,
            Err(error) if concerns_all(&error) || error == StoreError::Overloaded => return Err(error),
            Err(error) => {
                tracing::warn!(%error, ?kind, %call, "the end of a call cannot be written; it stays live");
            }
        }
    }
    Ok(outcomes)
}

/// Whether no other write would succeed now either.
fn concerns_all(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable | StoreError::Unknown | StoreError::Ended | StoreError::Full)
}

#[cfg(test)]
mod tests {
    use trunk_store::{NewDocument, SqliteStore};

    use super::*;

    const KIND: DocumentKind = DocumentKind::Call;

    fn put(id: Uuid, created_at: i64, revision: Option<i64>, body: &str) -> Change {
        let document = NewDocument {
            kind: KIND,
            id,
            customer: Uuid::nil(),
            created_at,
            deleted: false,
            live: revision.is_none(),
            body: body.to_owned(),
            keyed: false,
            keys: Vec::new(),
            unique: Vec::new(),
        };
        Change::Put { revision, document: Box::new(document) }
    }

    fn ended(document: &Document, body: &str) -> Vec<Change> {
        vec![put(document.id, document.created_at, Some(document.revision), body)]
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_or_written_keeps_no_other_call_from_its_end() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        // Three at a time are created at the same time. The reads end between such.
        let body = |number| match number {
            200 => "running",
            650 => "unreadable",
            1_100 => "changed",
            1_300 => "unstorable",
            _ => "{}",
        };
        let new = (0..1_401_u32).map(|number| {
            let id = Uuid::from_u128(number.into());
            put(id, i64::from(number / 3), None, body(number))
        });
        core.commit(new.collect()).await.unwrap();
        let end = |document: &Document, runners: &Runners| match document.body.as_str() {
            "running" => Ok(None),
            "unreadable" => Err(StoreError::Corrupt("a record".to_owned())),
            "changed" => Ok(Some(vec![put(document.id, document.created_at, Some(7), "{}")])),
            "unstorable" => Ok(Some(ended(document, "\0"))),
            _ => {
                assert!(!runners.is_own(0) && !runners.is_other(0), "a file has no other process");
                Ok(Some(ended(document, "{}")))
            }
        };
        assert_eq!(end_calls(&core, KIND, end).await, Ok(1_397));
        let left = core.store.documents(DocumentQuery::live(KIND)).await.unwrap();
        let left: Vec<&str> = left.iter().map(|document| document.body.as_str()).collect();
        assert_eq!(left, ["unstorable", "changed", "unreadable", "running"]);
    }

    #[tokio::test]
    async fn a_node_goes_on_behind_the_calls_that_another_one_ends() {
        let core = crate::jobs::tests::core(SqliteStore::in_memory().unwrap());
        let new = (0..600_u32).map(|number| put(Uuid::from_u128(number.into()), number.into(), None, "{}"));
        core.commit(new.collect()).await.unwrap();
        // It is ahead of this node by the newest 50, which a commit of this node would end first.
        let end = |document: &Document, _: &Runners| {
            let read = if document.created_at < 550 { document.revision } else { 7 };
            Ok(Some(vec![put(document.id, document.created_at, Some(read), "{}")]))
        };
        assert_eq!(end_calls(&core, KIND, end).await, Ok(101), "those that the second read returns");
        let end = |document: &Document, _: &Runners| Ok(Some(ended(document, "{}")));
        assert_eq!(end_calls(&core, KIND, end).await, Ok(499), "the next search finds the others");
    }

    #[test]
    fn a_node_that_has_an_heir_runs_no_call() {
        let node = |number, heir| Node { number, beats: 1, beat_at: None, heir };
        let runners = Runners::new(Some(1), &[node(1, None), node(2, Some(1)), node(3, None)]);
        let others: Vec<i64> = (0..5).filter(|number| runners.is_other(*number)).collect();
        assert_eq!((others, runners.is_own(1), runners.is_own(2)), (vec![3], true, false));
    }
}
