//! A dialog before the answer of its call, which a reliable provisional response creates.

use rsipstack::sip::Header;
use tokio::sync::mpsc;

use crate::dialog::Dialog;

/// A dialog before the answer, with the state of its reliable provisional responses (RFC 3262).
pub(crate) struct EarlyDialog {
    pub(crate) dialog: Dialog,
    /// The `RSeq` of the last response that was acknowledged.
    pub(crate) confirmed: u32,
    /// The session description of the first response that had one, or of a later UPDATE of the far end.
    pub(crate) answer: Option<Vec<u8>>,
    /// PRACK requests, which are sent one after the other: the dialog of each of them, and its further headers.
    pub(crate) pracks: mpsc::Sender<(Dialog, Vec<Header>)>,
    /// The number of PRACK requests so far.
    pub(crate) count: usize,
}
