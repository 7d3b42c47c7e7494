//! Standard output and standard error: colours, progress, questions.
//!
//! Results go to standard output, everything else to standard error. Colours and progress appear on terminals only.

use std::future::pending;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::{Exit, Failure};

/// When colours are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether colours are printed to standard output.
    pub fn on_output(self) -> bool {
        self.decide(std::io::stdout().is_terminal())
    }

    /// Whether colours are printed to standard error.
    pub fn on_errors(self) -> bool {
        self.decide(std::io::stderr().is_terminal())
    }

    fn decide(self, is_terminal: bool) -> bool {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                is_terminal
                    && variable("NO_COLOR").is_none()
                    && variable("TERM").is_none_or(|terminal| terminal != "dumb")
            }
        }
    }
}

/// A colour of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// An addition or a success.
    Green,
    /// A deletion or a failure.
    Red,
    /// A change or a warning.
    Yellow,
    /// A heading.
    Bold,
}

/// A text in a colour, or unchanged if colours are off.
pub(crate) fn painted(is_on: bool, paint: Paint, text: &str) -> String {
    let code = match paint {
        Paint::Green => "32",
        Paint::Red => "31",
        Paint::Yellow => "33",
        Paint::Bold => "1",
    };
    if is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Prints a result to standard output.
///
/// # Errors
/// When it cannot be written. A reader that closed the pipe, such as `head`, ends the program without a message.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::silent(Exit::Success)),
        Err(error) => Err(Failure::new(Exit::Failed, format!("the output cannot be written: {error}"))),
    }
}

/// As [`print`], for a command whose exit code says more than its output, or that goes on after it: a reader that
/// closed the pipe changes neither.
///
/// # Errors
/// When it cannot be written for another reason.
pub(crate) fn print_and_go_on(text: &str) -> Result<(), Failure> {
    match print(text) {
        Err(failure) if failure.exit == Exit::Success => Ok(()),
        printed => printed,
    }
}

/// Prints a line to standard error. A line that cannot be written is lost.
pub(crate) fn note(line: &str) {
    let _lost = writeln!(std::io::stderr().lock(), "{line}");
}

/// Asks for consent on the terminal. Without a terminal the answer is an error that names the flag.
///
/// # Errors
/// Without a terminal, and when the answer is not `yes`.
pub(crate) fn consent(question: &str, flag: &str) -> Result<(), Failure> {
    let input = std::io::stdin();
    if !input.is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::new(Exit::Unsafe, format!("without a terminal this needs {flag}")));
    }
    {
        let mut errors = std::io::stderr().lock();
        let _lost = write!(errors, "{question} Type yes: ").and_then(|()| errors.flush());
    }
    let mut answer = String::new();
    let _end = input.read_line(&mut answer);
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new(Exit::Unsafe, "nothing was done")) }
}

#[cfg(unix)]
type Signals = tokio::signal::unix::Signal;
#[cfg(windows)]
type Signals = tokio::signal::windows::CtrlC;

#[cfg(unix)]
fn signals() -> std::io::Result<Signals> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signals() -> std::io::Result<Signals> {
    tokio::signal::windows::ctrl_c()
}

/// Ctrl-C, each time that it is pressed from its creation on. It does not end the program any more.
#[derive(Debug)]
pub(crate) struct Interrupts(Option<Signals>);

impl Interrupts {
    /// Begins to take Ctrl-C.
    pub(crate) fn take() -> Self {
        Self(signals().ok())
    }

    /// Waits until Ctrl-C is pressed; for ever if it cannot be taken.
    pub(crate) async fn next(&mut self) {
        let pressed = match &mut self.0 {
            Some(signals) => signals.recv().await,
            None => None,
        };
        if pressed.is_none() {
            pending::<()>().await;
        }
    }
}

/// The progress of a long list or of a plan, on standard error and on terminals only.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins without a known total.
    pub(crate) fn start(what: &str) -> Self {
        let style = ProgressStyle::with_template("{msg} {pos}/{len} {wide_bar} {eta}");
        // The target does not draw unless standard error is a terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        if std::io::stderr().is_terminal() {
            // The bar is drawn by a thread of its own.
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Self(bar)
    }

    /// Sets the total number of items.
    pub(crate) fn of(&self, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
    }

    /// Adds to the number of completed items.
    pub(crate) fn add(&self, count: usize) {
        self.0.inc(u64::try_from(count).unwrap_or_default());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
