//! The source and the target of a transfer on a server, in a build without the engine for it: neither can exist.

#![expect(clippy::unused_async, reason = "they have the form of those that wait for a server")]

use crate::transfer::error::TransferError;
use crate::transfer::pages::Pages;
use crate::transfer::place::{NoPlace, Place};
use crate::transfer::row::Page;
use crate::transfer::tally::{Mark, Total};

/// A source on a server, of which this build has none.
#[derive(Debug)]
pub(crate) enum ServerSource {}

/// A target on a server, of which this build has none.
#[derive(Debug)]
pub(crate) enum ServerTarget {}

fn unsupported(place: &Place) -> TransferError {
    let expected = "this trunk-server was built without PostgreSQL; give the path of a file";
    NoPlace { given: place.to_string(), expected }.into()
}

impl ServerSource {
    pub(crate) fn open(place: &Place) -> Result<Self, TransferError> {
        Err(unsupported(place))
    }

    pub(crate) async fn refuse_running_nodes(&self) -> Result<(), TransferError> {
        match *self {}
    }

    pub(crate) async fn pages(&self) -> Result<Pages, TransferError> {
        match *self {}
    }

    pub(crate) fn schema(&self) -> i64 {
        match *self {}
    }
}

impl ServerTarget {
    pub(crate) async fn open(place: &Place) -> Result<(Self, Mark), TransferError> {
        Err(unsupported(place))
    }

    pub(crate) async fn write(
        &mut self,
        _page: &Page,
        _position: u64,
        _mark: &Total,
    ) -> Result<(), TransferError> {
        match *self {}
    }

    pub(crate) async fn derive(&mut self) -> Result<(), TransferError> {
        match *self {}
    }

    pub(crate) async fn pages(&self) -> Result<Pages, TransferError> {
        match *self {}
    }

    pub(crate) async fn finish(self) -> Result<(), TransferError> {
        match self {}
    }
}
