//! The statements of reads and transactions, in the one form that the runner takes.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::Client;

use super::failure::Done;
use super::transaction::Transaction;
use crate::StoreError;

/// The future of the statements of a read or transaction.
pub(super) type Statements<'a, T> = Pin<Box<dyn Future<Output = Done<T>> + Send + 'a>>;

/// The statements of a read, as a trait object: otherwise the code that repeats them would be compiled for each read.
pub(super) trait Reading: Send + Sync {
    fn run<'c>(&'c self, client: &'c Client) -> Statements<'c, ()>;
}

/// The statements of a transaction, likewise.
pub(super) trait Writing: Send + Sync {
    fn run<'c>(&'c self, transaction: &'c Transaction<'c>) -> Statements<'c, ()>;
}

/// Statements with their arguments, and the result of their last attempt.
pub(super) struct RepeatableStatements<A, T, F> {
    arguments: A,
    statements: F,
    returned: Mutex<Option<T>>,
}

impl<A, T, F> RepeatableStatements<A, T, F> {
    pub(super) fn new(arguments: A, statements: F) -> Self {
        Self { arguments, statements, returned: Mutex::new(None) }
    }

    fn keep(&self, returned: T) {
        *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(returned);
    }

    /// As [`new`](Self::new), for statements of a transaction that are written as a closure: its type follows from
    /// this.
    pub(super) fn writing(arguments: A, statements: F) -> Self
    where
        F: for<'c> Fn(&'c Transaction<'c>, &'c A) -> Statements<'c, T>,
    {
        Self::new(arguments, statements)
    }

    /// The result of the attempt that succeeded.
    pub(super) fn take(&self) -> Result<T, StoreError> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(StoreError::Unknown)
    }
}

impl<A, T, F> Reading for RepeatableStatements<A, T, F>
where
    A: Send + Sync,
    T: Send,
    F: for<'c> Fn(&'c Client, &'c A) -> Statements<'c, T> + Send + Sync,
{
    fn run<'c>(&'c self, client: &'c Client) -> Statements<'c, ()> {
        Box::pin(async move {
            self.keep((self.statements)(client, &self.arguments).await?);
            Ok(())
        })
    }
}

impl<A, T, F> Writing for RepeatableStatements<A, T, F>
where
    A: Send + Sync,
    T: Send,
    F: for<'c> Fn(&'c Transaction<'c>, &'c A) -> Statements<'c, T> + Send + Sync,
{
    fn run<'c>(&'c self, transaction: &'c Transaction<'c>) -> Statements<'c, ()> {
        Box::pin(async move {
            self.keep((self.statements)(transaction, &self.arguments).await?);
            Ok(())
        })
    }
}
