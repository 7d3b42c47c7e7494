//! Statements of a transaction for whose outcome nothing waits: each is sent with the next one that does, or with the end.

use std::future::poll_fn;
use std::task::Poll;

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::failure::{Done, Failure};
use super::parameter::Parameter;

/// A parameter that the statement owns, and its type.
pub(super) type Owned = (Box<dyn ToSql + Send + Sync>, Type);

/// A statement that fails, or whose effect is certain: what it depends on is locked.
pub(super) struct Late {
    sql: &'static str,
    parameters: Vec<Owned>,
    /// The unique constraints that it violates if another transaction was faster since they were looked at.
    contested: &'static [&'static str],
}

impl Late {
    pub(super) fn new(sql: &'static str, parameters: Vec<Owned>) -> Self {
        Self { sql, parameters, contested: &[] }
    }

    /// The same with constraints that make the transaction be repeated.
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
pub(super) fn owned(value: impl ToSql + Send + Sync + 'static, of: &Type) -> Owned {
    (Box::new(value), of.clone())
}

/// Sends all statements in their order when it is polled first, and waits for all. The first one that fails is the error: it
/// makes those behind it fail too. One that cannot be sent fails before anything is sent behind it, such as the end of the
/// transaction, which would be committed without it.
pub(super) async fn run_all(client: &Client, statements: &[Late]) -> Done<()> {
    let mut sent = Vec::with_capacity(statements.len());
    for statement in statements {
        let mut running = Box::pin(statement.run(client));
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
