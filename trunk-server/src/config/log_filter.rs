//! Validation of the setting `log`: levels and `target=level` pairs, separated by commas.
//!
//! [`Targets`] accepts any word as a target: `warning` would select a target that does not exist, and so disable all
//! logs. Here each part must be a level, or a pair whose second half is a level.

use tracing_subscriber::filter::Targets;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Returns true if every part of a filter is a level or a `target=level` pair.
pub(super) fn is_log_filter(text: &str) -> bool {
    text.parse::<Targets>().is_ok() && text.split(',').all(is_directive)
}

/// The log targets of this server: the crates that it is composed of.
const CRATES: [&str; 13] = [
    "trunk_server",
    "callbacks",
    "carrier_edge",
    "control_plane",
    "didww_api",
    "http_listener",
    "inbound_calls",
    "service_base",
    "service_core",
    "sip_dialler",
    "sip_transport",
    "trunk_store",
    "voipbin_platform",
];

/// Returns the filter with the target `trunk_server` written out as all crates that the server is composed of.
pub(crate) fn with_all_crates(filter: &str) -> String {
    let parts = filter.split(',').map(|part| match part.strip_prefix("trunk_server=") {
        Some(level) => CRATES.map(|name| format!("{name}={level}")).join(","),
        None => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}

fn is_directive(part: &str) -> bool {
    match part.rsplit_once('=') {
        Some((target, level)) => {
            !target.is_empty() && !target.contains(char::is_whitespace) && is_level(level)
        }
        None => is_level(part),
    }
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_pairs_are_accepted() {
        for text in ["info", "WARN", "off", "warn,trunk_server=debug", "trunk_server::edge=trace,hyper=error"]
        {
            assert!(is_log_filter(text), "{text}");
        }
    }

    #[test]
    fn the_server_as_a_target_is_every_crate_of_it() {
        let filter = with_all_crates("warn,trunk_server=debug,hyper=error");
        assert!(
            filter.starts_with("warn,trunk_server=debug,callbacks=debug,carrier_edge=debug,"),
            "{filter}"
        );
        assert!(filter.ends_with(",voipbin_platform=debug,hyper=error"), "{filter}");
        assert_eq!(with_all_crates("info"), "info");
    }

    #[test]
    fn filters_that_would_disable_all_logs_by_mistake_are_refused() {
        for text in [
            "",
            " ",
            "warning",
            "loud",
            "info trunk",
            "trunk_server",
            "info,",
            "a=b=c",
            "x=",
            "=info",
            "x y=info",
        ] {
            assert!(!is_log_filter(text), "{text}");
        }
    }
}
