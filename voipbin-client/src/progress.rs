//! The token of the next page, and the detection of lists whose pages never end.
//!
//! The service's page tokens are timestamps: that of the last record of a page, and pages go back in time. So
//! each token must be earlier than the one before. Of tokens in any other form the client only knows that
//! none may occur twice. It keeps a single token, replaced when the number of pages reaches 1, 2, 4, 8 and so on, which
//! detects every cycle without a list of all tokens (Brent's algorithm).

use crate::EndlessReason;
use crate::types::Timestamp;

/// The progress of reading the pages of a list one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The token of the page to read; `None` for the first page.
    pub(crate) token: Option<String>,
    /// The number of pages read so far.
    pub(crate) pages: u64,
    /// An earlier token, and the number of pages after which it is replaced.
    remembered: (Option<String>, u64),
}

impl Progress {
    pub(crate) fn from(token: Option<String>) -> Self {
        Self { token, pages: 0, remembered: (None, 1) }
    }

    /// The progress after reading a page with this number of records and this token; `None` at the end of the
    /// list.
    pub(crate) fn after(mut self, records: usize, next: String) -> Result<Option<Self>, EndlessReason> {
        self.pages += 1;
        match (records, next.is_empty()) {
            (_, true) => return Ok(None),
            (0, false) => return Err(EndlessReason::Empty),
            _ => {}
        }
        let leads_back = self.token.as_deref().is_some_and(|current| !is_after(&next, current));
        if leads_back || self.remembered.0.as_ref() == Some(&next) {
            return Err(EndlessReason::NoProgress { next });
        }
        if self.pages >= self.remembered.1 {
            self.remembered = (Some(next.clone()), self.remembered.1.saturating_mul(2));
        }
        self.token = Some(next);
        Ok(Some(self))
    }
}

/// Whether the page of a token comes after the page of another token, as far as their form shows.
fn is_after(next: &str, current: &str) -> bool {
    match (next.parse::<Timestamp>(), current.parse::<Timestamp>()) {
        (Ok(next), Ok(current)) => next < current,
        _ => next != current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads pages of two records with these next tokens, and returns the number of pages.
    fn read_pages<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<u64, EndlessReason> {
        let mut progress = Progress::from(None);
        let mut pages = 0;
        for token in tokens {
            pages += 1;
            match progress.after(2, token.to_owned())? {
                Some(next) => progress = next,
                None => return Ok(pages),
            }
        }
        panic!("no end after {pages} pages")
    }

    fn no_progress(next: &str) -> Result<u64, EndlessReason> {
        Err(EndlessReason::NoProgress { next: next.to_owned() })
    }

    #[test]
    fn a_list_ends_at_a_page_without_a_token() {
        assert_eq!(read_pages([""]), Ok(1));
        assert_eq!(read_pages(["2026-04-21T23:15:00.000000Z", "2026-04-21T23:14:00.000000Z", ""]), Ok(3));
        assert_eq!(read_pages(["b", "a", "c", ""]), Ok(4), "tokens of another form need not be in an order");
        assert_eq!(Progress::from(None).after(0, String::new()), Ok(None));
    }

    #[test]
    fn a_token_that_does_not_go_back_in_time_is_detected() {
        let (early, late) = ("2026-04-21T23:14:00.000000Z", "2026-04-21T23:15:00.000000Z");
        assert_eq!(read_pages([early, late]), no_progress(late));
        assert_eq!(read_pages([early, early]), no_progress(early));
        assert_eq!(
            read_pages([early, "2026-04-21 23:14:00.000000"]),
            no_progress("2026-04-21 23:14:00.000000")
        );
    }

    #[test]
    fn a_cycle_of_any_length_is_detected() {
        for length in 1..40 {
            let tokens: Vec<String> = (0..length).map(|token| format!("t{token}")).collect();
            let lead = ["x", "y", "z"];
            let cycle = tokens.iter().map(String::as_str).cycle().take(500);
            let result = read_pages(lead.into_iter().chain(cycle));
            assert!(matches!(result, Err(EndlessReason::NoProgress { .. })), "{length}");
        }
    }

    #[test]
    fn an_empty_page_with_a_token_is_detected() {
        assert_eq!(Progress::from(None).after(0, "x".to_owned()), Err(EndlessReason::Empty));
    }
}
