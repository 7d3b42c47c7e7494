//! What can be set about every client.

/// Gives a client's builder the settings that every client has; it stands in an `impl` of a type whose field
/// `settings` is a [`Settings`](crate::Settings). What is given to it is said of the rate limit.
///
/// A macro, because a method of a trait would have to be imported to be found.
#[macro_export]
macro_rules! builder_settings {
    ($(#[$rate:meta])+) => {
        /// Sends through this HTTP client, with its proxies, certificates and connections.
        ///
        /// Switch its redirects off (`redirect(Policy::none())`): it would take the credentials along to wherever it
        /// is sent. Its connect timeout is its own; [`timeout`](Self::timeout) holds in any case.
        pub fn http_client(mut self, client: $crate::macro_support::reqwest::Client) -> Self {
            self.settings.http = Some(client);
            self
        }

        /// The longest time to connect, 10 s unless set; more than zero, at most an hour.
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.connect_timeout = timeout;
            self
        }

        /// The longest time of one attempt up to the answer's last byte, 30 s unless set; more than zero, at most an
        /// hour. Waits between attempts come on top: see [`RetryPolicy`](crate::RetryPolicy).
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.timeout = timeout;
            self
        }

        /// How requests are repeated.
        pub fn retry(mut self, policy: $crate::RetryPolicy) -> Self {
            self.settings.retry = policy;
            self
        }

        /// Sends at most so many requests in any second, the clones of the client together.
        ///
        $(#[$rate])+
        pub fn rate_limit(mut self, per_second: std::num::NonZeroU32) -> Self {
            self.settings.rate = $crate::Rate::PerSecond(per_second);
            self
        }

        /// Sends as fast as it is asked to.
        pub fn no_rate_limit(mut self) -> Self {
            self.settings.rate = $crate::Rate::Unlimited;
            self
        }

        /// The most bytes of an answer that are read, 64 MiB unless set.
        pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
            self.settings.max_answer = bytes;
            self
        }
    };
}
