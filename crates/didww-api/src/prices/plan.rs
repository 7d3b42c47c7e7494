//! A plan: prices with their ids, and their file.

use didww_types::Timestamp;
use didww_types::prices::{PriceRow, VoiceOutPrice};
use trunk_rules::prices::price_id;
use uuid::Uuid;

use super::file::PriceFile;

/// The prices of a plan, of which there is at least one.
#[derive(Debug)]
pub(crate) struct Plan<P> {
    pub(super) prices: Vec<P>,
    /// The ids of the prices, in the same order.
    pub(super) ids: Vec<Uuid>,
    pub(super) file: PriceFile,
}

impl<P: PriceRow> Plan<P> {
    /// Makes a plan whose file has this name. `key` names a price within the plan. `None` for a plan without prices, which is
    /// none.
    pub(super) fn new(
        file: &'static str,
        prices: Vec<P>,
        key: impl Fn(&P) -> String,
        changed_at: Timestamp,
    ) -> Option<Self> {
        if prices.is_empty() {
            return None;
        }
        let ids = prices.iter().map(|price| price_id(&[file, key(price).as_str()])).collect();
        let file = PriceFile::new(file, &prices, changed_at);
        Some(Self { prices, ids, file })
    }
}

impl Plan<VoiceOutPrice> {
    /// Makes a plan of outbound calls.
    pub(super) fn of_voice_out(prices: Vec<VoiceOutPrice>, changed_at: Timestamp) -> Option<Self> {
        let key = |price: &VoiceOutPrice| price.prefix.clone();
        Self::new("voice_out_prices.csv.gz", prices, key, changed_at)
    }
}
