//! Checks that secrets are not printed, for the tests of each SDK.

use std::error::Error;

/// The secrets of a test.
pub(crate) struct Canaries<const N: usize>(pub(crate) [&'static str; N]);

impl<const N: usize> Canaries<N> {
    /// Asserts that a text contains none of the secrets.
    pub(crate) fn assert_absent_from(&self, text: &str) {
        for canary in self.0 {
            assert!(!text.contains(canary), "`{canary}` in {text}");
        }
    }

    /// Asserts that neither an error nor its sources print any of the secrets, by `Display` or by `Debug`.
    pub(crate) fn assert_absent_from_error(&self, error: &dyn Error) {
        self.assert_absent_from(&format!("{error:?} {error:#?}"));
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.assert_absent_from(&format!("{error} {error:?}"));
            cause = error.source();
        }
    }
}
