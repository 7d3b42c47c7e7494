//! The answers that were sent past the SIP library, each for half a minute, in case that a copy of its request was
//! delayed in the network.
//!
//! The library would keep each as a parsed response, and twice the transaction's key, in trees whose nodes are half
//! empty: 1.3 kilobytes for an answer of 300 bytes. Here it is one text, without the headers that the answer repeats:
//! if a copy of its request arrives, which is rare, the copy has them. Then the text is parsed, and the library finds
//! the response where it looks for one.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rsipstack::sip::{Header, Method, Request, Response, SipMessage};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use service_base::clock::Stopwatch;

/// How long a copy of a request may be delayed (RFC 3261 §17.2.2, timer J).
const COPY_WINDOW: Duration = Duration::from_secs(32);
/// Limit of answers that are kept: those to more than 8,000 requests a second. Beyond it the oldest one goes.
const MAX_KEPT: usize = 1 << 18;

/// The kept answers of an endpoint. Clones share them.
#[derive(Clone)]
pub struct KeptAnswers(Arc<Shared>);

struct Shared {
    /// The key of the hashes, so that no peer can construct two transactions with the same one.
    key: RandomState,
    running: Stopwatch,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The text of each answer, by the hash of its transaction's key.
    by_hash: HashMap<u64, Box<str>>,
    /// When each was sent, the oldest first. A transaction has one answer: a copy of its request begins no other.
    order: VecDeque<(Duration, u64)>,
}

impl Default for KeptAnswers {
    fn default() -> Self {
        let (key, running, kept) = (RandomState::new(), Stopwatch::start(), Mutex::default());
        Self(Arc::new(Shared { key, running, kept }))
    }
}

impl KeptAnswers {
    /// Keeps the answer of a transaction, before the transaction is dropped. `answer` is a response without a body and
    /// without the headers that it repeats: `Via`, `From`, `Call-ID` and `CSeq`, and of an INVITE `Record-Route`.
    pub fn keep(&self, key: &TransactionKey, answer: &str) {
        self.keep_at(key, answer, self.0.running.elapsed());
    }

    /// Forgets the answers whose time has passed. Each new answer, and each look for one, does that too.
    pub fn forget_old(&self) {
        let mut kept = self.current(self.0.running.elapsed());
        if kept.by_hash.len() < kept.by_hash.capacity() / 4 {
            kept.by_hash.shrink_to_fit();
            kept.order.shrink_to_fit();
        }
    }

    /// Whether there is the answer of a transaction.
    pub(crate) fn contains(&self, key: &TransactionKey) -> bool {
        let hash = self.hash(key);
        self.current(self.0.running.elapsed()).by_hash.contains_key(&hash)
    }

    /// Enters the answer of a copied request, or of the request that a CANCEL is for, where the library looks for it;
    /// `None` for any other message. The library has the answer until the returned value is dropped.
    pub(crate) fn lend<'a>(&self, message: &SipMessage, endpoint: &'a EndpointInnerRef) -> Option<Lent<'a>> {
        let SipMessage::Request(request) = message else { return None };
        // The library absorbs an ACK in any case.
        if request.method == Method::Ack || self.current(self.0.running.elapsed()).order.is_empty() {
            return None;
        }
        let key = TransactionKey::from_request(request, TransactionRole::Server).ok()?;
        let answer = self.find_at(&key, self.0.running.elapsed())?;
        let answer = completed(&answer, request)?;
        endpoint.finished_transactions.insert(key.clone(), Some(SipMessage::Response(answer)));
        Some(Lent { endpoint, key })
    }

    fn keep_at(&self, key: &TransactionKey, answer: &str, now: Duration) {
        let (hash, answer) = (self.hash(key), Box::from(answer));
        let mut kept = self.current(now);
        if kept.order.len() >= MAX_KEPT {
            kept.forget_oldest();
        }
        kept.by_hash.insert(hash, answer);
        kept.order.push_back((now, hash));
    }

    fn find_at(&self, key: &TransactionKey, now: Duration) -> Option<Box<str>> {
        let hash = self.hash(key);
        self.current(now).by_hash.get(&hash).cloned()
    }

    /// The answers whose time has not passed.
    fn current(&self, now: Duration) -> MutexGuard<'_, Kept> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.order.front().is_some_and(|(sent, _)| now.saturating_sub(*sent) >= COPY_WINDOW) {
            kept.forget_oldest();
        }
        kept
    }

    fn hash(&self, key: &TransactionKey) -> u64 {
        self.0.key.hash_one(key)
    }
}

impl Kept {
    fn forget_oldest(&mut self) {
        if let Some((_, hash)) = self.order.pop_front() {
            self.by_hash.remove(&hash);
        }
    }
}

/// A kept answer with the headers that it repeats of a copy of its request.
fn completed(answer: &str, request: &Request) -> Option<Response> {
    let Ok(SipMessage::Response(mut answer)) = SipMessage::try_from(answer) else { return None };
    let is_repeated = |header: &&Header| match header {
        Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_) => true,
        Header::RecordRoute(_) => request.method == Method::Invite,
        _ => false,
    };
    let own = std::mem::take(&mut answer.headers.0);
    let has_length = own.iter().any(|header| matches!(header, Header::ContentLength(_)));
    answer.headers.0 = request.headers.iter().filter(is_repeated).cloned().chain(own).collect();
    if !has_length {
        answer.headers.push(Header::ContentLength(0_u32.into()));
    }
    Some(answer)
}

/// An answer that the library has, until this is dropped.
pub(crate) struct Lent<'a> {
    endpoint: &'a EndpointInnerRef,
    key: TransactionKey,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.endpoint.finished_transactions.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use rsipstack::transaction::EndpointBuilder;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::transport_layer;

    const ANSWER: &str = "SIP/2.0 200 OK\r\nTo: <sip:b@h>;tag=b\r\nContact: <sip:c@h>\r\n\r\n";

    fn message(method: &str, branch: usize) -> SipMessage {
        let text = format!(
            "{method} sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{branch}\r\nFrom: <sip:a@h>;tag=a\r\n\
             To: <sip:b@h>\r\nRecord-Route: <sip:r;lr>\r\nCall-ID: a\r\nCSeq: 1 {method}\r\n\
             X-Other: 1\r\n\r\n"
        );
        SipMessage::try_from(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"))
    }

    fn key(branch: usize) -> TransactionKey {
        match message("INVITE", branch) {
            SipMessage::Request(request) => {
                TransactionKey::from_request(&request, TransactionRole::Server).unwrap()
            }
            SipMessage::Response(_) => panic!("it is a request"),
        }
    }

    #[test]
    fn an_answer_is_kept_for_half_a_minute() {
        let answers = KeptAnswers::default();
        let at = Duration::from_secs;
        answers.keep_at(&key(1), ANSWER, at(100));
        answers.keep_at(&key(2), ANSWER, at(110));
        assert_eq!(answers.find_at(&key(1), at(131)).as_deref(), Some(ANSWER));
        assert!(answers.find_at(&key(3), at(131)).is_none(), "it is another transaction");
        assert!(answers.find_at(&key(1), at(132)).is_none());
        assert!(answers.find_at(&key(2), at(132)).is_some());
        answers.keep_at(&key(3), ANSWER, at(142));
        let kept = answers.current(at(142));
        assert_eq!((kept.by_hash.len(), kept.order.len()), (1, 1));
    }

    #[test]
    fn beyond_the_limit_the_oldest_answer_goes() {
        let answers = KeptAnswers::default();
        let mut kept = answers.current(Duration::ZERO);
        kept.order.extend((0..MAX_KEPT - 1).map(|_| (Duration::ZERO, 0)));
        drop(kept);
        for branch in [1, 2] {
            answers.keep_at(&key(branch), ANSWER, Duration::ZERO);
        }
        assert!(answers.contains(&key(1)));
        let mut kept = answers.current(Duration::ZERO);
        assert_eq!(kept.order.len(), MAX_KEPT);
        kept.order.drain(..MAX_KEPT - 2);
        kept.order.extend((0..MAX_KEPT - 2).map(|_| (Duration::ZERO, 0)));
        drop(kept);
        answers.keep_at(&key(3), ANSWER, Duration::ZERO);
        assert_eq!([1, 2, 3].map(|branch| answers.contains(&key(branch))), [false, true, true]);
    }

    #[tokio::test]
    async fn the_library_has_an_answer_while_it_handles_a_copy_of_the_request_or_its_cancel() {
        let token = CancellationToken::new();
        let endpoint = EndpointBuilder::new()
            .with_transport_layer(transport_layer(token.clone()))
            .with_cancel_token(token)
            .build();
        let (answers, inner) = (KeptAnswers::default(), &endpoint.inner);
        answers.keep(&key(1), ANSWER);
        for method in ["INVITE", "CANCEL"] {
            let lent = answers.lend(&message(method, 1), inner);
            assert!(lent.is_some(), "{method}");
            let found = inner.finished_transactions.get(&key(1)).flatten().unwrap().to_string();
            assert!(found.contains("To: <sip:b@h>;tag=b\r\n"), "{found}");
            if method == "INVITE" {
                let whole = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
                    From: <sip:a@h>;tag=a\r\nRecord-Route: <sip:r;lr>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\
                    To: <sip:b@h>;tag=b\r\nContact: <sip:c@h>\r\nContent-Length: 0\r\n\r\n";
                assert_eq!(found, whole);
            }
            drop(lent);
            assert!(inner.finished_transactions.is_empty(), "{method}");
        }
        for other in [message("ACK", 1), message("BYE", 1), message("INVITE", 2)] {
            assert!(answers.lend(&other, inner).is_none(), "{other}");
        }
    }
}
