//! The two ends of a transfer in the engine on PostgreSQL, each on a connection of its own without time limits.

mod source;
mod statements;
mod target;

use tokio_postgres::Client;

pub(crate) use source::ServerSource;
pub(crate) use target::ServerTarget;

use super::address::{Address, CONNECT_LIMIT};
use super::failure::Failure;
use super::open_error::PostgresOpenError;
use crate::StoreError;
use crate::transfer::error::TransferError;
use crate::transfer::place::Place;

/// Opens a connection without time limits.
async fn connect(place: &Place) -> Result<Client, TransferError> {
    let refused = |error| refused(place, &error);
    let Place::Server(url) = place else {
        return Err(refused(PostgresOpenError::Url("it is the path of a file".to_owned())));
    };
    let address = Address::parse(url).map_err(|why| refused(PostgresOpenError::Url(why)))?;
    let silent = |_| refused(PostgresOpenError::Engine("it does not answer".to_owned()));
    let connected = tokio::time::timeout(2 * CONNECT_LIMIT, address.connect()).await.map_err(silent)?;
    connected.map_err(|error| refused(error.into()))
}

/// The error of a database that cannot be opened.
fn refused(place: &Place, error: &PostgresOpenError) -> TransferError {
    TransferError::OpenServer { place: place.to_string(), why: error.to_string() }
}

/// The error of an end that failed, with the server's message.
fn failed(place: &Place, failure: Failure) -> TransferError {
    let error = match failure {
        Failure::Engine(error) => {
            let said = error.as_db_error().map(|said| said.message().to_owned());
            StoreError::Failed(said.unwrap_or_else(|| error.to_string()))
        }
        other => other.into_store_error(false),
    };
    TransferError::Store { place: place.to_string(), error }
}
