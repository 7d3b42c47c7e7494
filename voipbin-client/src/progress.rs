//! Which page comes next, and whether the walk gets anywhere.
//!
//! A token is the instant of the page's last record, and pages go back in time. Tokens of that form must become
//! earlier with every page. Of any other form it is only known that none may come twice: one token is remembered,
//! at walks of 1, 2, 4 … pages, so that every circle is noticed without a list of all tokens.

use crate::EndlessReason;
use crate::types::Timestamp;

/// What a walk over the pages has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The token that the next page is asked with; none for the first.
    pub(crate) token: Option<String>,
    /// How many pages were read.
    pub(crate) pages: u64,
    /// A token from before, and the number of the page at which the next one takes its place.
    remembered: (Option<String>, u64),
}

impl Progress {
    pub(crate) fn from(token: Option<String>) -> Self {
        Self { token, pages: 0, remembered: (None, 1) }
    }

    /// The walk after a page with so many records, or nothing at the list's end.
    pub(crate) fn after(mut self, records: usize, next: String) -> Result<Option<Self>, EndlessReason> {
        self.pages += 1;
        match (records, next.is_empty()) {
            (_, true) => return Ok(None),
            (0, false) => return Err(EndlessReason::Empty),
            _ => {}
        }
        let back = self.token.as_deref().is_some_and(|asked| !is_beyond(&next, asked));
        if back || self.remembered.0.as_ref() == Some(&next) {
            return Err(EndlessReason::NoProgress { next });
        }
        if self.pages >= self.remembered.1 {
            self.remembered = (Some(next.clone()), self.remembered.1.saturating_mul(2));
        }
        self.token = Some(next);
        Ok(Some(self))
    }
}

fn is_beyond(next: &str, asked: &str) -> bool {
    match (next.parse::<Timestamp>(), asked.parse::<Timestamp>()) {
        (Ok(next), Ok(asked)) => next < asked,
        _ => next != asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks over pages of two records with these next tokens.
    fn walk<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<u64, EndlessReason> {
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
    fn a_list_ends_where_no_next_page_is_named() {
        assert_eq!(walk([""]), Ok(1));
        assert_eq!(walk(["2026-04-21T23:15:00.000000Z", "2026-04-21T23:14:00.000000Z", ""]), Ok(3));
        assert_eq!(walk(["b", "a", "c", ""]), Ok(4), "tokens of another form need not be in an order");
        assert_eq!(Progress::from(None).after(0, String::new()), Ok(None));
    }

    #[test]
    fn a_token_that_does_not_go_back_in_time_is_noticed() {
        let (early, late) = ("2026-04-21T23:14:00.000000Z", "2026-04-21T23:15:00.000000Z");
        assert_eq!(walk([early, late]), no_progress(late));
        assert_eq!(walk([early, early]), no_progress(early));
        assert_eq!(walk([early, "2026-04-21 23:14:00.000000"]), no_progress("2026-04-21 23:14:00.000000"));
    }

    #[test]
    fn a_circle_of_any_length_is_noticed() {
        for length in 1..40 {
            let tokens: Vec<String> = (0..length).map(|token| format!("t{token}")).collect();
            let lead = ["x", "y", "z"];
            let walked = walk(lead.into_iter().chain(tokens.iter().map(String::as_str).cycle().take(500)));
            assert!(matches!(walked, Err(EndlessReason::NoProgress { .. })), "{length}");
        }
    }

    #[test]
    fn an_empty_page_that_names_a_next_one_is_noticed() {
        assert_eq!(Progress::from(None).after(0, "x".to_owned()), Err(EndlessReason::Empty));
    }
}
