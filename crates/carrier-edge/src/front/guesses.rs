//! The digests of a request: which of them are verified, and how wrong ones are answered.

use std::net::IpAddr;

use didww_types::Timestamp;
use trunk_rules::carrier::SentDigest;

use super::{Front, is_bound};
use crate::digest_guesses::{DigestAttempt, WrongDigest};

impl Front {
    /// The digest of a request from a source, with the username that it claims; `None` without a username.
    pub(crate) fn digest_attempt<'a>(
        &self,
        sent: &SentDigest<'_>,
        username: Option<&'a [u8]>,
        source: IpAddr,
        now: Timestamp,
    ) -> Option<DigestAttempt<'a>> {
        let username = username?;
        let is_bound = sent.nonce().is_some_and(|nonce| is_bound(nonce, self.binding(source)));
        Some(DigestAttempt { source, username, is_bound, now, running: self.clock.stopwatch() })
    }

    /// Returns true if a digest may be verified. It is false, and counted, for a source with too many wrong
    /// digests.
    pub(crate) fn may_verify(&self, digest: DigestAttempt<'_>) -> bool {
        let may = self.guess_limiter.may_verify(digest, &self.proofs);
        if !may {
            self.counts.guess_unanswered();
        }
        may
    }

    /// Counts a wrong digest. Returns true if it is to be answered with a challenge.
    pub(crate) fn count_wrong(&self, digest: DigestAttempt<'_>) -> bool {
        let wrong = self.guess_limiter.count_wrong(digest, &self.proofs);
        if wrong == WrongDigest::LimitReached && self.log_sums.guesses.admits(digest.source, digest.now) {
            let source = digest.source;
            tracing::warn!(%source, "too many wrong digests: one a second is answered until the next minute");
        }
        if wrong == WrongDigest::Unanswered {
            self.counts.guess_unanswered();
        }
        wrong != WrongDigest::Unanswered
    }

    /// Records a valid digest: the source is known from now on, and may always try this username.
    pub(crate) fn record_valid(&self, digest: DigestAttempt<'_>) {
        self.proofs.insert(digest.source, digest.now);
        self.proofs.insert((digest.source, digest.username), digest.now);
    }
}
