//! Inserts several rows with one statement. Beginning and ending a statement costs about as much as inserting a small
//! row.

use rusqlite::{Connection, Error, ToSql};

/// Maximum number of rows that one statement inserts. More rows are inserted by several statements.
const MAX_ROWS: usize = 16;

/// The statements that insert one row into a table, two rows, and so on.
///
/// They are `OR FAIL`: the rows before one that fails stay, so that the engine need not copy the pages that a statement
/// changes in order to undo it. The write then fails and is rolled back as a whole: the writer sees from the number of
/// changes, which includes these rows, that this is necessary.
pub(super) struct WideInsert(Vec<String>);

impl WideInsert {
    /// `into` is a table with the columns that have a value. The first parameters, of this number, are shared by all
    /// rows; `values` are those of a row, with the number of the first one of its own two parameters.
    pub(super) fn new(into: &str, shared: usize, values: impl Fn(usize) -> String) -> Self {
        let statement = |rows: usize| {
            let rows: Vec<String> = (0..rows).map(|row| values(shared + 1 + 2 * row)).collect();
            format!("INSERT OR FAIL INTO {into} VALUES {}", rows.join(", "))
        };
        Self((1..=MAX_ROWS).map(statement).collect())
    }

    /// Inserts rows, each of which has two values of its own.
    pub(super) fn execute<A: ToSql, B: ToSql>(
        &self,
        connection: &Connection,
        shared: &[i64],
        rows: &[(A, B)],
    ) -> rusqlite::Result<()> {
        for rows in rows.chunks(MAX_ROWS) {
            // There is one statement for every length of a chunk.
            let sql = self.0.get(rows.len().saturating_sub(1)).ok_or(Error::InvalidQuery)?;
            let mut insert = connection.prepare_cached(sql)?;
            for (at, value) in (1_usize..).zip(shared) {
                insert.raw_bind_parameter(at, value)?;
            }
            for (at, (first, second)) in (shared.len() + 1..).step_by(2).zip(rows) {
                insert.raw_bind_parameter(at, first)?;
                insert.raw_bind_parameter(at + 1, second)?;
            }
            insert.raw_execute()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::is_taken;
    use super::*;

    fn table() -> (Connection, WideInsert) {
        let connection = Connection::open_in_memory().unwrap();
        let columns = "a INTEGER, b INTEGER, c ANY, d ANY, PRIMARY KEY (c, d)";
        connection.execute_batch(&format!("CREATE TABLE t ({columns}) STRICT, WITHOUT ROWID")).unwrap();
        let insert = WideInsert::new("t (a, c, d, b)", 2, |own| format!("(?1, ?{own}, ?{}, ?2)", own + 1));
        (connection, insert)
    }

    fn rows(connection: &Connection) -> Vec<(i64, i64, i64, String)> {
        let mut select = connection.prepare("SELECT a, b, c, d FROM t ORDER BY c").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn any_number_of_rows_is_inserted_as_single_inserts_would_do_it() {
        for count in [0, 1, 2, MAX_ROWS, MAX_ROWS + 1, 3 * MAX_ROWS + 5] {
            let (connection, insert) = table();
            let wanted: Vec<(i64, String)> =
                (0..count).map(|row| (i64::try_from(row).unwrap(), row.to_string())).collect();
            insert.execute(&connection, &[7, 8], &wanted).unwrap();
            let expected: Vec<_> = wanted.into_iter().map(|(c, d)| (7, 8, c, d)).collect();
            assert_eq!(rows(&connection), expected);
        }
    }

    #[test]
    fn a_row_that_exists_fails_and_a_rollback_takes_back_those_before_it() {
        let (connection, insert) = table();
        insert.execute(&connection, &[1, 2], &[(5, "x")]).unwrap();
        connection.execute_batch("BEGIN").unwrap();
        let changes = connection.total_changes();
        let error = insert.execute(&connection, &[1, 2], &[(4, "w"), (5, "x"), (6, "y")]).unwrap_err();
        assert!(is_taken(&error), "{error}");
        assert_eq!(connection.total_changes() - changes, 1, "the row before it counts as a change");
        connection.execute_batch("ROLLBACK").unwrap();
        assert_eq!(rows(&connection), [(1, 2, 5, "x".to_owned())]);
    }
}
