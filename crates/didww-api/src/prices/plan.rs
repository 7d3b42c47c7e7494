//! A plan: prices with their ids, and their file, which is made for the first request for it.

use std::sync::{Arc, OnceLock};

use didww_types::Timestamp;
use didww_types::prices::{PriceRow, VoiceOutPrice};
use tokio::task::JoinError;
use trunk_rules::prices::price_id;
use uuid::Uuid;

use super::file::PriceFile;

/// The prices of a plan, of which there is at least one.
#[derive(Debug)]
pub(crate) struct Plan<P> {
    pub(super) prices: Vec<P>,
    /// The ids of the prices, in the same order.
    pub(super) ids: Vec<Uuid>,
    /// The name of the file.
    name: &'static str,
    /// When the prices began to hold.
    changed_at: Timestamp,
    file: OnceLock<PriceFile>,
}

impl<P: PriceRow> Plan<P> {
    /// Makes a plan whose file has this name. `key` names a price within the plan. `None` without prices: such a plan
    /// counts as none.
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
        Some(Self { prices, ids, name: file, changed_at, file: OnceLock::new() })
    }
}

impl<P: PriceRow + Send + Sync + 'static> Plan<P> {
    /// Returns the file. The first request makes it, on a thread for blocking work: compressing ten thousand prices
    /// takes longer than other requests should wait.
    ///
    /// # Errors
    /// If it could not be made.
    pub(super) async fn file(self: &Arc<Self>) -> Result<PriceFile, JoinError> {
        if let Some(file) = self.file.get() {
            return Ok(file.clone());
        }
        let plan = Arc::clone(self);
        let make = move || {
            plan.file.get_or_init(|| PriceFile::new(plan.name, &plan.prices, plan.changed_at)).clone()
        };
        tokio::task::spawn_blocking(make).await
    }
}

impl Plan<VoiceOutPrice> {
    /// Makes a plan of outbound calls.
    pub(super) fn of_voice_out(prices: Vec<VoiceOutPrice>, changed_at: Timestamp) -> Option<Self> {
        let key = |price: &VoiceOutPrice| price.prefix.clone();
        Self::new("voice_out_prices.csv.gz", prices, key, changed_at)
    }
}

#[cfg(test)]
mod tests {
    use didww_types::prices::SmsInPrice;
    use didww_types::values::Money;

    use super::*;

    #[tokio::test]
    async fn the_file_is_made_when_it_is_first_asked_for_and_once() {
        let price = SmsInPrice {
            source_prefix: None,
            source_number_length_min: 1,
            source_number_length_max: 15,
            destination_prefix: None,
            destination_number_length_min: 1,
            destination_number_length_max: 15,
            country: None,
            price: Money::default(),
        };
        let at = Timestamp::from_unix_millis(0);
        let plan = Plan::new("a.csv.gz", vec![price], |_| "key".to_owned(), at).unwrap();
        let plan = Arc::new(plan);
        assert!(plan.file.get().is_none());
        let (first, second) = (plan.file().await.unwrap(), plan.file().await.unwrap());
        let (first, second) = (first.content.unwrap(), second.content.unwrap());
        assert!(!first.is_empty());
        assert_eq!(first.as_ptr(), second.as_ptr(), "both are one file");
    }
}
