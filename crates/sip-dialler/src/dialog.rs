//! A dialog as its caller sees it: where its requests go, and in which order (RFC 3261 §12).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Header, Method, Request, Response, SipMessage, Transport};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use trunk_rules::carrier::{DigestChallenge, PasswordHash};

use super::connect::Hop;
use super::origin::{Line, Origin};
use super::uri::{Target, entries, tag_of, uri_of};

/// Longest that the way to a dialog's next hop may take to be found: its peer waits for the ACK meanwhile.
const FINDING: Duration = Duration::from_secs(2);
/// Longest that a request may take to be written.
const SENDING: Duration = Duration::from_secs(1);

/// The values of a header, one for each line, as they were received.
pub(crate) fn values<'a>(
    headers: &'a rsipstack::sip::Headers,
    name: &'a str,
) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |header| header.name().eq_ignore_ascii_case(name)).map(Header::value)
}

/// The first value of a header.
pub(crate) fn value<'a>(headers: &'a rsipstack::sip::Headers, name: &'a str) -> Option<&'a str> {
    values(headers, name).next()
}

/// Whether a header lists a word, such as an option tag.
pub(crate) fn lists(headers: &rsipstack::sip::Headers, name: &str, word: &str) -> bool {
    values(headers, name)
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// The number and the method of `CSeq`.
pub(crate) fn sequence(headers: &rsipstack::sip::Headers) -> Option<(u32, &str)> {
    let mut words = value(headers, "CSeq")?.split_ascii_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?))
}

/// The far end's tag in a response; empty when it is an old one that knows no tags.
pub(crate) fn remote_tag(response: &Response) -> &str {
    value(&response.headers, "To").and_then(tag_of).unwrap_or_default()
}

#[derive(Clone)]
pub(crate) struct Dialog {
    pub tag: String,
    /// The value of `To`.
    to: String,
    /// Where requests are meant for.
    target: String,
    /// Where they pass, the nearest first.
    routes: Vec<String>,
    pub hop: Hop,
    /// The number of the last request.
    sequence: u32,
}

impl Dialog {
    /// The dialog that a response to our INVITE makes. `way` is where the INVITE went, `sequence` its number.
    pub(crate) async fn of(
        origin: &Origin,
        response: &Response,
        way: &Hop,
        asked: &str,
        sequence: u32,
    ) -> Self {
        let mut routes: Vec<String> =
            values(&response.headers, "Record-Route").flat_map(entries).map(str::to_owned).collect();
        routes.reverse();
        let target =
            value(&response.headers, "Contact").and_then(|contact| entries(contact).into_iter().next());
        let mut dialog = Self {
            tag: remote_tag(response).to_owned(),
            to: value(&response.headers, "To").unwrap_or_default().to_owned(),
            target: target.map_or(asked, uri_of).to_owned(),
            routes,
            hop: way.clone(),
            sequence,
        };
        dialog.hop = dialog.next_hop(origin, way).await;
        dialog
    }

    /// Goes on counting where the same dialog stood before its answer.
    pub(crate) fn continues(&mut self, early: &Self) {
        self.sequence = self.sequence.max(early.sequence);
    }

    /// Takes the far end's new contact.
    pub(crate) async fn retarget(&mut self, origin: &Origin, headers: &rsipstack::sip::Headers) {
        let contact =
            value(headers, "Contact").and_then(|contact| entries(contact).into_iter().next()).map(uri_of);
        if let Some(contact) = contact.filter(|contact| *contact != self.target) {
            contact.clone_into(&mut self.target);
            self.hop = self.next_hop(origin, &self.hop.clone()).await;
        }
    }

    /// The way to the first route or else to the target; `way` when it leads nowhere.
    async fn next_hop(&self, origin: &Origin, way: &Hop) -> Hop {
        // A contact behind address translation cannot be connected to, and need not be: the connection is
        // there.
        if self.routes.is_empty() && way.is_reliable() && way.is_open() {
            return way.clone();
        }
        let uri = self.routes.first().map_or(self.target.as_str(), |route| uri_of(route));
        let Some(target) = Target::parse(uri, origin.reach) else { return way.clone() };
        let inner = &origin.inner;
        let port = target.port.unwrap_or(if target.transport == Transport::Tls { 5061 } else { 5060 });
        let address = target.host.parse().ok().map(|address: IpAddr| SocketAddr::new(address, port));
        if address.is_some() && target.transport == way.transport && way.is_open() && address == way.address()
        {
            return way.clone();
        }
        let find = async {
            let address = inner.resolver.targets(&target, &inner.ids).await.into_iter().next()?;
            inner.connect.to(&inner.stack, target.transport, address, &target.host).await.ok()
        };
        // Seldom needed, and large: not a part of every call's state.
        if let Ok(Some(hop)) = tokio::time::timeout(FINDING, Box::pin(find)).await {
            return hop;
        }
        tracing::debug!(
            uri,
            "there is no way to the far end's contact or route; requests go where the INVITE went"
        );
        way.clone()
    }

    /// Finds another way where the one that there was is closed.
    pub(crate) async fn reconnect(&mut self, origin: &Origin) {
        if !self.hop.is_open() {
            self.hop = self.next_hop(origin, &self.hop.clone()).await;
        }
    }

    /// The number of the next request.
    pub(crate) fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    /// A request in the dialog.
    pub(crate) fn request(
        &self,
        origin: &Origin,
        method: Method,
        sequence: u32,
        further: Vec<Header>,
        body: String,
    ) -> Request {
        let strict = self.routes.first().map(|route| uri_of(route)).filter(|route| !is_loose(route));
        let (uri, routes) = match strict {
            None => (self.target.as_str(), self.routes.clone()),
            // A strict router wants to be the target itself (RFC 3261 §12.2.1.1).
            Some(first) => {
                let rest = self.routes.iter().skip(1).cloned();
                (first, rest.chain([format!("<{}>", self.target)]).collect())
            }
        };
        let line = Line { method, uri, to: &self.to, sequence, routes: &routes };
        origin.request(&line, &self.hop, further, body)
    }

    /// Sends a request, again with a digest if it is challenged, and waits for its answer. `None` when it
    /// could not be sent.
    pub(crate) async fn ask(
        mut self,
        origin: &Origin,
        method: Method,
        further: Vec<Header>,
    ) -> Option<Response> {
        let sequence = self.next_sequence();
        let request = self.request(origin, method, sequence, further.clone(), String::new());
        let uri = request.uri.to_string();
        let response = ask(origin, request, &self.hop).await?;
        let Some(authorization) = answer(origin, &response, &method.to_string(), &uri) else {
            return Some(response);
        };
        let sequence = self.next_sequence();
        let further = further.into_iter().chain([authorization]).collect();
        let request = self.request(origin, method, sequence, further, String::new());
        ask(origin, request, &self.hop).await
    }

    /// Hangs up. It goes on by itself when it is not waited for.
    pub(crate) fn bye(mut self, origin: &Arc<Origin>) -> tokio::task::JoinHandle<()> {
        let origin = Arc::clone(origin);
        let inner = Arc::clone(&origin.inner);
        inner.stack.spawn(async move {
            self.reconnect(&origin).await;
            if self.ask(&origin, Method::Bye, Vec::new()).await.is_none() {
                tracing::debug!("a BYE was not sent");
            }
        })
    }
}

fn is_loose(uri: &str) -> bool {
    let parameters = uri.split(';').skip(1);
    parameters.into_iter().any(|parameter| {
        parameter.split(['=', '?']).next().is_some_and(|name| name.trim().eq_ignore_ascii_case("lr"))
    })
}

/// Sends a request that is no INVITE, and waits for its final response. The library repeats it, and says 408
/// itself when nothing comes.
pub(crate) async fn ask(origin: &Origin, request: Request, hop: &Hop) -> Option<Response> {
    let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
    let endpoint = origin.inner.stack.endpoint().clone();
    let mut transaction = Transaction::new_client(key, request, endpoint, Some(hop.connection.clone()));
    transaction.destination = Some(hop.destination.clone());
    tokio::time::timeout(SENDING, transaction.send()).await.ok()?.ok()?;
    let answered = async {
        loop {
            match transaction.receive().await? {
                SipMessage::Response(response) if response.status_code.code() >= 200 => {
                    return Some(response);
                }
                _ => {}
            }
        }
    };
    tokio::select! {
        biased;
        // The library's timers end with it.
        answered = origin.inner.stack.token().run_until_cancelled(answered) => answered?,
        // Nothing repeats it, and the library learns of it from nobody.
        () = hop.closed() => None,
    }
}

/// The header that answers a challenge, where the password is known.
pub(crate) fn answer(origin: &Origin, response: &Response, method: &str, uri: &str) -> Option<Header> {
    let credentials = origin.credentials.as_ref()?;
    let challenge = challenge(response)?;
    let password = PasswordHash::new(&credentials.username, &challenge.realm(), &credentials.password);
    let text = challenge.answer(&credentials.username, &password, method, uri, &origin.inner.ids.tag());
    Some(if response.status_code.code() == 407 {
        Header::ProxyAuthorization(text.into())
    } else {
        Header::Authorization(text.into())
    })
}

/// The challenge of a 401 or 407 that can be answered.
pub(crate) fn challenge(response: &Response) -> Option<DigestChallenge> {
    let name = match response.status_code.code() {
        401 => "WWW-Authenticate",
        407 => "Proxy-Authenticate",
        _ => return None,
    };
    match DigestChallenge::choose(values(&response.headers, name).map(str::as_bytes)) {
        Ok(challenge) => Some(challenge),
        Err(why) => {
            tracing::info!(%why, "a challenge of the carrier cannot be answered");
            None
        }
    }
}
