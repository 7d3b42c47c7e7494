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

/// The work of a loop since it last yielded, for loops whose iterations take very different times: copying a text takes
/// a fraction of the time of rendering one, and yielding after sixteen copies would take longer than the copies.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Parts, of which a rendered record has [`PARTS_PER_RECORD`].
    parts: usize,
}

/// The parts of the work on a rendered record, of which copying up to 2 KiB is one.
const PARTS_PER_RECORD: usize = 16;

impl Work {
    /// Adds the work of rendering a record.
    pub(super) fn add_rendered(&mut self) {
        self.parts = self.parts.saturating_add(PARTS_PER_RECORD);
    }

    /// Adds the work of copying a text of this many bytes.
    pub(super) fn add_copied(&mut self, bytes: usize) {
        self.parts = self.parts.saturating_add(1 + bytes / 2048);
    }

    /// Yields to the other tasks of the thread once the work of [`RECORDS_PER_YIELD`] rendered records is done.
    pub(super) async fn yield_if_due(&mut self) {
        if self.parts >= PARTS_PER_RECORD * RECORDS_PER_YIELD {
            self.parts = 0;
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn sixteen_rendered_records_take_as_long_as_hundreds_of_copied_ones() {
        let yields = |work: &mut Work| work.yield_if_due().now_or_never().is_none();
        let mut work = Work::default();
        for _ in 1..RECORDS_PER_YIELD {
            work.add_rendered();
            assert!(!yields(&mut work));
        }
        work.add_rendered();
        assert!(yields(&mut work));
        assert!(!yields(&mut work), "it begins again");
        for _ in 1..PARTS_PER_RECORD * RECORDS_PER_YIELD {
            work.add_copied(2_000);
            assert!(!yields(&mut work));
        }
        work.add_copied(2_000);
        assert!(yields(&mut work));
        work.add_copied(PARTS_PER_RECORD * RECORDS_PER_YIELD * 2048);
        assert!(yields(&mut work), "a long text takes long to copy");
    }
}
