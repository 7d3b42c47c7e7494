//! Messages of the program to systemd about its own state (`sd_notify(3)`): that it serves, that it stops, and that it
//! is alive.
//!
//! Without `NOTIFY_SOCKET` in the environment no message is sent. A message that cannot be sent is dropped: systemd
//! then applies its own time limits.

use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The supervisor of this process, if it has one.
#[derive(Debug)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// The longest time between two messages that the process is alive.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The supervisor that the environment names.
    pub fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| open(&name));
        let text = |name| std::env::var(name).ok();
        let watchdog = watchdog(text("WATCHDOG_USEC").as_deref(), text("WATCHDOG_PID").as_deref());
        Self { watchdog: watchdog.filter(|_| socket.is_some()), socket }
    }

    /// Reports that the server serves, at this address.
    pub fn ready(&self, address: &str) {
        // A line end would begin another message.
        self.send(&format!("READY=1\nSTATUS=serving at {}", address.replace('\n', " ")));
    }

    /// Reports that the server stops.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=finishing what is in flight");
    }

    /// Reports that the program is alive, twice in the time in which systemd expects it once. It never ends.
    pub async fn keep_alive(&self) {
        let Some(within) = self.watchdog else { return std::future::pending().await };
        loop {
            self.send("WATCHDOG=1");
            tokio::time::sleep(within / 2).await;
        }
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.socket {
            // The socket never blocks: a message that the supervisor has no room for is lost.
            let _unread = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

/// The socket, and the supervisor's address: a path, or behind an `@` a name without a file.
fn open(name: &OsString) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, address.ok()?))
}

/// The watchdog's interval, unless it applies to another process.
fn watchdog(micros: Option<&str>, process: Option<&str>) -> Option<Duration> {
    let is_own = process.is_none_or(|process| process.parse() == Ok(std::process::id()));
    let micros: u64 = micros?.parse().ok().filter(|micros| *micros > 0)?;
    is_own.then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_of_another_process_is_not_kept() {
        let own = std::process::id().to_string();
        assert_eq!(watchdog(Some("2000000"), None), Some(Duration::from_secs(2)));
        assert_eq!(watchdog(Some("2000000"), Some(&own)), Some(Duration::from_secs(2)));
        assert_eq!(watchdog(Some("2000000"), Some("1")), None);
        assert_eq!(
            (watchdog(None, None), watchdog(Some("0"), None), watchdog(Some("x"), None)),
            (None, None, None)
        );
    }

    #[test]
    fn a_supervisor_without_a_file_is_heard_by_its_name() {
        let name = format!("trunk-server-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let heard = UnixDatagram::bind_addr(&address).unwrap();
        let supervisor = Supervisor { socket: open(&format!("@{name}").into()), watchdog: None };
        supervisor.ready("http://127.0.0.1:1/v3");
        let mut message = [0; 256];
        let length = heard.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1\nSTATUS=serving at http://127.0.0.1:1/v3");
        assert!(open(&OsString::from("x".repeat(300))).is_none(), "a path that is too long");
    }
}
