//! Messages as a ladder diagram: a column for each address, and an arrow for each message.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::message::{CallMessages, Message};
use super::summary;

/// The characters between two columns.
const SPAN: usize = 46;
/// The characters before the first column: the time.
const MARGIN: usize = 10;
/// Maximum number of columns; messages of further addresses are left out and counted.
const MAX_COLUMNS: usize = 6;

impl CallMessages {
    /// The messages as a diagram. A message that this server sent to itself is one arrow.
    pub fn ladder(&self) -> String {
        let messages = self.without_own_copies();
        let mut columns: Vec<SocketAddr> = Vec::new();
        for end in messages.iter().flat_map(|message| message.ends()) {
            if !columns.contains(&end) && columns.len() < MAX_COLUMNS {
                columns.push(end);
            }
        }
        let mut text = format!("Call-ID {}\n", summary::printable(self.call_id.as_bytes()));
        if let Some(first) = messages.first() {
            let mut transports: Vec<&str> = messages.iter().map(|message| message.transport).collect();
            transports.sort_unstable();
            transports.dedup();
            let (count, over) = (messages.len(), transports.join(" and "));
            let noun = if count == 1 { "message" } else { "messages" };
            let _infallible = writeln!(text, "{} {count} {noun} over {over}, times in seconds\n", first.at);
        }
        push_row(&mut text, "", columns.iter().map(ToString::to_string).collect());
        push_row(&mut text, "", columns.iter().map(|column| name_of(*column, &messages)).collect());
        let start = messages.first().map(|message| message.elapsed).unwrap_or_default();
        let mut left_out = 0_usize;
        for (at, message) in messages.iter().enumerate() {
            let [from, to] = message.ends().map(|end| columns.iter().position(|column| *column == end));
            let (Some(from), Some(to)) = (from, to) else {
                left_out += 1;
                continue;
            };
            let time = format!("{:.3}", message.elapsed.saturating_sub(start).as_secs_f64());
            let repeats =
                |earlier: &&Message| earlier.ends() == message.ends() && earlier.bytes == message.bytes;
            let is_repeated = messages.iter().take(at).any(repeats);
            let again = if is_repeated { " (again)" } else { "" };
            let label = summary::start_line(&message.bytes);
            push_arrow(&mut text, &time, (from, to), columns.len(), (&label, again));
            if is_repeated {
                continue;
            }
            let streams = summary::streams(&message.bytes).map(|streams| format!("SDP {streams}"));
            for note in streams.into_iter().chain(summary::explanations(&message.bytes)) {
                push_note(&mut text, from.min(to), columns.len(), &note);
            }
        }
        if left_out > 0 {
            let _infallible = writeln!(text, "{left_out} messages with further addresses are left out");
        }
        if self.omitted > 0 {
            let _infallible = writeln!(text, "{} messages between these are not stored", self.omitted);
        }
        text
    }
}

/// The stack of an address of this server, or the product that the messages of a peer name.
fn name_of(column: SocketAddr, messages: &[&Message]) -> String {
    let mut own = messages.iter().filter(|message| message.local == column);
    if let Some(message) = own.next() {
        return message.stack.to_owned();
    }
    let mut sent = messages.iter().filter(|message| message.ends().first() == Some(&column));
    sent.find_map(|message| summary::product(&message.bytes)).unwrap_or_default()
}

/// Writes a row with a text at each column.
fn push_row(text: &mut String, time: &str, words: Vec<String>) {
    let mut row = format!("{time:>width$}  ", width = MARGIN - 2);
    for word in words {
        row.push_str(&fitted(&word, SPAN));
    }
    text.push_str(row.trim_end());
    text.push('\n');
}

/// Writes an arrow with its label, which crosses the columns between its ends.
fn push_arrow(
    text: &mut String,
    time: &str,
    (from, to): (usize, usize),
    columns: usize,
    (label, suffix): (&str, &str),
) {
    let (left, right) = (from.min(to), from.max(to));
    let mut row = format!("{time:>width$}  ", width = MARGIN - 2);
    row.push_str(&format!("|{}", " ".repeat(SPAN - 1)).repeat(left));
    let room = ((right - left).max(1) * SPAN) - 1;
    // Space for `-- `, a space and an arrow's head.
    let label = cut(label, room - 6 - suffix.len()) + suffix;
    let dashes = "-".repeat((room - 5).saturating_sub(label.chars().count()));
    let arrow = match (from, to) {
        (from, to) if from < to => format!("|-- {label} {dashes}>"),
        (from, to) if from > to => format!("|<{dashes} {label} --"),
        _ => format!("|-> {label}"),
    };
    row.push_str(&arrow);
    if left < right {
        row.push_str(&format!("|{}", " ".repeat(SPAN - 1)).repeat(columns - right));
    }
    text.push_str(row.trim_end());
    text.push('\n');
}

/// Writes a note beside the arrow before it. A long one continues beyond the next columns.
fn push_note(text: &mut String, left: usize, columns: usize, note: &str) {
    let mut row = " ".repeat(MARGIN);
    row.push_str(&format!("|{}", " ".repeat(SPAN - 1)).repeat(left));
    let length = note.chars().count() + 5;
    if length < SPAN {
        let _infallible = write!(row, "{}", fitted(&format!("|    {note}"), SPAN));
        row.push_str(&format!("|{}", " ".repeat(SPAN - 1)).repeat(columns.saturating_sub(left + 1)));
    } else {
        let _infallible = write!(row, "|    {note}");
    }
    text.push_str(row.trim_end());
    text.push('\n');
}

/// The first characters of a text, with dots if there are more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(3)).collect::<String>() + "..."
}

/// A text with exactly this many characters, the last of which is a space.
fn fitted(text: &str, width: usize) -> String {
    format!("{:<width$}", cut(text, width - 1))
}
