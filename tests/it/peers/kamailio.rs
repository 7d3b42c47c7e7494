//! Kamailio as a process.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tokio::net::UdpSocket;

use super::free_address;
use crate::sip::edge::{source, until};

/// A running Kamailio. It consists of several processes, so it receives SIGTERM rather than SIGKILL.
pub struct Kamailio {
    child: Child,
    /// Its SIP address over UDP.
    pub at: SocketAddr,
    folder: tempfile::TempDir,
}

impl Kamailio {
    /// Starts it with the configuration for its address, and waits until it answers OPTIONS.
    pub async fn start(config: impl FnOnce(SocketAddr) -> String) -> Self {
        Self::start_at(free_address(), config).await
    }

    /// The same at a given address.
    pub async fn start_at(at: SocketAddr, config: impl FnOnce(SocketAddr) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, config(at)).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("kamailio")
            // In the foreground, with its log on standard error and its runtime files in a folder that is
            // deleted afterwards.
            .args(["-DD", "-E", "-m", "32", "-f"])
            .arg(&file)
            .arg("-Y")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("kamailio is installed: scripts/test does it");
        let kamailio = Self { child, at, folder };
        kamailio.answers().await;
        kamailio
    }

    async fn answers(&self) {
        let socket = UdpSocket::bind(SocketAddr::new(source().into(), 0)).await.unwrap();
        let (local, at) = (socket.local_addr().unwrap(), self.at);
        let probe = format!(
            "OPTIONS sip:{at} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-probe\r\n\
             From: <sip:probe@{local}>;tag=probe\r\nTo: <sip:{at}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let what = format!("Kamailio's answer: {}", self.log());
        until(&what, async || {
            // Until Kamailio listens, the kernel may report that the port is closed.
            socket.send_to(probe.as_bytes(), at).await.ok()?;
            let mut answer = [0; 2048];
            let read = tokio::time::timeout(std::time::Duration::from_millis(100), socket.recv(&mut answer));
            read.await.ok()?.ok().filter(|_| answer.starts_with(b"SIP/2.0 200")).map(drop)
        })
        .await;
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // This fails if it has already ended, which is fine.
        let _asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _reaped = self.child.wait();
    }
}
