//! The shares of the only node of a database in a file: it counts all requests itself, so nothing is stored.

use super::SqliteStore;
use crate::{Answer, AskedShare, HeldShare, RateShares};

impl RateShares for SqliteStore {
    fn hold_shares(&self, asked: Vec<AskedShare>) -> Answer<'_, Vec<HeldShare>> {
        Answer::ready(Ok(asked.iter().map(|asked| asked.given(0, 0)).collect()))
    }

    fn forget_shares(&self, _most: u64) -> Answer<'_, u64> {
        Answer::ready(Ok(0))
    }
}
