//! A carrier that answers every INVITE at once with the same response: the far end of outbound calls.

#![expect(clippy::disallowed_methods, reason = "what is read is sent by this program's own children")]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::Outcome;

/// The response to every INVITE.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// 486: the call ends.
    Busy,
    /// 200: the call stays up until one side hangs up.
    Ok,
}

/// Starts a carrier on a random port of loopback. It ends with this process.
pub(crate) fn start(answer: Answer) -> Outcome<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_mins(10)))?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || serve(&socket, address, answer));
    Ok(address)
}

fn serve(socket: &UdpSocket, address: SocketAddr, answer: Answer) {
    let mut buffer = vec![0; 65_536];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        if let Some(response) = respond(&text, address, answer) {
            // The caller retransmits if the datagram is lost.
            let _lost = socket.send_to(response.as_bytes(), from);
        }
    }
}

fn respond(request: &str, address: SocketAddr, answer: Answer) -> Option<String> {
    let (head, _) = request.split_once("\r\n\r\n")?;
    let method = head.split(' ').next()?;
    let (status, body) = match (method, answer) {
        ("ACK" | "SIP/2.0", _) => return None,
        ("INVITE", Answer::Busy) => ("486 Busy Here", ""),
        ("INVITE", Answer::Ok) => ("200 OK", SDP),
        _ => ("200 OK", ""),
    };
    let mut response = format!("SIP/2.0 {status}\r\n");
    for line in head.lines().skip(1) {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if matches!(name.as_str(), "via" | "from" | "call-id" | "cseq") {
            response.push_str(line);
            response.push_str("\r\n");
        } else if name == "to" {
            response.push_str(line);
            response.push_str(if line.contains(";tag=") { "\r\n" } else { ";tag=carrier\r\n" });
        }
    }
    if !body.is_empty() {
        response.push_str("Content-Type: application/sdp\r\n");
    }
    let length = body.len();
    Some(format!("{response}Contact: <sip:{address}>\r\nContent-Length: {length}\r\n\r\n{body}"))
}

/// An SDP whose media goes nowhere: the discard port, on hold from the start.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=inactive\r\n";
