//! The requests that a program should send, as expectations of the server in a test: the counterpart of the first
//! example in the documentation of wiremock, line for line.
//!
//! `cargo test -p trunk-examples --example requests_in_a_test`

use didww_client::Client;
use trunk_examples::Outcome;
use trunk_server::TestServer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    program_asks_for_dids_once().await
}

async fn program_asks_for_dids_once() -> Outcome {
    // A server in memory, on a random port.
    let server = TestServer::start().await;
    // What the program under test should send.
    server.expect("GET", "/v3/dids").times(1);
    // The program.
    let client = Client::builder(server.base_url(), server.api_key()).build()?;
    assert_eq!(client.dids().list().await?.items.len(), 0);
    // Here the server is dropped, and an expectation that does not hold fails the test.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use trunk_server::lab::Fault;

    #[tokio::test]
    async fn a_program_that_sends_what_is_expected_passes() {
        program_asks_for_dids_once().await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_repeats_a_read_is_seen_to_do_so() {
        let server = TestServer::start().await;
        let fault = server.fault(Fault::status(503).path("/v3/dids").nth(1));
        server.expect("GET", "/v3/dids").status(503).times(1);
        server.expect("GET", "/v3/dids").status(200).times(1);
        let client = Client::builder(server.base_url(), server.api_key()).build().unwrap();
        client.dids().list().await.unwrap();
        assert_eq!(server.hits(fault), 1);
    }
}
