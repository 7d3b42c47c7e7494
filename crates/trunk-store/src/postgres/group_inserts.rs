//! Records that are created at the same time share a transaction.
//!
//! A transaction waits for the disk, and planning its statements is most of their cost; both are the same for one
//! record and for many. So while transactions insert records of an account, further records wait, and the next
//! transaction inserts them together; a second one begins beside the first only if enough (`groups`) wait for it.
//! If it is refused, because of one of them, each has a transaction of its own.
//! Accounts do not share transactions: no account waits for another one's records.
//!
//! Bounds: [`LIMITS`], and the time that a record waits, [`WAIT_LIMIT`].

use std::sync::Arc;
use std::time::Duration;

use service_base::clock::Stopwatch;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Node;
use super::address::WAIT_LIMIT;
use super::groups::{Limits, Member};
use super::quotas::MAX_ADDED_UNLOCKED;
use super::run::{Line, MAX_WAITING, WRITE_LIMIT, closed};
use super::statements::RepeatableStatements;
use super::write::{TIME_PER_CHANGE, apply};
use crate::content::Content;
use crate::{Answer, Change, Record, StoreError};

/// The number of records that are inserted together is the largest that needs no exact count of the account's records.
const LIMITS: Limits = Limits {
    running: 2,
    together: MAX_ADDED_UNLOCKED as usize,
    // Far longer than a transaction lasts that waits for no lock.
    patience: Duration::from_millis(100),
    waiting: MAX_WAITING,
    waiting_of_one: MAX_WAITING / 2,
};

impl Node {
    /// Inserts a record of an account, as a [write](Self::write) without an idempotency key does.
    pub(super) fn insert(
        self: &Arc<Self>,
        account: i64,
        insert: (Change, Content),
    ) -> Answer<'static, Vec<Record>> {
        let Ok(open) = Arc::clone(&self.gate).try_read_owned() else { return Answer::ready(Err(closed())) };
        let (made, answer) = oneshot::channel();
        let member = Member { insert: Arc::new(insert), made, since: Stopwatch::start(), open };
        match self.groups.add(LIMITS, account, member) {
            Ok(true) => drop(tokio::spawn(Arc::clone(self).insert_waiting(account))),
            Ok(false) => {}
            Err(error) => return Answer::ready(Err(error)),
        }
        Answer::later(async move { answer.await.unwrap_or(Err(StoreError::Unknown)) })
    }

    async fn insert_waiting(self: Arc<Self>, account: i64) {
        let mut inserted = 0;
        while let Some(members) = self.groups.next(LIMITS, account, inserted) {
            inserted = members.len();
            // In a task of its own, so that a panic ends only this task.
            let _ended = tokio::spawn(Arc::clone(&self).insert_group(members)).await;
        }
    }

    async fn insert_group(self: Arc<Self>, members: Vec<Member>) {
        let (late, members): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member.since.elapsed() > WAIT_LIMIT);
        for member in late {
            member.answer(Err(StoreError::Overloaded));
        }
        if members.is_empty() {
            return;
        }
        let inserts = members.iter().map(|member| Arc::clone(&member.insert)).collect();
        match self.insert_together(inserts).await {
            Ok(records) => {
                for (member, record) in members.into_iter().zip(records) {
                    member.answer(Ok(vec![record]));
                }
            }
            Err(error) if members.len() == 1 || is_of_all(&error) => {
                for member in members {
                    member.answer(Err(error.clone()));
                }
            }
            Err(_) => {
                let mut each = JoinSet::new();
                for member in members {
                    let node = Arc::clone(&self);
                    each.spawn(async move {
                        let outcome = node.insert_together(vec![Arc::clone(&member.insert)]).await;
                        member.answer(outcome);
                    });
                }
                while each.join_next().await.is_some() {}
            }
        }
    }

    async fn insert_together(&self, inserts: Vec<Arc<(Change, Content)>>) -> Result<Vec<Record>, StoreError> {
        let limit = WRITE_LIMIT + TIME_PER_CHANGE * u32::try_from(inserts.len()).unwrap_or(u32::MAX);
        let written =
            RepeatableStatements::writing(inserts, |transaction, inserts: &Vec<Arc<(Change, Content)>>| {
                Box::pin(async move {
                    let changes: Vec<&(Change, Content)> = inserts.iter().map(AsRef::as_ref).collect();
                    apply(transaction, &changes).await
                })
            });
        self.run((Line::Common, limit), None, &written).await?;
        written.take()
    }
}

/// Whether an error would occur for each record alone too, or may have left records.
fn is_of_all(error: &StoreError) -> bool {
    matches!(error, StoreError::Unknown | StoreError::Unavailable | StoreError::Overloaded | StoreError::Full)
}
