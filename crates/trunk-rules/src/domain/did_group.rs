//! The rules of DID groups, which no request of an account's owner writes.

use didww_types::resources::DidGroup;

use super::Rules;

impl Rules for DidGroup {
    /// A group has no numbers in stock unless staff add some.
    const INITIAL_META: Option<&'static str> = Some(
        "{\"available_dids_enabled\":false,\"needs_registration\":false,\"is_available\":false,\"total_count\":0}",
    );
}
