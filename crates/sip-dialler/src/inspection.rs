//! Inspects a request of a far end inside a call before it is processed (RFC 3261 §8.2 and §12.2.2).

use rsipstack::sip::Header;
use rsipstack::transaction::transaction::Transaction;
use sip_transport::body::session_description;
use sip_transport::tag_of;

use crate::call::Call;
use crate::headers::{sequence, value, values};
use crate::responses::finish_in_background;

/// The option tags that `Require` may list.
const EXTENSIONS: [&str; 2] = ["100rel", "timer"];
/// Maximum number of far ends of a call whose numbers are known: only a forked INVITE has more than one.
const MAX_FAR_ENDS: usize = 8;

/// The `CSeq` numbers of the last requests of a call's far ends, by their tags.
#[derive(Default)]
pub(crate) struct RemoteSequences(Vec<(Box<str>, u32)>);

impl RemoteSequences {
    /// Records the number of a request, and returns false if an earlier request of its far end had a greater one.
    fn accept(&mut self, tag: &str, number: u32) -> bool {
        if let Some((_, last)) = self.0.iter_mut().find(|(known, _)| **known == *tag) {
            let is_in_order = number >= *last;
            *last = number.max(*last);
            return is_in_order;
        }
        if self.0.len() < MAX_FAR_ENDS {
            // Most calls have exactly one.
            self.0.reserve_exact(1);
            self.0.push((tag.into(), number));
        }
        true
    }
}

impl Call {
    /// Refuses a request of a foreign dialog, one that requires an unsupported extension, and one that is out of order.
    /// Returns any other.
    pub(crate) fn inspected(&mut self, request: Transaction) -> Option<Transaction> {
        let headers = &request.original.headers;
        if value(headers, "To").and_then(tag_of) != Some(self.origin.tag.as_str()) {
            finish_in_background(request, 481, "Call/Transaction Does Not Exist", Vec::new());
            return None;
        }
        let required = values(headers, "Require").flat_map(|value| value.split(',')).map(str::trim);
        let is_unknown =
            |tag: &&str| !tag.is_empty() && !EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(tag));
        let unknown: Vec<&str> = required.filter(is_unknown).collect();
        if !unknown.is_empty() {
            let header = Header::Other("Unsupported".to_owned(), unknown.join(", "));
            finish_in_background(request, 420, "Bad Extension", vec![header]);
            return None;
        }
        let tag = value(headers, "From").and_then(tag_of).unwrap_or_default();
        if let Some((number, _)) = sequence(headers)
            && !self.remote_sequences.accept(tag, number)
        {
            finish_in_background(request, 500, "Server Internal Error", Vec::new());
            return None;
        }
        Some(request)
    }
}

/// Whether a request has a session description, which is an offer in every request but ACK and PRACK.
pub(crate) fn has_offer(request: &Transaction) -> bool {
    matches!(session_description(&request.original.headers, &request.original.body), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_each_far_end_ascend_by_themselves() {
        let mut sequences = RemoteSequences::default();
        assert!(sequences.accept("one", 7) && sequences.accept("two", 3));
        assert!(!sequences.accept("one", 6), "an earlier one");
        assert!(sequences.accept("one", 7), "the same one, whose transaction has ended");
        assert!(sequences.accept("two", 9) && !sequences.accept("two", 8));
        for number in 0..20 {
            assert!(sequences.accept(&format!("tag-{number}"), 1));
        }
        assert_eq!(sequences.0.len(), MAX_FAR_ENDS);
    }
}
