//! Long pages beside short answers.
//!
//! A page of a thousand records takes some milliseconds to make, on a thread that others need as well: dozens of them at
//! once were seconds for a call that came in meanwhile. So whatever goes through the records of a page lets other tasks
//! run after every few of them. How many pages are made at once is not decided here but by the connections that ask.

/// Records between two pauses: about a tenth of a millisecond of work.
const RECORDS: usize = 16;

/// Lets other tasks of the thread run, once in so many places of a list.
pub(super) async fn pause(place: usize) {
    if place % RECORDS == RECORDS - 1 {
        tokio::task::yield_now().await;
    }
}
