//! Statements of a transaction whose outcome is not awaited: each is sent together with the next awaited one, or with
//! the commit.

use std::future::poll_fn;
use std::task::Poll;

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::failure::{Done, Failure};
use super::parameter::Parameter;

/// A parameter that the statement owns, and its type.
pub(super) type Owned = (Box<dyn ToSql + Send + Sync>, Type);

/// A statement that either fails or has a certain effect, because the rows that it depends on are locked.
pub(super) struct Late {
    sql: &'static str,
    parameters: Vec<Owned>,
    /// The unique constraints that it violates if another transaction was faster after they were checked.
    contested: &'static [&'static str],
}

impl Late {
    pub(super) fn new(sql: &'static str, parameters: Vec<Owned>) -> Self {
        Self { sql, parameters, contested: &[] }
    }

    /// The statement with constraints whose violation makes the transaction be repeated.
    pub(super) fn contested(self, contested: &'static [&'static str]) -> Self {
        Self { contested, ..self }
    }

    async fn run(&self, client: &Client) -> Done<()> {
        let parameters: Vec<Parameter<'_>> =
            self.parameters.iter().map(|(value, of)| (&**value as &(dyn ToSql + Sync), of.clone())).collect();
        client.execute_typed(self.sql, &parameters).await.map(drop).map_err(|error| {
            let failure = Failure::from(error);
            let is_contested = self.contested.iter().any(|constraint| failure.is_taken(constraint));
            if is_contested { Failure::LostRace } else { failure }
        })
    }
}

/// A value as a parameter that a statement owns.
pub(super) fn owned(value: impl ToSql + Send + Sync + 'static, sql_type: &Type) -> Owned {
    (Box::new(value), sql_type.clone())
}

/// Runs all statements as [`in_order`].
pub(super) async fn run_all(client: &Client, statements: &[Late]) -> Done<()> {
    let statements: Vec<_> = statements.iter().map(|statement| statement.run(client)).collect();
    in_order(statements).await
}

/// Sends all statements in their order when it is first polled, and waits for all. The error is that of the first one
/// that fails, which makes those after it fail too. If a statement cannot be sent, nothing is sent after it, such as
/// the commit, which would commit the transaction without it.
pub(super) async fn in_order<S: Future<Output = Done<()>>>(statements: Vec<S>) -> Done<()> {
    let mut sent = Vec::with_capacity(statements.len());
    for statement in statements {
        let mut running = Box::pin(statement);
        let first = poll_fn(|context| Poll::Ready(running.as_mut().poll(context))).await;
        match first {
            Poll::Ready(done) => done?,
            Poll::Pending => sent.push(running),
        }
    }
    for running in sent {
        running.await?;
    }
    Ok(())
}
