//! The rows of a record's index: attributes that lists use, values that are unique in an account, and claims, which are
//! unique among all accounts. All rows of a write are in one statement.

use std::collections::HashSet;

use tokio_postgres::types::Type;

use super::failure::Done;
use super::late::{Late, owned};
use super::parameter::Parameter;
use super::symbols::Symbols;
use super::transaction::Transaction;
use crate::index::{IndexEntry, claims_of};
use crate::{Scope, StoreError};

/// Rows of an index, as one array for each column.
#[derive(Debug, Default)]
struct Columns {
    accounts: Vec<i64>,
    fields: Vec<i64>,
    values: Vec<Vec<u8>>,
    records: Vec<i64>,
}

impl Columns {
    fn push(&mut self, account: i64, field: i64, value: Vec<u8>, record: i64) {
        self.accounts.push(account);
        self.fields.push(field);
        self.values.push(value);
        self.records.push(record);
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// The rows of some records.
#[derive(Debug, Default)]
pub(super) struct IndexRows {
    facets: Columns,
    unique: Columns,
    claims: Columns,
}

impl IndexRows {
    pub(super) fn add(&mut self, symbols: &Symbols, scope: Scope, record: i64, entries: &[IndexEntry]) {
        for entry in entries {
            let field = symbols.member(scope.spec.name, entry.path);
            let to = if entry.unique { &mut self.unique } else { &mut self.facets };
            to.push(scope.owner(), field, entry.value.key(), record);
        }
        for entry in claims_of(entries) {
            let field = symbols.member(scope.spec.name, entry.path);
            self.claims.push(0, field, entry.value.key(), record);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.facets.is_empty() && self.unique.is_empty() && self.claims.is_empty()
    }

    /// Inserts the rows. If a value was taken after [`Taken::read`], the transaction is repeated, and that attempt
    /// finds it.
    pub(super) fn insert(self, transaction: &Transaction<'_>) {
        let insert = "WITH f AS (INSERT INTO facet (account, field, value, record) \
                      SELECT * FROM unnest($1::int8[], $2::int8[], $3::bytea[], $4::int8[])), \
                      u AS (INSERT INTO unique_facet (account, field, value, record) \
                      SELECT * FROM unnest($5::int8[], $6::int8[], $7::bytea[], $8::int8[])) \
                      INSERT INTO claim (field, value, record) SELECT * FROM unnest($9::int8[], $10::bytea[], $11::int8[])";
        self.execute(transaction, insert, &["unique_facet_pkey", "claim_pkey"]);
    }

    /// Deletes the rows, all with one statement.
    pub(super) fn delete(self, transaction: &Transaction<'_>) {
        let delete = "WITH f AS (DELETE FROM facet o USING unnest($1::int8[], $2::int8[], $3::bytea[], $4::int8[]) \
                      AS g (account, field, value, record) WHERE o.account = g.account AND o.field = g.field \
                      AND o.value = g.value AND o.record = g.record), \
                      u AS (DELETE FROM unique_facet o USING unnest($5::int8[], $6::int8[], $7::bytea[], $8::int8[]) \
                      AS g (account, field, value, record) WHERE o.account = g.account AND o.field = g.field \
                      AND o.value = g.value AND o.record = g.record), \
                      c AS (DELETE FROM claim o USING unnest($9::int8[], $10::bytea[], $11::int8[]) \
                      AS g (field, value, record) WHERE o.field = g.field AND o.value = g.value AND o.record = g.record) \
                      DELETE FROM unclaimed o USING unnest($9::int8[], $10::bytea[], $11::int8[]) \
                      AS g (field, value, record) WHERE o.field = g.field AND o.value = g.value AND o.record = g.record";
        self.execute(transaction, delete, &[]);
    }

    fn execute(self, transaction: &Transaction<'_>, sql: &'static str, contested: &'static [&'static str]) {
        if self.is_empty() {
            return;
        }
        let Self { facets, unique, claims } = self;
        let (ints, bytes) = (&Type::INT8_ARRAY, &Type::BYTEA_ARRAY);
        let parameters = vec![
            owned(facets.accounts, ints),
            owned(facets.fields, ints),
            owned(facets.values, bytes),
            owned(facets.records, ints),
            owned(unique.accounts, ints),
            owned(unique.fields, ints),
            owned(unique.values, bytes),
            owned(unique.records, ints),
            owned(claims.fields, ints),
            owned(claims.values, bytes),
            owned(claims.records, ints),
        ];
        transaction.later(Late::new(sql, parameters).contested(contested));
    }
}

/// Which unique values are taken: by stored records, and by those that the same write has added.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Values that are unique in an account, as account, field and value.
    in_account: HashSet<(i64, i64, Vec<u8>)>,
    /// Values that are unique among all accounts, as field and value.
    everywhere: HashSet<(i64, Vec<u8>)>,
}

impl Taken {
    /// Reads which of the unique values of new entries are taken.
    pub(super) async fn read<'e>(
        transaction: &Transaction<'_>,
        new: impl Iterator<Item = (Scope, &'e [IndexEntry])> + Send,
    ) -> Done<Self> {
        let symbols = &transaction.node.symbols;
        let (mut unique, mut claims) = (Columns::default(), Columns::default());
        for (scope, entries) in new {
            for entry in entries.iter().filter(|entry| entry.unique) {
                unique.push(scope.owner(), symbols.member(scope.spec.name, entry.path), entry.value.key(), 0);
            }
            for entry in claims_of(entries) {
                claims.push(0, symbols.member(scope.spec.name, entry.path), entry.value.key(), 0);
            }
        }
        let (ints, bytes) = (&Type::INT8_ARRAY, &Type::BYTEA_ARRAY);
        let in_account = async {
            if unique.is_empty() {
                return Ok(Vec::new());
            }
            // Planned in half the time that `EXISTS` takes, which could be a join.
            let select = "SELECT account, field, value FROM unnest($1::int8[], $2::int8[], $3::bytea[]) \
                          AS g (account, field, value) WHERE (SELECT true FROM unique_facet u \
                          WHERE u.account = g.account AND u.field = g.field AND u.value = g.value)";
            let parameters: [Parameter<'_>; 3] = [
                (&unique.accounts, ints.clone()),
                (&unique.fields, ints.clone()),
                (&unique.values, bytes.clone()),
            ];
            transaction.harmless().query_typed(select, &parameters).await
        };
        let everywhere = async {
            if claims.is_empty() {
                return Ok(Vec::new());
            }
            let select = "SELECT field, value FROM unnest($1::int8[], $2::bytea[]) AS g (field, value) \
                          WHERE EXISTS (SELECT 1 FROM claim c WHERE c.field = g.field AND c.value = g.value) \
                          OR EXISTS (SELECT 1 FROM unclaimed c WHERE c.field = g.field AND c.value = g.value)";
            let parameters: [Parameter<'_>; 2] =
                [(&claims.fields, ints.clone()), (&claims.values, bytes.clone())];
            transaction.harmless().query_typed(select, &parameters).await
        };
        let (in_account, everywhere) = tokio::try_join!(biased; in_account, everywhere)?;
        let mut taken = Self::default();
        for row in in_account {
            taken.in_account.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        }
        for row in everywhere {
            taken.everywhere.insert((row.try_get(0)?, row.try_get(1)?));
        }
        Ok(taken)
    }

    /// Fails if a value that is unique in the account is taken, and takes those that are not.
    pub(super) fn take_unique(
        &mut self,
        symbols: &Symbols,
        scope: Scope,
        entries: &[IndexEntry],
    ) -> Result<(), StoreError> {
        for entry in entries.iter().filter(|entry| entry.unique) {
            let field = symbols.member(scope.spec.name, entry.path);
            if !self.in_account.insert((scope.owner(), field, entry.value.key())) {
                return Err(entry.taken());
            }
        }
        Ok(())
    }

    /// Fails if a value that is unique among all accounts is taken, and takes those that are not.
    pub(super) fn take_claims(
        &mut self,
        symbols: &Symbols,
        scope: Scope,
        entries: &[IndexEntry],
    ) -> Result<(), StoreError> {
        for entry in claims_of(entries) {
            let field = symbols.member(scope.spec.name, entry.path);
            if !self.everywhere.insert((field, entry.value.key())) {
                return Err(StoreError::Taken(entry.path.to_owned()));
            }
        }
        Ok(())
    }
}
