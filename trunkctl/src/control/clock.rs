//! `trunkctl clock`.

use clap::Subcommand;
use didww_client::Method;
use serde_json::json;

use super::service::{Service, print_single};
use crate::context::Target;
use crate::exit::Failure;
use crate::output::Format;

/// The subcommands of `trunkctl clock`.
#[derive(Debug, Clone, Subcommand)]
pub enum ClockCommand {
    /// Print the time, and whether the clock is frozen
    Show {
        /// The format
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Stop the clock
    Freeze {
        /// Set the clock to this instant, such as 2026-04-08T06:57:33.304Z [default: the clock's current time]
        at: Option<String>,
    },
    /// Move the clock forward
    Advance {
        /// The duration: seconds, or a number with s, m, h or d, such as 24h
        #[arg(value_parser = seconds)]
        by: u64,
    },
    /// Let the clock run again
    Resume,
}

/// Reads `90`, `90s`, `15m`, `24h` or `7d` as seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.chars().last().unwrap_or('s')),
        None => (text, 's'),
    };
    let factor = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => 1,
    };
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "expected 90, 90s, 15m, 24h or 7d".to_owned())
}

impl ClockCommand {
    /// Runs the command, and prints the time after it.
    ///
    /// # Errors
    /// The failures of requests.
    pub async fn run(&self, target: &Target) -> Result<(), Failure> {
        let service = Service::of(target)?;
        let (answer, output) = match self {
            Self::Show { output } => (service.get("/clock").await?, *output),
            Self::Freeze { at } => {
                let body = at.as_ref().map_or_else(|| json!({}), |at| json!({"at": at}));
                (service.send(Method::POST, "/clock/freeze", Some(&body)).await?, Format::Table)
            }
            Self::Advance { by } => {
                let body = json!({"seconds": by});
                (service.send(Method::POST, "/clock/advance", Some(&body)).await?, Format::Table)
            }
            Self::Resume => (service.send(Method::POST, "/clock/resume", None).await?, Format::Table),
        };
        print_single(&answer, &["now", "frozen"], output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let read: Vec<Option<u64>> =
            ["90", "90s", "15m", "24h", "7d", "", "h", "-1", "1w", "99999999999999999d"]
                .map(|text| seconds(text).ok())
                .to_vec();
        let expected =
            [Some(90), Some(90), Some(900), Some(86_400), Some(604_800), None, None, None, None, None];
        assert_eq!(read, expected);
    }
}
