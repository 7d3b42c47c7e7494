//! Validation of the setting `log`: levels and `target=level` pairs, separated by commas.
//!
//! [`EnvFilter`] accepts any word as a target: `warning` would select a target that does not exist, and so disable all
//! logs. Here each part must be a level, or a pair whose second half is a level.

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Returns true if every part of a filter is a level or a `target=level` pair.
pub(super) fn is_log_filter(text: &str) -> bool {
    text.parse::<EnvFilter>().is_ok() && text.split(',').all(is_directive)
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
