//! What `log` may say: levels and `target=level` pairs.
//!
//! The filter behind it takes any word for a target, so that `warning` would be a program nobody has, and silence
//! everything. Here each part is a level, or a pair whose second half is one.

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Whether a text is a filter that says what its author meant.
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
    fn levels_and_pairs_are_taken() {
        for text in ["info", "WARN", "off", "warn,trunk_server=debug", "trunk_server::edge=trace,hyper=error"]
        {
            assert!(is_log_filter(text), "{text}");
        }
    }

    #[test]
    fn what_would_silence_everything_by_mistake_is_not() {
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
