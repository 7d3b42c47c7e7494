//! The settings of callbacks and webhooks.

use std::sync::Arc;
use std::time::Duration;

use lab::Lab;
use rust_decimal::Decimal;

use crate::resolve::{Resolver, SystemResolver};

/// The settings of callbacks and webhooks. The defaults are those that DIDWW documents, where it documents
/// them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Whether callbacks to 127.0.0.0/8, `::1` and the public addresses of this machine are allowed. Only for tests and
    /// development: it lets every client with an API key reach all services of this machine.
    pub allow_loopback: bool,
    /// Whether manually blocking and unblocking a trunk also sends a callback, as DIDWW documents it. True by default.
    pub on_manual_block: bool,
    /// The longest time of a trunk's callback, from the look-up of the host to the response's status. DIDWW
    /// documents 60 seconds.
    pub timeout: Duration,
    /// The longest time of a webhook, from the look-up of the host to the last response's status, redirects
    /// included. VoIPBIN's is known to be 30 seconds.
    pub webhook_timeout: Duration,
    /// The factor by which the documented delays between attempts are multiplied.
    pub retry_clock_factor: Decimal,
    /// The maximum number of simultaneous attempts; 64 by default, and at least 1.
    pub parallel: usize,
    /// The maximum number of simultaneous attempts for one account or customer, so that its slow receivers do
    /// not delay the events of others; 16 by default, and at least 1.
    pub parallel_per_owner: usize,
    /// The maximum number of events of one customer that wait for delivery; 0 means no limit. Beyond it the
    /// oldest are dropped. The default is 100,000.
    pub webhooks_waiting: u64,
    /// The longest time that a customer's event waits for delivery; 0 means no limit. Older ones are dropped.
    /// The default is 24 hours.
    pub webhook_age: Duration,
    /// Resolves host names to addresses; the operating system's resolver by default.
    pub resolver: Arc<dyn Resolver>,
    /// The lab, whose faults make callbacks late or lose them; one without faults by default.
    pub lab: Lab,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            on_manual_block: true,
            timeout: Duration::from_mins(1),
            webhook_timeout: Duration::from_secs(30),
            retry_clock_factor: Decimal::ONE,
            parallel: 64,
            parallel_per_owner: 16,
            webhooks_waiting: 100_000,
            webhook_age: Duration::from_hours(24),
            resolver: Arc::new(SystemResolver),
            lab: Lab::default(),
        }
    }
}
