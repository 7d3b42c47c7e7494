//! The RTP endpoint of a call: it hears, checks who speaks, and echoes.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use didww_types::Timestamp;
use tokio::net::UdpSocket;
use trunk_rules::carrier::{Media, MediaHost, Protection, RtpPath, TrunkTerms, ping_packet};

use crate::clock::Clock;
use crate::descriptors::Permit;
use crate::sip::{Bound, Ports};

/// Longest wait for the address of a name in an SDP.
const LOOKUP: Duration = Duration::from_secs(2);

/// The media of one call.
pub(super) struct Endpoint {
    socket: UdpSocket,
    /// The right to have it open.
    _permit: Permit,
    address: SocketAddr,
    path: RtpPath,
    trunk: Arc<TrunkTerms>,
    /// Whether what is heard may be sent back: what is encrypted is only counted.
    echo: bool,
    payload_type: u8,
    /// Packets that were dropped on paths that a new offer replaced.
    dropped_before: u64,
    dropped_from: Vec<IpAddr>,
}

/// Sources of dropped packets that a record names.
const NAMED: usize = 8;
/// Packets of one call that are taken in a row.
const AT_A_TIME: usize = 16;

thread_local! {
    /// Where a packet is received. One for each thread: a call that waits for packets, and nearly all calls do
    /// nothing else, must not keep room for one.
    static PACKET: RefCell<[u8; 2048]> = const { RefCell::new([0; 2048]) };
}

impl Endpoint {
    pub(super) async fn open(
        ports: &Ports,
        bind: IpAddr,
        advertise: IpAddr,
        media: Option<&Media>,
        trunk: Arc<TrunkTerms>,
        now: Timestamp,
    ) -> Option<Self> {
        let Bound { socket, permit } = ports.bind(bind).await?;
        let socket = UdpSocket::from_std(socket).ok()?;
        let address = SocketAddr::new(advertise, socket.local_addr().ok()?.port());
        let mut endpoint = Self {
            socket,
            _permit: permit,
            address,
            path: RtpPath::new(None, now),
            trunk,
            echo: true,
            payload_type: 0,
            dropped_before: 0,
            dropped_from: Vec::new(),
        };
        if let Some(media) = media {
            endpoint.negotiated(media, now).await;
        }
        Some(endpoint)
    }

    /// What peers are told.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes what an offer or an answer said.
    pub(super) async fn negotiated(&mut self, media: &Media, now: Timestamp) {
        self.dropped_before += self.path.dropped();
        self.path = RtpPath::new(resolve(&media.host, media.port).await, now);
        self.path.hold(super::sdp::is_hold(media.direction), now);
        self.echo = media.protection == Protection::Plain;
        self.payload_type = media.payload_type;
    }

    /// Starts the watch for silence anew, and makes a peer speak that waits for the first packet.
    pub(super) async fn answered(&mut self, now: Timestamp, random: u64) {
        self.path.restart(now);
        if let (true, Some(target)) = (self.trunk.rtp.ping, self.path.target()) {
            let random = random.to_be_bytes();
            let [sequence @ .., _, _, _, _, _, _] = random;
            let [timestamp @ .., _, _, _, _] = random;
            let [_, _, _, _, source @ ..] = random;
            let packet = ping_packet(
                self.payload_type,
                u16::from_be_bytes(sequence),
                u32::from_be_bytes(timestamp),
                u32::from_be_bytes(source),
            );
            self.send(&packet, target).await;
        }
    }

    /// Hears and echoes for as long as nobody gives up waiting, which is always safe.
    pub(super) async fn hear(&mut self, clock: &Clock) {
        loop {
            if self.socket.readable().await.is_err() {
                return std::future::pending().await;
            }
            PACKET.with_borrow_mut(|buffer| self.take(buffer, clock.now()));
        }
    }

    /// Takes the packets that are there, but not for ever: other calls run on this thread.
    fn take(&mut self, buffer: &mut [u8], now: Timestamp) {
        for _ in 0..AT_A_TIME {
            let (length, from) = match self.socket.try_recv_from(buffer) {
                Ok(received) => received,
                // A peer that closed its port says so with an error; the call goes on.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => continue,
                Err(_) => return,
            };
            if !self.path.receive(&self.trunk.rtp, from, now) {
                if self.dropped_from.len() < NAMED && !self.dropped_from.contains(&from.ip()) {
                    self.dropped_from.push(from.ip());
                }
                continue;
            }
            let packet = buffer.get(..length).unwrap_or_default();
            if let (true, Some(target)) = (self.echo && is_rtp(packet), self.path.target()) {
                // What finds no room is lost, as packets are.
                let _lost = self.socket.try_send_to(packet, target);
            }
        }
    }

    /// A packet that cannot be sent is lost, as packets are.
    async fn send(&self, packet: &[u8], target: SocketAddr) {
        let _lost = self.socket.send_to(packet, target).await;
    }

    /// When the call ends if it stays silent.
    pub(super) fn silent_until(&self) -> Option<Timestamp> {
        self.path.silent_until(&self.trunk.rtp)
    }

    /// How many packets were dropped because of their source, and some of the sources.
    pub(super) fn dropped(&self) -> (u64, &[IpAddr]) {
        (self.dropped_before + self.path.dropped(), &self.dropped_from)
    }
}

fn is_rtp(packet: &[u8]) -> bool {
    packet.len() >= 12 && packet.first().is_some_and(|byte| byte >> 6 == 2)
}

async fn resolve(host: &MediaHost, port: u16) -> Option<SocketAddr> {
    match host {
        // The unspecified address is the old way to say "hold".
        MediaHost::Address(address) if address.is_unspecified() => None,
        MediaHost::Address(address) => Some(SocketAddr::new(*address, port)),
        MediaHost::Name(name) => {
            let lookup = tokio::net::lookup_host((name.as_str(), port));
            Box::pin(tokio::time::timeout(LOOKUP, lookup)).await.ok()?.ok()?.next()
        }
    }
}
