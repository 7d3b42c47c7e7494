//! The documents of the communication platform, and their index keys.
//!
//! A document and all of its keys are written by one statement. The condition on the revision locks the document, so
//! its keys cannot change meanwhile; a unique key that another document has is found by the insert that does nothing.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::failure::Done;
use super::late;
use super::parameter::Parameter;
use super::transaction::{Announcement, Transaction};
use crate::{
    Aged, Answer, Document, DocumentKind, DocumentQuery, Documents, KeyedPage, NewDocument, StoreError,
};

/// Maximum number of statements that are sent together.
const MAX_TOGETHER: usize = 100;

/// The columns that [`document`] reads.
macro_rules! columns {
    () => {
        "d.number, d.id, d.customer, d.created_at, d.deleted, d.revision, d.body"
    };
}

/// The names of the wanted unique keys that another document has, after the writes `unique_added`.
macro_rules! taken {
    () => {
        "SELECT w.name FROM unique_wanted w \
         WHERE NOT EXISTS (SELECT 1 FROM unique_added a WHERE a.name = w.name AND a.value = w.value) \
         AND NOT EXISTS (SELECT 1 FROM document_unique o \
             WHERE o.kind = $1 AND o.id = $2 AND o.name = w.name AND o.value = w.value) \
         ORDER BY w.place"
    };
}

const INSERT: &str = concat!(
    "WITH written AS (\
         INSERT INTO document (kind, id, number, customer, created_at, deleted, live, revision, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) ON CONFLICT (kind, id) DO NOTHING RETURNING number), \
     unique_wanted AS (SELECT * FROM unnest($11::text[], $12::text[]) WITH ORDINALITY AS w (name, value, place)), \
     key_added AS (\
         INSERT INTO document_key (kind, name, value, created_at, number, id) \
         SELECT $1, w.name, w.value, $5, written.number, $2 \
         FROM written, unnest($9::text[], $10::text[]) AS w (name, value) ON CONFLICT DO NOTHING), \
     unique_added AS (\
         INSERT INTO document_unique (kind, name, value, id) \
         SELECT $1, w.name, w.value, $2 FROM written, unique_wanted w ORDER BY w.name, w.value \
         ON CONFLICT DO NOTHING RETURNING name, value) \
     SELECT EXISTS (SELECT 1 FROM written), ARRAY(",
    taken!(),
    ")"
);

/// Replaces a document if its revision matches. A document never becomes undeleted or live again.
macro_rules! replace {
    () => {
        "UPDATE document SET deleted = deleted OR $4, live = live AND $5, body = $6, revision = revision + 1 \
         WHERE kind = $1 AND id = $2 AND revision = $3"
    };
}

/// Replaces a document, and its keys.
const REPLACE_KEYED: &str = concat!(
    "WITH written AS (",
    replace!(),
    " RETURNING number), \
     key_wanted AS (SELECT * FROM unnest($8::text[], $9::text[]) AS w (name, value)), \
     unique_wanted AS (SELECT * FROM unnest($10::text[], $11::text[]) WITH ORDINALITY AS w (name, value, place)), \
     key_removed AS (\
         DELETE FROM document_key k USING written WHERE k.kind = $1 AND k.id = $2 \
         AND NOT EXISTS (SELECT 1 FROM key_wanted w WHERE w.name = k.name AND w.value = k.value)), \
     key_added AS (\
         INSERT INTO document_key (kind, name, value, created_at, number, id) \
         SELECT $1, w.name, w.value, $7, written.number, $2 FROM written, key_wanted w \
         WHERE NOT EXISTS (SELECT 1 FROM document_key o \
             WHERE o.kind = $1 AND o.id = $2 AND o.name = w.name AND o.value = w.value) \
         ON CONFLICT DO NOTHING), \
     unique_removed AS (\
         DELETE FROM document_unique u USING written WHERE u.kind = $1 AND u.id = $2 \
         AND NOT EXISTS (SELECT 1 FROM unique_wanted w WHERE w.name = u.name AND w.value = u.value)), \
     unique_added AS (\
         INSERT INTO document_unique (kind, name, value, id) \
         SELECT $1, w.name, w.value, $2 FROM written, unique_wanted w \
         WHERE NOT EXISTS (SELECT 1 FROM document_unique o \
             WHERE o.kind = $1 AND o.id = $2 AND o.name = w.name AND o.value = w.value) \
         ORDER BY w.name, w.value ON CONFLICT DO NOTHING RETURNING name, value) \
     SELECT EXISTS (SELECT 1 FROM written), ARRAY(",
    taken!(),
    ")"
);

/// Creates a document, or replaces it and announces that. A new document is announced if every node keeps its kind.
///
/// # Errors
/// [`StoreError::Taken`] and [`StoreError::Conflict`].
pub(super) async fn put(
    transaction: &Transaction<'_>,
    revision: Option<i64>,
    document: &NewDocument,
) -> Done<()> {
    match revision {
        Some(revision) => replace(transaction, revision, document).await?,
        None => insert(transaction, document).await?,
    }
    let NewDocument { kind, id, customer, .. } = *document;
    if revision.is_some() || kind.is_kept_by_all() {
        let revision = revision.map_or(0, |before| before + 1);
        transaction.announce(Announcement::Document { kind, id, customer, revision });
    }
    Ok(())
}

/// Names and values, as parameters.
fn pairs<'a>(keys: &'a [(&'static str, String)]) -> (Vec<&'static str>, Vec<&'a str>) {
    keys.iter().map(|(name, value)| (*name, value.as_str())).unzip()
}

/// The index keys that a document has: a deleted one has none.
fn keys_of(document: &NewDocument) -> &[(&'static str, String)] {
    if document.deleted || !document.keyed { &[] } else { &document.keys }
}

async fn insert(transaction: &Transaction<'_>, document: &NewDocument) -> Done<()> {
    let NewDocument { kind, id, customer, created_at, deleted, live, body, keyed, unique, .. } = document;
    let number = transaction.node.number();
    let (key_names, key_values) = pairs(keys_of(document));
    let (unique_names, unique_values) = pairs(if *keyed { unique } else { &[] });
    let row = transaction
        .query_typed_one(
            INSERT,
            &[
                (&(*kind as i16), Type::INT2),
                (id, Type::UUID),
                (&number, Type::INT8),
                (customer, Type::UUID),
                (created_at, Type::INT8),
                (deleted, Type::BOOL),
                (live, Type::BOOL),
                (body, Type::TEXT),
                (&key_names, Type::TEXT_ARRAY),
                (&key_values, Type::TEXT_ARRAY),
                (&unique_names, Type::TEXT_ARRAY),
                (&unique_values, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    check(&row, StoreError::Taken("id".to_owned()))
}

async fn replace(transaction: &Transaction<'_>, revision: i64, document: &NewDocument) -> Done<()> {
    let NewDocument { kind, created_at, keyed, unique, .. } = document;
    let kind = *kind as i16;
    let own = replacement(&kind, &revision, document);
    if !keyed {
        return check_count(transaction.execute_typed(replace!(), &own).await?);
    }
    let (key_names, key_values) = pairs(keys_of(document));
    let (unique_names, unique_values) = pairs(unique);
    let mut parameters = own.to_vec();
    let keys: [Parameter<'_>; 5] = [
        (created_at, Type::INT8),
        (&key_names, Type::TEXT_ARRAY),
        (&key_values, Type::TEXT_ARRAY),
        (&unique_names, Type::TEXT_ARRAY),
        (&unique_values, Type::TEXT_ARRAY),
    ];
    parameters.extend(keys);
    let row = transaction.query_typed_one(REPLACE_KEYED, &parameters).await?;
    check(&row, StoreError::Conflict)
}

/// Replaces documents whose keys stay as they are, and announces that. The statements are sent together, in their
/// order: the ends of many calls would otherwise wait for one answer after the other, and other writes for them.
///
/// # Errors
/// [`StoreError::Conflict`].
pub(super) async fn replace_all(
    transaction: &Transaction<'_>,
    documents: &[(i64, &NewDocument)],
) -> Done<()> {
    if let [(revision, document)] = documents {
        return put(transaction, Some(*revision), document).await;
    }
    for together in documents.chunks(MAX_TOGETHER) {
        let client = transaction.client().await?;
        let statements: Vec<_> =
            together.iter().map(|(revision, document)| replace_body(client, *revision, document)).collect();
        late::in_order(statements).await?;
    }
    for (revision, document) in documents {
        let NewDocument { kind, id, customer, .. } = **document;
        transaction.announce(Announcement::Document { kind, id, customer, revision: revision + 1 });
    }
    Ok(())
}

async fn replace_body(client: &Client, revision: i64, document: &NewDocument) -> Done<()> {
    let kind = document.kind as i16;
    check_count(client.execute_typed(replace!(), &replacement(&kind, &revision, document)).await?)
}

/// The parameters of a replacement, but those of its keys.
fn replacement<'a>(kind: &'a i16, revision: &'a i64, document: &'a NewDocument) -> [Parameter<'a>; 6] {
    let NewDocument { id, deleted, live, body, .. } = document;
    [
        (kind, Type::INT2),
        (id, Type::UUID),
        (revision, Type::INT8),
        (deleted, Type::BOOL),
        (live, Type::BOOL),
        (body, Type::TEXT),
    ]
}

/// Refuses if no document had the revision.
fn check_count(replaced: u64) -> Done<()> {
    if replaced == 0 { Err(StoreError::Conflict.into()) } else { Ok(()) }
}

/// Refuses if nothing was written, or if another document has a unique key.
fn check(row: &Row, unwritten: StoreError) -> Done<()> {
    if !row.try_get::<_, bool>(0)? {
        return Err(unwritten.into());
    }
    let taken: Vec<String> = row.try_get(1)?;
    match taken.into_iter().next() {
        Some(name) => Err(StoreError::Taken(name).into()),
        None => Ok(()),
    }
}

/// Deletes a document and its keys if its revision matches; else nothing changes.
pub(super) async fn forget(
    transaction: &Transaction<'_>,
    kind: DocumentKind,
    id: Uuid,
    revision: i64,
) -> Done<()> {
    let delete = "WITH deleted AS (DELETE FROM document WHERE kind = $1 AND id = $2 AND revision = $3 RETURNING 1), \
                  keys AS (DELETE FROM document_key k USING deleted WHERE k.kind = $1 AND k.id = $2) \
                  DELETE FROM document_unique u USING deleted WHERE u.kind = $1 AND u.id = $2";
    let parameters =
        &[(&(kind as i16) as _, Type::INT2), (&id as _, Type::UUID), (&revision as _, Type::INT8)];
    transaction.execute_typed(delete, parameters).await?;
    Ok(())
}

/// Deletes all documents except the state of the platform, customers, and their credentials and configuration. A reset
/// keeps those, like accounts and keys, and the price plans of accounts unless the accounts are deleted too.
pub(super) async fn reset(transaction: &Transaction<'_>, accounts: bool) -> Done<()> {
    use DocumentKind::{AccessKey, Agent, Customer, Number, OutboundConfig, Platform, PricePlan};
    let of_accounts = (!accounts).then_some(PricePlan);
    let kept = [Platform, Customer, Agent, AccessKey, Number, OutboundConfig].into_iter().chain(of_accounts);
    let kept: Vec<i16> = kept.map(|kind| kind as i16).collect();
    let kept = kept.as_slice();
    for table in ["document", "document_key", "document_unique"] {
        let delete = format!("DELETE FROM {table} WHERE kind <> ALL ($1)");
        transaction.execute_typed(&delete, &[(&kept, Type::INT2_ARRAY)]).await?;
    }
    Ok(())
}

/// Reads a document from the [`columns`].
fn document(kind: DocumentKind, row: &Row) -> Done<Document> {
    Ok(Document {
        kind,
        number: row.try_get(0)?,
        id: row.try_get(1)?,
        customer: row.try_get(2)?,
        created_at: row.try_get(3)?,
        deleted: row.try_get(4)?,
        revision: row.try_get(5)?,
        body: row.try_get(6)?,
    })
}

fn documents(kind: DocumentKind, rows: &[Row]) -> Done<Vec<Document>> {
    rows.iter().map(|row| document(kind, row)).collect()
}

async fn find(client: &Client, kind: DocumentKind, id: Uuid) -> Done<Option<Document>> {
    let select = concat!("SELECT ", columns!(), " FROM document d WHERE d.kind = $1 AND d.id = $2");
    let found = client.query_typed_opt(select, &[(&(kind as i16), Type::INT2), (&id, Type::UUID)]).await?;
    found.map(|row| document(kind, &row)).transpose()
}

/// Whether a key has a NUL character. No stored key has one, and the server refuses to look for it.
fn has_nul(value: &str) -> bool {
    value.contains('\0')
}

async fn find_unique(
    client: &Client,
    kind: DocumentKind,
    name: &'static str,
    value: &str,
) -> Done<Option<Document>> {
    if has_nul(value) {
        return Ok(None);
    }
    let select = concat!(
        "SELECT ",
        columns!(),
        " FROM document_unique u JOIN document d ON d.kind = u.kind AND d.id = u.id \
         WHERE u.kind = $1 AND u.name = $2 AND u.value = $3"
    );
    let found = client
        .query_typed_opt(select, &[(&(kind as i16), Type::INT2), (&name, Type::TEXT), (&value, Type::TEXT)])
        .await?;
    found.map(|row| document(kind, &row)).transpose()
}

const LIVE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM document d WHERE d.kind = $1 AND d.live AND d.created_at < $2 \
     ORDER BY d.created_at DESC, d.number DESC LIMIT $3"
);
const ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM document d WHERE d.kind = $1 AND NOT d.deleted AND d.created_at < $2 \
     ORDER BY d.created_at DESC, d.number DESC LIMIT $3"
);
const KEYED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM document_key k JOIN document d ON d.kind = k.kind AND d.id = k.id \
     WHERE k.kind = $1 AND k.name = $4 AND k.value = $5 AND k.created_at < $2 \
     ORDER BY k.created_at DESC, k.number DESC LIMIT $3"
);

async fn list(client: &Client, query: &DocumentQuery) -> Done<Vec<Document>> {
    if query.key.as_ref().is_some_and(|(_, value)| has_nul(value)) {
        return Ok(Vec::new());
    }
    let (kind, limit) = (query.kind as i16, i64::try_from(query.limit).unwrap_or(i64::MAX));
    let mut parameters: Vec<Parameter<'_>> =
        vec![(&kind, Type::INT2), (&query.before, Type::INT8), (&limit, Type::INT8)];
    let select = match &query.key {
        Some((name, value)) => {
            parameters.push((name, Type::TEXT));
            parameters.push((value, Type::TEXT));
            KEYED
        }
        None if query.live => LIVE,
        None => ALL,
    };
    documents(query.kind, &client.query_typed(select, &parameters).await?)
}

async fn page(client: &Client, page: &KeyedPage) -> Done<Vec<Document>> {
    let KeyedPage { kind, key: (name, value), after: (created_at, number), before, limit } = page;
    if has_nul(value) {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    let select = concat!(
        "SELECT ",
        columns!(),
        " FROM document_key k JOIN document d ON d.kind = k.kind AND d.id = k.id \
         WHERE k.kind = $1 AND k.name = $2 AND k.value = $3 AND (k.created_at, k.number) > ($4, $5) \
         AND k.created_at < $6 ORDER BY k.created_at, k.number LIMIT $7"
    );
    let rows = client
        .query_typed(
            select,
            &[
                (&(*kind as i16), Type::INT2),
                (name, Type::TEXT),
                (value, Type::TEXT),
                (created_at, Type::INT8),
                (number, Type::INT8),
                (before, Type::INT8),
                (&limit, Type::INT8),
            ],
        )
        .await?;
    documents(*kind, &rows)
}

async fn count(client: &Client, kind: DocumentKind, name: &'static str, value: &str) -> Done<u64> {
    if has_nul(value) {
        return Ok(0);
    }
    let select = "SELECT count(*) FROM document_key WHERE kind = $1 AND name = $2 AND value = $3";
    let row = client
        .query_typed_one(select, &[(&(kind as i16), Type::INT2), (&name, Type::TEXT), (&value, Type::TEXT)])
        .await?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default())
}

async fn aged(client: &Client, query: Aged) -> Done<Vec<Document>> {
    let select = concat!(
        "SELECT ",
        columns!(),
        " FROM document d WHERE d.kind = $1 AND d.deleted = $2 AND NOT d.live \
         AND d.created_at >= $3 AND d.created_at < $4 ORDER BY d.created_at, d.number LIMIT $5"
    );
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let rows = client
        .query_typed(
            select,
            &[
                (&(query.kind as i16), Type::INT2),
                (&query.deleted, Type::BOOL),
                (&query.from, Type::INT8),
                (&query.before, Type::INT8),
                (&limit, Type::INT8),
            ],
        )
        .await?;
    documents(query.kind, &rows)
}

/// Returns when the newest document of any kind was created; zero if there is none. It searches each kind separately:
/// nothing else needs an index of all documents by time.
async fn newest(client: &Client) -> Done<i64> {
    let select = "WITH RECURSIVE kinds (kind) AS (\
                      SELECT min(kind) FROM document UNION ALL \
                      SELECT (SELECT min(d.kind) FROM document d WHERE d.kind > kinds.kind) \
                      FROM kinds WHERE kinds.kind IS NOT NULL) \
                  SELECT coalesce(max(newest.created_at), 0) \
                  FROM kinds CROSS JOIN (VALUES (false), (true)) AS mark (deleted) CROSS JOIN LATERAL (\
                      SELECT d.created_at FROM document d WHERE d.kind = kinds.kind AND d.deleted = mark.deleted \
                      ORDER BY d.created_at DESC LIMIT 1) AS newest";
    Ok(client.query_typed_one(select, &[]).await?.try_get(0)?)
}

impl Documents for PostgresStore {
    fn document(&self, kind: DocumentKind, id: Uuid) -> Answer<'_, Option<Document>> {
        Answer::later(self.node.read((kind, id), |client, (kind, id)| Box::pin(find(client, *kind, *id))))
    }

    fn document_by(
        &self,
        kind: DocumentKind,
        name: &'static str,
        value: String,
    ) -> Answer<'_, Option<Document>> {
        Answer::later(self.node.read((kind, name, value), |client, (kind, name, value)| {
            Box::pin(find_unique(client, *kind, name, value))
        }))
    }

    fn documents(&self, query: DocumentQuery) -> Answer<'_, Vec<Document>> {
        Answer::later(self.node.read(query, |client, query| Box::pin(list(client, query))))
    }

    fn documents_after(&self, query: KeyedPage) -> Answer<'_, Vec<Document>> {
        Answer::later(self.node.read(query, |client, query| Box::pin(page(client, query))))
    }

    fn count_documents(&self, kind: DocumentKind, name: &'static str, value: String) -> Answer<'_, u64> {
        Answer::later(self.node.read((kind, name, value), |client, (kind, name, value)| {
            Box::pin(count(client, *kind, name, value))
        }))
    }

    fn aged_documents(&self, query: Aged) -> Answer<'_, Vec<Document>> {
        Answer::later(self.node.read(query, |client, query| Box::pin(aged(client, *query))))
    }

    fn newest_document(&self) -> Answer<'_, i64> {
        Answer::later(self.node.read((), |client, ()| Box::pin(newest(client))))
    }
}
