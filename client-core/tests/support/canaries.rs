//! Texts that must not be printed, for the tests of each SDK.

use std::error::Error;

/// Secrets of a test.
pub(crate) struct Canaries<const N: usize>(pub(crate) [&'static str; N]);

impl<const N: usize> Canaries<N> {
    /// That none of them is in a text.
    pub(crate) fn are_not_in(&self, text: &str) {
        for canary in self.0 {
            assert!(!text.contains(canary), "`{canary}` in {text}");
        }
    }

    /// That none of them is in what an error prints, in whatever way, nor in what is behind it.
    pub(crate) fn are_not_told_by(&self, error: &dyn Error) {
        self.are_not_in(&format!("{error:?} {error:#?}"));
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.are_not_in(&format!("{error} {error:?}"));
            cause = error.source();
        }
    }
}
