//! The SIP library behind a small interface of ours.
//!
//! It is used at transaction level: retransmissions and transports are its own, every decision is ours. It
//! logs whole messages, so its log target is switched off where logs are set up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, Method, Request, SipMessage, StatusCode};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{Endpoint, EndpointBuilder, TransactionReceiver};
use rsipstack::transport::tls::{TlsConfig, TlsListenerConnection};
use rsipstack::transport::{SipAddr, SipConnection, TransportLayer};
use tokio_util::sync::CancellationToken;

use super::config::{EdgeConfig, EdgeError, Tls};
use crate::sip::listen;

/// The methods that the edge knows.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK";

/// The listening endpoint.
pub(super) struct Stack {
    endpoint: Endpoint,
    token: CancellationToken,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    advertise: IpAddr,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack")
            .field("address", &self.address)
            .field("tls", &self.tls_address)
            .finish_non_exhaustive()
    }
}

/// The requests that come in.
pub(super) struct Requests {
    receiver: TransactionReceiver,
    server_name: Arc<str>,
}

impl Requests {
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        let transaction = self.receiver.recv().await?;
        Some(Incoming::new(transaction, Arc::clone(&self.server_name)))
    }
}

impl Stack {
    pub(super) async fn start(config: &EdgeConfig) -> Result<(Self, Requests), EdgeError> {
        let token = CancellationToken::new();
        let layer = TransportLayer::new(token.clone());
        let address = listen::both(&layer, config.listen, &token)
            .await
            .map_err(|why| EdgeError::Listen { address: config.listen, why })?;
        let mut tls_address = None;
        if let Some((listen, tls)) = &config.tls {
            tls_address = Some(bind_tls(&layer, *listen, tls).await?);
        }
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&config.server_name)
            .with_transport_layer(layer)
            .with_cancel_token(token.clone())
            .build();
        let why = |error: rsipstack::Error| EdgeError::Listen { address, why: error.to_string() };
        let receiver = endpoint.incoming_transactions().map_err(why)?;
        let inner = endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "the SIP endpoint ended");
            }
        });
        let server_name: Arc<str> = config.server_name.as_str().into();
        let advertise = config.advertise.unwrap_or_else(|| address.ip());
        let requests = Requests { receiver, server_name };
        Ok((Self { endpoint, token, address, tls_address, advertise }, requests))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// The address that peers send media and requests to.
    pub(super) fn advertise(&self) -> IpAddr {
        self.advertise
    }

    /// The URI that a peer of this transport sends in-dialog requests to.
    pub(super) fn contact(&self, transport: &str) -> String {
        let port =
            if transport == "tls" { self.tls_address.unwrap_or(self.address) } else { self.address }.port();
        format!("<sip:{}:{port};transport={transport}>", bracketed(self.advertise))
    }

    pub(super) fn stop(&self) {
        self.token.cancel();
        self.endpoint.shutdown();
    }
}

pub(super) fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

async fn bind_tls(layer: &TransportLayer, listen: SocketAddr, tls: &Tls) -> Result<SocketAddr, EdgeError> {
    let read = |file: &std::path::Path| {
        std::fs::read(file)
            .map_err(|error| EdgeError::Certificate { file: file.to_owned(), why: error.to_string() })
    };
    let failed = |why: String| EdgeError::Listen { address: listen, why };
    let config =
        TlsConfig { cert: Some(read(&tls.certificate)?), key: Some(read(&tls.key)?), ..TlsConfig::default() };
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been quicker, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
    }
    let probe = std::net::TcpListener::bind(listen).map_err(|error| failed(error.to_string()))?;
    let address = probe.local_addr().map_err(|error| failed(error.to_string()))?;
    drop(probe);
    let listener =
        TlsListenerConnection::new(address, None, config).await.map_err(|error| failed(error.to_string()))?;
    layer.add_transport(SipConnection::TlsListener(listener));
    Ok(address)
}

/// A request that came in, with its transaction.
pub(super) struct Incoming {
    transaction: Transaction,
    source: SocketAddr,
    transport: &'static str,
    server_name: Arc<str>,
    acknowledgement: Vec<u8>,
}

/// What happens to an INVITE after it was answered, or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happened {
    /// The caller confirmed the final response.
    Acknowledged,
    /// The caller gave up; the library has said 200 to that.
    Cancelled,
    /// The transaction is over: it was confirmed, or its time ran out.
    Over,
}

impl Incoming {
    fn new(transaction: Transaction, server_name: Arc<str>) -> Self {
        let connection = transaction.connection.as_ref();
        let source =
            connection.and_then(SipConnection::get_remote_addr).and_then(|a| a.get_socketaddr().ok());
        let transport = match connection.map(SipConnection::transport) {
            Some(rsipstack::sip::Transport::Tcp) => "tcp",
            Some(rsipstack::sip::Transport::Tls) => "tls",
            _ => "udp",
        };
        let nowhere = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        Self {
            transaction,
            source: source.unwrap_or(nowhere),
            transport,
            server_name,
            acknowledgement: Vec::new(),
        }
    }

    /// Where the packet came from, whatever its headers say.
    pub(super) fn source(&self) -> SocketAddr {
        self.source
    }

    /// `udp`, `tcp` or `tls`.
    pub(super) fn transport(&self) -> &'static str {
        self.transport
    }

    pub(super) fn method(&self) -> &'static str {
        match self.transaction.original.method {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Register => "REGISTER",
            Method::Update => "UPDATE",
            Method::PRack => "PRACK",
            _ => "OTHER",
        }
    }

    /// The Request-URI with its user part as it was received.
    pub(super) fn request_uri(&self) -> String {
        let uri = &self.transaction.original.uri;
        match (&uri.scheme, &uri.auth) {
            // The library escapes the user part once more when it writes it: `%23` would read `%2523`.
            (Some(scheme), Some(auth)) => format!("{scheme}:{}@{}", auth.user, uri.host_with_port),
            _ => uri.to_string(),
        }
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.transaction.original.body
    }

    /// The values of a header as they were received, one for each line.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let of = |header: &Header| {
            let line = header.to_string();
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim_start().to_owned())
        };
        self.transaction.original.headers.iter().filter_map(of).collect()
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }

    pub(super) fn call_id(&self) -> String {
        self.transaction.original.call_id_header().map_or_else(|_| String::new(), |id| id.value().to_owned())
    }

    pub(super) fn remote_tag(&self) -> Option<String> {
        let tag = self.transaction.original.from_header().ok()?.tag().ok()??;
        Some(tag.value().to_owned())
    }

    pub(super) fn local_tag(&self) -> Option<String> {
        let tag = self.transaction.original.to_header().ok()?.tag().ok()??;
        Some(tag.value().to_owned())
    }

    pub(super) fn max_forwards(&self) -> Option<u32> {
        self.value("Max-Forwards")?.trim().parse().ok()
    }

    /// Gives the dialog its local tag: every later response carries it.
    pub(super) fn set_local_tag(&mut self, tag: &str) {
        let headers = &mut self.transaction.original.headers;
        for header in headers.iter_mut() {
            if let Header::To(to) = header {
                *to = rsipstack::sip::headers::To::new(format!("{};tag={tag}", to.value()));
            }
        }
    }

    /// Says that the request is being worked on.
    pub(super) async fn trying(&mut self) {
        if let Err(error) = self.transaction.send_trying().await {
            tracing::debug!(%error, "100 was not sent");
        }
    }

    /// Sends a response. A failure to send is the network's, and the caller's timers deal with it.
    pub(super) async fn respond(&mut self, code: u16, phrase: &str, headers: &[(&str, &str)], body: &str) {
        // The library takes the phrase of a code from its own table, except for codes that it does not know.
        let status =
            if code < 300 { StatusCode::from(code) } else { StatusCode::Other(code, phrase.to_owned()) };
        let body = (!body.is_empty()).then(|| body.as_bytes().to_vec());
        let endpoint = &self.transaction.endpoint_inner;
        let mut response = endpoint.make_response(&self.transaction.original, status, body);
        response.headers.retain(|header| !matches!(header, Header::UserAgent(_)));
        response.headers.push(Header::Server(self.server_name.as_ref().into()));
        for (name, value) in headers {
            response.headers.push(Header::Other((*name).to_owned(), (*value).to_owned()));
        }
        if let Err(error) = self.transaction.respond(response).await {
            tracing::debug!(code, %error, "a response was not sent");
        }
    }

    /// Sends a final response and sees the transaction to its end.
    pub(super) async fn finish(mut self, code: u16, phrase: &str, headers: &[(&str, &str)]) {
        self.respond(code, phrase, headers, "").await;
        self.wait_until_over().await;
    }

    /// Sees an answered transaction to its end: retransmissions need it.
    pub(super) async fn wait_until_over(&mut self) {
        while self.happened().await != Happened::Over {}
    }

    /// What happens next. Safe to give up waiting for.
    pub(super) async fn happened(&mut self) -> Happened {
        if self.transaction.is_terminated() {
            return Happened::Over;
        }
        loop {
            match self.transaction.receive().await {
                None => return Happened::Over,
                Some(SipMessage::Request(request)) if request.method == Method::Ack => {
                    self.acknowledgement = request.body;
                    return Happened::Acknowledged;
                }
                Some(SipMessage::Request(request)) if request.method == Method::Cancel => {
                    return Happened::Cancelled;
                }
                Some(_) => {}
            }
        }
    }

    /// The body of the ACK: the answer to an offer that the final response made.
    pub(super) fn take_acknowledgement(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.acknowledgement)
    }

    /// What is needed to send requests in the dialog that this INVITE makes.
    pub(super) fn dialog(&self) -> Option<Dialog> {
        let original = &self.transaction.original;
        let contact = self.value("Contact")?;
        Some(Dialog {
            endpoint: self.transaction.endpoint_inner.clone(),
            connection: self.transaction.connection.clone()?,
            source: self.source,
            target: uri_of(&contact),
            routes: self.values("Record-Route"),
            local: original.to_header().ok()?.value().to_owned(),
            remote: original.from_header().ok()?.value().to_owned(),
            call_id: self.call_id(),
        })
    }
}

/// The URI of a `Contact` or `From` value.
fn uri_of(value: &str) -> String {
    match (value.find('<'), value.find('>')) {
        (Some(from), Some(to)) if from < to => value.get(from + 1..to).unwrap_or_default().to_owned(),
        _ => value.split(';').next().unwrap_or_default().trim().to_owned(),
    }
}

/// The callee's side of a dialog.
pub(super) struct Dialog {
    endpoint: EndpointInnerRef,
    connection: SipConnection,
    source: SocketAddr,
    target: String,
    routes: Vec<String>,
    local: String,
    remote: String,
    call_id: String,
}

impl Dialog {
    /// Ends the dialog from the callee's side: gives back when the BYE was sent. The repetitions and the answer are
    /// seen to by themselves, as long as the transaction lives.
    pub(super) async fn bye(self, reason: &str) {
        match tokio::time::timeout(SENDING, self.send_bye(reason)).await {
            Ok(Ok(mut transaction)) => {
                tokio::spawn(async move { while !is_answered(transaction.receive().await.as_ref()) {} });
            }
            Ok(Err(error)) => tracing::debug!(%error, "a BYE was not sent"),
            Err(_elapsed) => tracing::debug!("a BYE was not sent: the peer's connection is stuck"),
        }
    }

    async fn send_bye(self, reason: &str) -> rsipstack::Result<Transaction> {
        let address = self.connection.get_addr().clone();
        let via = self.endpoint.get_via(Some(address), None)?;
        let mut headers = vec![Header::Via(via.into())];
        headers.extend(self.routes.iter().map(|route| Header::Route(route.as_str().into())));
        headers.extend([
            Header::From(self.local.as_str().into()),
            Header::To(self.remote.as_str().into()),
            Header::CallId(self.call_id.as_str().into()),
            Header::CSeq("1 BYE".into()),
            Header::MaxForwards(70.into()),
            Header::Other("Reason".to_owned(), reason.to_owned()),
        ]);
        let request = Request {
            method: Method::Bye,
            uri: rsipstack::sip::Uri::try_from(self.target.as_str())?,
            headers: headers.into(),
            version: rsipstack::sip::Version::V2,
            body: Vec::new(),
        };
        let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
        let mut transaction =
            Transaction::new_client(key, request, self.endpoint.clone(), Some(self.connection.clone()));
        // Back to where the calls come from: a contact behind address translation leads nowhere.
        transaction.destination =
            Some(SipAddr { r#type: Some(self.connection.transport()), addr: self.source.into() });
        transaction.send().await?;
        Ok(transaction)
    }
}

/// Longest that a BYE may take to be written: a connection that is stuck must not keep its call.
const SENDING: std::time::Duration = std::time::Duration::from_secs(1);

/// Whether a request needs no more waiting for: nothing can come, or a final response came.
fn is_answered(message: Option<&SipMessage>) -> bool {
    match message {
        None => true,
        Some(SipMessage::Response(response)) => response.status_code.code() >= 200,
        Some(SipMessage::Request(_)) => false,
    }
}
