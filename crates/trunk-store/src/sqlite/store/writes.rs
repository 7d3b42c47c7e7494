//! Writes: jobs of the writer, which adds them to the change feed after the commit.

use std::sync::Arc;

use super::super::record_writer::Quotas;
use super::super::write;
use super::SqliteStore;
use crate::{Answer, Change, Committed, Record, Writes, content};

impl Writes for SqliteStore {
    fn commit(&self, changes: Vec<Change>) -> Answer<'_, Vec<Record>> {
        let symbols = Arc::clone(&self.symbols);
        let quotas = Quotas { directory: self.directory.clone(), default: self.limits.records };
        let schedules = changes.iter().any(|change| matches!(change, Change::Schedule { .. }));
        let jobs_scheduled = schedules.then(|| self.jobs_scheduled.clone());
        let with_content = |change| content::with_content(change, &symbols);
        let changes: Vec<_> = match changes.into_iter().map(with_content).collect::<Result<_, _>>() {
            Ok(changes) => changes,
            Err(error) => return Answer::ready(Err(error)),
        };
        let (feed, to) = (Arc::clone(&self.feed), Arc::clone(&self.feed));
        let written = self.connections.write_with(
            changes,
            move |connection, changes| {
                write::apply(connection, &symbols, &quotas, changes, feed.follows_records())
            },
            move |written| {
                if written.is_complete || !to.follows_records() {
                    to.append(Arc::clone(&written.effects));
                } else {
                    // The write was applied before the first follower of records began, and committed after.
                    to.lose();
                }
                if let Some(jobs_scheduled) = jobs_scheduled {
                    jobs_scheduled.send_replace(());
                }
            },
        );
        Answer::later(async move {
            written.await.map(|(written, changes)| write::records(changes, &written.numbers))
        })
    }

    fn reset_with(&self, changes: Vec<Change>, account: Option<i64>, accounts: bool) -> Answer<'_, ()> {
        let symbols = Arc::clone(&self.symbols);
        let quotas = Quotas { directory: self.directory.clone(), default: self.limits.records };
        let with_content = |change| content::with_content(change, &symbols);
        let changes: Vec<_> = match changes.into_iter().map(with_content).collect::<Result<_, _>>() {
            Ok(changes) => changes,
            Err(error) => return Answer::ready(Err(error)),
        };
        let (directory, feed, to) = (self.directory.clone(), Arc::clone(&self.feed), Arc::clone(&self.feed));
        let written = self.connections.write_then(
            move |connection| {
                let written = write::apply(connection, &symbols, &quotas, &changes, feed.follows_records())?;
                write::reset(connection, account, accounts)?;
                Ok(written)
            },
            move |written| {
                if accounts {
                    directory.write().remove(account);
                }
                if written.is_complete || !to.follows_records() {
                    to.append(Arc::clone(&written.effects));
                } else {
                    to.lose();
                }
                to.append(Arc::new([Committed::Reset { account, accounts }]));
            },
        );
        Answer::later(async move { written.await.map(|_| ()) })
    }
}
