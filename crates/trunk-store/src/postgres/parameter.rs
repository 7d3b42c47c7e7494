//! Parameters of statements, with their types: no statement is prepared to learn them.

use tokio_postgres::types::{ToSql, Type};

/// A parameter, and its type.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);
