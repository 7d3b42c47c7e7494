//! Requests of third-party programs, and their handling of the responses.

mod bodies;
mod browsers;
mod connections;
mod limits;
mod media_types;
mod pages;
mod paths;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::world::World;

/// The host and port of a base URL.
fn address(base: &str) -> &str {
    base.strip_prefix("http://").unwrap().split('/').next().unwrap()
}

/// Sends bytes on a new connection. Returns the connection's whole answer once the server has closed it.
async fn answer_until_closed(base: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address(base)).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset ends the answer too.
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends the whole request of a fixture, with the key of the world's account. Returns the status and the whole
/// response.
async fn send_fixture(world: &World, name: &str) -> (u16, String) {
    let path = format!("{}/../fixtures/programs/{name}", env!("CARGO_MANIFEST_DIR"));
    let request = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    let request = request.replace("SOMEAPIKEY", world.server.api_key());
    // Only so that the response has an end.
    let request = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    let request = request.replace("Connection: Keep-Alive\r\n", "");
    let answer = answer_until_closed(world.api.base(), request.as_bytes()).await;
    (answer[9..12].parse().unwrap(), answer)
}
