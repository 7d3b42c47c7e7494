//! Cooperative scheduling of long loops.
//!
//! Building a page of a thousand records takes some milliseconds on a thread that other tasks need as well: dozens of
//! simultaneous pages delayed an incoming phone call by seconds. A loop over the records of a page therefore yields to
//! other tasks after every few records. The number of simultaneous pages is bounded elsewhere (`Api::lists`).

/// Number of records between two yields, about a tenth of a millisecond of work.
const RECORDS_PER_YIELD: usize = 16;

/// Yields to the other tasks of the thread after every 16th iteration of a loop. `index` counts the iterations from 0.
pub(super) async fn yield_periodically(index: usize) {
    if index % RECORDS_PER_YIELD == RECORDS_PER_YIELD - 1 {
        tokio::task::yield_now().await;
    }
}
