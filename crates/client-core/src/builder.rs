//! The settings that the builder of every client has.

/// Writes the setters that every client's builder has. It is invoked in an `impl` block of a type whose field
/// `settings` is a [`Settings`](crate::Settings). Its argument is the documentation of the default rate
/// limit.
///
/// It is a macro because the user of a client would have to import a trait to call its methods.
#[macro_export]
macro_rules! builder_settings {
    ($(#[$rate:meta])+) => {
        /// Sends every request through this HTTP client, with its proxies, certificates and connection pool.
        ///
        /// Disable its redirects with `redirect(Policy::none())`: when it follows one, it sends the
        /// credentials to the host that the redirect names. Its own connect timeout applies instead of
        /// [`connect_timeout`](Self::connect_timeout); [`timeout`](Self::timeout) applies in any case.
        pub fn http_client(mut self, client: $crate::macro_support::reqwest::Client) -> Self {
            self.settings.http = Some(client);
            self
        }

        /// Sets the time limit for establishing a connection: 10 s by default, more than zero, at most one
        /// hour. Other values are an error of `build`.
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.connect_timeout = timeout;
            self
        }

        /// Sets the time limit of one attempt, from sending to the last byte of the response: 30 s by
        /// default, more than zero, at most one hour. Other values are an error of `build`. The waits between
        /// attempts are not included: see [`RetryPolicy`](crate::RetryPolicy).
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.settings.timeout = timeout;
            self
        }

        /// Sets how often and after which wait a request is retried.
        pub fn retry(mut self, policy: $crate::RetryPolicy) -> Self {
            self.settings.retry = policy;
            self
        }

        /// Sends at most `per_second` requests in any period of one second, retries included. The clones of a
        /// client share the limit.
        ///
        $(#[$rate])+
        pub fn rate_limit(mut self, per_second: std::num::NonZeroU32) -> Self {
            self.settings.rate = $crate::Rate::PerSecond(per_second);
            self
        }

        /// Removes the rate limit, including the one that the service documents.
        pub fn no_rate_limit(mut self) -> Self {
            self.settings.rate = $crate::Rate::Unlimited;
            self
        }

        /// Sends an idempotency key with each request that creates something, one key for all attempts of a request.
        /// Such a request is then retried as a read is.
        ///
        /// Only for a service that knows the header `Idempotency-Key`, as `trunk-server` does: another one would ignore
        /// it, and a retry could create a second record or place a second call. The services' own hosts do not document
        /// it. For a key of the program's own there is `Client::with_idempotency_key`.
        pub fn idempotency_keys(mut self) -> Self {
            self.settings.idempotency_keys = true;
            self
        }

        /// Sets the size limit of a response body in bytes, 64 MiB by default. A larger response is an error.
        pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
            self.settings.max_answer = bytes;
            self
        }
    };
}
