//! Placeholder until the shared module lands.
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

#[derive(Debug, Default)]
pub(crate) struct Turns(u32);

impl Turns {
    pub(crate) async fn pass(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(16) {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) async fn receive<T>(
    socket: &UdpSocket,
    turns: &mut Turns,
    mut receive: impl FnMut(&UdpSocket) -> io::Result<T>,
) -> io::Result<T> {
    turns.pass().await;
    loop {
        socket.readable().await?;
        match socket.try_io(tokio::io::Interest::READABLE, || receive(socket)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

pub(crate) async fn accept(listener: &TcpListener, turns: &mut Turns) -> io::Result<(TcpStream, SocketAddr)> {
    turns.pass().await;
    listener.accept().await
}
