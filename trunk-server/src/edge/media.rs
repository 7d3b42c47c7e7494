//! The RTP endpoint of a call: it hears, checks who speaks, and echoes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use didww_types::Timestamp;
use tokio::net::UdpSocket;
use trunk_rules::carrier::{Media, MediaHost, Protection, RtpPath, RtpTerms, ping_packet};

use crate::clock::Clock;
use crate::sip::Ports;

/// Longest wait for the address of a name in an SDP.
const LOOKUP: Duration = Duration::from_secs(2);

/// The media of one call.
pub(super) struct Endpoint {
    socket: UdpSocket,
    address: SocketAddr,
    path: RtpPath,
    terms: RtpTerms,
    /// Whether what is heard may be sent back: what is encrypted is only counted.
    echo: bool,
    payload_type: u8,
    /// Packets that were dropped on paths that a new offer replaced.
    dropped_before: u64,
    dropped_from: Vec<IpAddr>,
}

/// Sources of dropped packets that a record names.
const NAMED: usize = 8;

impl Endpoint {
    pub(super) async fn open(
        ports: &Ports,
        bind: IpAddr,
        advertise: IpAddr,
        media: Option<&Media>,
        terms: RtpTerms,
        now: Timestamp,
    ) -> Option<Self> {
        let socket = UdpSocket::from_std(ports.bind(bind).await?).ok()?;
        let address = SocketAddr::new(advertise, socket.local_addr().ok()?.port());
        let mut endpoint = Self {
            socket,
            address,
            path: RtpPath::new(None, now),
            terms,
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
        if let (true, Some(target)) = (self.terms.ping, self.path.target()) {
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

    /// Hears one packet and echoes it. Safe to give up waiting for.
    pub(super) async fn hear(&mut self, buffer: &mut [u8], clock: &Clock) {
        let Ok((length, from)) = self.socket.recv_from(buffer).await else { return };
        let packet = buffer.get(..length).unwrap_or_default();
        if !self.path.receive(&self.terms, from, clock.now()) {
            if self.dropped_from.len() < NAMED && !self.dropped_from.contains(&from.ip()) {
                self.dropped_from.push(from.ip());
            }
            return;
        }
        if let (true, Some(target)) = (self.echo && is_rtp(packet), self.path.target()) {
            self.send(packet, target).await;
        }
    }

    /// A packet that cannot be sent is lost, as packets are.
    async fn send(&self, packet: &[u8], target: SocketAddr) {
        let _lost = self.socket.send_to(packet, target).await;
    }

    /// When the call ends if it stays silent.
    pub(super) fn silent_until(&self) -> Option<Timestamp> {
        self.path.silent_until(&self.terms)
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
            tokio::time::timeout(LOOKUP, lookup).await.ok()?.ok()?.next()
        }
    }
}
