//! Messages as text.
//!
//! The lines of a message are indented, so that its content cannot imitate the lines between messages, and
//! control characters are replaced, because a terminal would obey them.

use std::fmt::Write as _;

use super::message::{CallMessages, Direction};

impl CallMessages {
    /// The messages as text, each after a line with its time, addresses and transport.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for message in &self.messages {
            let preposition = match message.direction {
                Direction::Received => "from",
                Direction::Sent => "to",
            };
            let _infallible = writeln!(
                text,
                "{} {} by {} {} {preposition} {} over {}, {} bytes",
                message.at,
                message.direction.name(),
                message.stack,
                message.local,
                message.remote,
                message.transport,
                message.length,
            );
            for line in String::from_utf8_lossy(&message.bytes).split('\n') {
                let line = line.strip_suffix('\r').unwrap_or(line);
                let shown = |letter: char| if letter.is_control() && letter != '\t' { '.' } else { letter };
                text.push_str("  ");
                text.extend(line.chars().map(shown));
                text.push('\n');
            }
            if message.is_cut() {
                let _infallible = writeln!(text, "  (the rest of the message is not stored)");
            }
            text.push('\n');
        }
        if self.omitted > 0 {
            let _infallible = writeln!(text, "{} messages between these are not stored", self.omitted);
        }
        text
    }
}
