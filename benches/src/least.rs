//! The minimal durable create over HTTP: axum, one row with a unique id and one index, and commits that all waiting
//! creates share.

use std::path::Path;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::post;
use bytes::Bytes;
use didww_types::MEDIA_TYPE;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};

use crate::child::Running;
use crate::{Outcome, bare, seed};

/// Maximum number of creates in one commit, and of creates that wait for the next one.
const GROUP: usize = 512;

/// A create that waits for its commit.
struct Create {
    stored: oneshot::Sender<()>,
}

/// Answers every POST with a file's bytes once a row with them is durable, until it is killed. The database is beside
/// the file.
pub(crate) fn serve(file: &Path) -> Outcome<()> {
    let answer = Bytes::from(std::fs::read(file)?);
    let mut connection = table(&file.with_extension("db"))?;
    let (creates, mut waiting) = mpsc::channel::<Create>(GROUP);
    let row = answer.clone();
    std::thread::spawn(move || {
        if let Err(error) = write(&mut connection, &mut waiting, &row) {
            eprintln!("trunk-bench: {error}");
        }
    });
    let create = move |_sent: Bytes| {
        let (creates, answer) = (creates.clone(), answer.clone());
        async move {
            let (stored, is_stored) = oneshot::channel();
            if creates.send(Create { stored }).await.is_err() || is_stored.await.is_err() {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            (StatusCode::CREATED, [(CONTENT_TYPE, MEDIA_TYPE)], answer).into_response()
        }
    };
    bare::listen(Router::new().route("/v3/{*path}", post(create)))
}

/// Opens a database with one table of this shape, each commit of which is durable.
pub(crate) fn table(file: &Path) -> Outcome<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE raw (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, body TEXT NOT NULL);
         CREATE INDEX raw_name ON raw (name);",
    )?;
    Ok(connection)
}

/// The statement that stores a row.
pub(crate) const INSERT: &str = "INSERT INTO raw (id, name, body) VALUES (?1, ?2, ?3)";

/// Stores all waiting creates in one transaction, repeatedly, until the channel is closed.
fn write(connection: &mut Connection, waiting: &mut mpsc::Receiver<Create>, row: &Bytes) -> Outcome<()> {
    let body = String::from_utf8(row.to_vec())?;
    let mut number: u64 = 0;
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            let Ok(next) = waiting.try_recv() else { break };
            group.push(next);
        }
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for _ in &group {
                number += 1;
                insert.execute(params![number.to_be_bytes().as_slice(), seed::name(number), body])?;
            }
        }
        transaction.commit()?;
        for create in group {
            // A client that has gone needs no answer.
            let _gone = create.stored.send(());
        }
    }
    Ok(())
}

/// Starts this program as that server, which answers with the bytes of this file. Returns the process and its base URL.
pub(crate) fn start(file: &Path) -> Outcome<(Running, String)> {
    bare::child("--least", file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_create_is_one_row_and_is_answered_once_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = table(&folder.path().join("least.db")).unwrap();
        let (creates, mut waiting) = mpsc::channel::<Create>(GROUP);
        let mut answers = Vec::new();
        for _ in 0..3 {
            let (stored, is_stored) = oneshot::channel();
            creates.try_send(Create { stored }).ok().unwrap();
            answers.push(is_stored);
        }
        drop(creates);
        write(&mut connection, &mut waiting, &Bytes::from_static(b"{}")).unwrap();
        let rows: u32 = connection.query_row("SELECT count(*) FROM raw", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 3);
        for mut answer in answers {
            assert_eq!(answer.try_recv(), Ok(()));
        }
    }
}
