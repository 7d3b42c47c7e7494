//! A TCP proxy between a server and its database, which fails as networks do.
//!
//! It runs in a thread of its own, because tests block the threads of their runtimes while a server starts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// The behaviour of the proxy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    /// Passes on everything.
    Open,
    /// Passes on each piece after a time of its own of up to this one, so that what is sent on several connections
    /// arrives in another order.
    Slow(Duration),
    /// Accepts connections and passes on nothing, as if all packets were lost.
    Silent,
    /// Resets new connections. Those that exist go on until they are [cut](Proxy::cut).
    Shut,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Side {
    Server,
    Database,
}

/// The state of the connections up to a number, in the order in which they were accepted.
#[derive(Debug, Clone, Copy)]
struct State {
    way: Way,
    /// They are reset.
    cut: u64,
    /// Nothing is passed on any more, and nothing ends them.
    lost: u64,
    /// Nothing more comes to the server.
    ended_at_server: u64,
    /// Nothing more comes to the database.
    ended_at_database: u64,
}

impl State {
    fn passes(&self, number: u64) -> bool {
        self.way != Way::Silent && self.lost < number
    }
}

/// A proxy on a port of loopback. It ends with its process.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepted: Arc<AtomicU64>,
    open: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts it before the Unix socket of a PostgreSQL server.
    pub fn start(socket: PathBuf) -> Self {
        let state = State { way: Way::Open, cut: 0, lost: 0, ended_at_server: 0, ended_at_database: 0 };
        let (state, changes) = watch::channel(state);
        let (accepted, open) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let (ready, listens) = std::sync::mpsc::channel();
        let counts = (Arc::clone(&accepted), Arc::clone(&open));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                listen(listener, &socket, &changes, &counts).await;
            });
        });
        Self { address: listens.recv().unwrap(), state, accepted, open }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the behaviour from now on.
    pub fn set(&self, way: Way) {
        self.state.send_modify(|state| state.way = way);
    }

    /// Resets all connections that there are.
    pub fn cut(&self) {
        let last = self.accepted();
        self.state.send_modify(|state| state.cut = last);
    }

    /// Passes on nothing of the connections that there are, from now on and for ever. New ones are served.
    pub fn lose(&self) {
        let last = self.accepted();
        self.state.send_modify(|state| state.lost = last);
    }

    /// Ends one direction of all connections that there are: this side reads their end, and may still send.
    pub fn half_close(&self, at: Side) {
        let last = self.accepted();
        self.state.send_modify(|state| match at {
            Side::Server => state.ended_at_server = last,
            Side::Database => state.ended_at_database = last,
        });
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

async fn listen(
    listener: TcpListener,
    socket: &Path,
    state: &watch::Receiver<State>,
    (accepted, open): &(Arc<AtomicU64>, Arc<AtomicUsize>),
) {
    loop {
        let (mut server, _) = listener.accept().await.unwrap();
        let number = accepted.fetch_add(1, Ordering::SeqCst) + 1;
        if state.borrow().way == Way::Shut {
            server.set_zero_linger().unwrap();
            continue;
        }
        let (socket, mut state, open) = (socket.to_owned(), state.clone(), Arc::clone(open));
        open.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let mut changes = state.clone();
            tokio::select! {
                _cut = state.wait_for(|state| state.cut >= number) => server.set_zero_linger().unwrap(),
                () = pass_on(&mut server, &socket, number, &mut changes) => {}
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Forwards the bytes of both sides until both have ended.
async fn pass_on(server: &mut TcpStream, socket: &Path, number: u64, state: &mut watch::Receiver<State>) {
    drop(state.wait_for(|state| state.passes(number)).await);
    let Ok(mut database) = UnixStream::connect(socket).await else { return };
    server.set_nodelay(true).unwrap();
    let ((from_server, to_server), (from_database, to_database)) = (server.split(), database.split());
    tokio::join!(
        pump(from_server, to_database, Side::Database, number, state.clone()),
        pump(from_database, to_server, Side::Server, number, state.clone()),
    );
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    toward: Side,
    number: u64,
    mut state: watch::Receiver<State>,
) {
    let (mut end, mut piece, mut pieces) = (state.clone(), vec![0; 16_384], 0_u64);
    let has_ended = |state: &State| match toward {
        Side::Server => state.ended_at_server >= number,
        Side::Database => state.ended_at_database >= number,
    };
    loop {
        let length = tokio::select! {
            biased;
            _ended = end.wait_for(has_ended) => break,
            read = from.read(&mut piece) => read.unwrap_or(0),
        };
        if length == 0 {
            break;
        }
        pieces += 1;
        let Ok(way) = state.wait_for(|state| state.passes(number)).await.map(|state| state.way) else {
            return;
        };
        if let Way::Slow(most) = way {
            tokio::time::sleep(most.mul_f64(share(number, toward, pieces))).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    // The end arrives as the pieces do: not at all while nothing is passed on.
    drop(state.wait_for(|state| state.passes(number)).await);
    let _ended = to.shutdown().await;
}

/// A number between 0 and 1 that looks random, and is the same in each run.
fn share(number: u64, toward: Side, piece: u64) -> f64 {
    let seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ piece.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (seed ^ (seed >> 29) ^ u64::from(toward == Side::Server)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u16::try_from(mixed >> 48).unwrap()) / f64::from(u16::MAX)
}
