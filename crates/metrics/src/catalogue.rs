//! The declarations of all metrics: names, kinds, labels and descriptions.

/// The kind of a metric, which decides how its values are interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A sum that only grows, from 0 at the start of the process unless its description says otherwise.
    Counter,
    /// A value that grows and shrinks.
    Gauge,
    /// Numbers of durations, grouped by upper bounds in seconds.
    Histogram,
    /// Labels that describe the server, with the value 1.
    Info,
}

/// A declared metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name of its samples. Those of a histogram append `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// The kind of the metric.
    pub kind: Kind,
    /// The names of the labels; a histogram also has `le`.
    pub labels: &'static [&'static str],
    /// The description: one sentence without a full stop.
    pub help: &'static str,
}

macro_rules! catalogue {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(#[allow(dead_code, reason = "some belong to parts that a build can lack")]
        pub(crate) const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)+

        /// All metrics, in the order in which they are written.
        pub const CATALOGUE: &[Metric] = &[
            $(Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help }),+
        ];
    };
}

catalogue! {
    TRUNK_CALLS = Gauge "didww_voice_out_trunk_active_calls_count" ["trunk_id", "trunk_name"]
        "Active calls of the trunk on this server, including those that are being set up";
    TRUNK_CALLS_PRICE = Gauge "didww_voice_out_trunk_active_calls_price" ["trunk_id", "trunk_name"]
        "Price so far of the trunk's active calls on this server, in US dollars";
    TRUNK_SPENT = Gauge "didww_voice_out_trunk_last24h_price" ["trunk_id", "trunk_name"]
        "Price of the trunk's calls in the last 24 hours on all servers of the database, active ones included, in US dollars";
    BALANCE = Gauge "didww_balance" ["account_id", "account_name"]
        "Prepaid amount of the account in the database, in US dollars; absent until one was set";
    BUILD = Info "trunk_server_build_info" ["version"]
        "The version of the program";
    START_TIME = Gauge "process_start_time_seconds" []
        "When the server started, in seconds since 1970";
    UPTIME = Gauge "trunk_server_uptime_seconds" []
        "Seconds since the server started";
    RESIDENT = Gauge "process_resident_memory_bytes" []
        "Memory of the process in use; absent where the system does not report it";
    OPEN_FILES = Gauge "process_open_fds" []
        "Open files of the process; absent where the system does not report it";
    READY = Gauge "trunk_server_ready" []
        "1 if the server accepts work, 0 while it stops";
    REQUESTS = Counter "trunk_server_http_requests_total" ["listener", "route", "method", "status"]
        "Requests that were answered, by the class of the status";
    REQUEST_DURATION = Histogram "trunk_server_http_request_duration_seconds" ["listener", "route"]
        "Time from the end of a request's headers until its response is made";
    CALLS_ACTIVE = Gauge "trunk_server_calls_active" []
        "Active calls at the edge, including those that are being set up";
    CALL_ATTEMPTS = Counter "trunk_server_call_attempts_total" ["outcome"]
        "Call attempts from known sources: admitted, challenged or refused";
    CALLS_REFUSED = Counter "trunk_server_calls_refused_total" ["check"]
        "Call attempts that were refused, by the check that refused them";
    CALLS_UNRECORDED = Counter "trunk_server_calls_unrecorded_total" []
        "Refused and unanswered attempts without a record, because there were too many or the database accepted no writes";
    SIP_DROPPED = Counter "trunk_server_sip_messages_total" ["outcome"]
        "SIP messages that never became a call attempt";
    INBOUND_CALLS_ACTIVE = Gauge "trunk_server_inbound_calls_active" []
        "Calls to DIDs that are active or being set up";
    OUTBOUND_CALLS_ACTIVE = Gauge "trunk_server_outbound_calls_active" []
        "Calls of the communication platform that are active or being set up";
    DELIVERIES = Counter "trunk_server_deliveries_total" ["kind", "outcome"]
        "Attempts to send events: callbacks of trunks and webhooks of customers, delivered or failed";
    EVENTS_WAITING = Gauge "trunk_server_events_waiting" []
        "Events in the database that are not delivered yet";
    EVENTS_DROPPED = Counter "trunk_server_events_dropped_total" []
        "Events that were dropped undelivered since the database was created or reset";
    STORE_WAITING = Gauge "trunk_server_store_writes_waiting" []
        "Writes that wait for the writer of the database's file; on PostgreSQL, reads and writes that wait for a connection";
    STORE_COMMITS = Counter "trunk_server_store_commits_total" []
        "Transactions of this server that were committed; in a file, one contains all writes that waited at the same time";
    STORE_READS_WAITING = Gauge "trunk_server_store_reads_waiting" []
        "Lists and other long reads that wait for their turn";
    STORE_READS_RUNNING = Gauge "trunk_server_store_reads_running" []
        "Lists and other long reads that run";
    STORE_WRITABLE = Gauge "trunk_server_store_writable" []
        "1 if the database accepts writes";
    STORE_AWAY = Gauge "trunk_server_database_away" []
        "1 while the database cannot be reached";
    NODES = Gauge "trunk_server_nodes_alive" []
        "Servers of the database that no other one has found dead, this one included";
    JOBS = Counter "trunk_server_jobs_total" ["kind", "outcome"]
        "Runs of jobs of this server: done or failed";
    ERRORS = Gauge "trunk_server_scrape_errors" []
        "Parts of these metrics that are missing, because the database did not answer in time";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_that_suits_its_kind() {
        let names: HashSet<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for Metric { name, kind, help, .. } in CATALOGUE {
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(*kind == Kind::Info, name.ends_with("_info"), "{name}");
            assert!(!help.ends_with('.') && !help.contains(['\\', '\n']), "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            );
        }
    }
}
