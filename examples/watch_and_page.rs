//! Creates many trunks, reads them page by page with their DIDs, and follows changes by polling: the API
//! sends no notification of changes that a customer makes, so a program compares two readings.
//!
//! `cargo run -p trunk-examples --example watch_and_page`

use std::collections::BTreeMap;

use didww_client::resources::VoiceOutTrunkInclude::Dids;
use didww_client::resources::{
    AuthenticationMethod, DefaultDstAction, OnCliMismatchAction, VoiceOutTrunk, VoiceOutTrunkFilter,
    VoiceOutTrunkSort, VoiceOutTrunkStatus,
};
use didww_client::values::IpNetworks;
use didww_client::{Client, Error, Id, StreamExt as _, TryStreamExt as _};
use futures_util::stream;
use trunk_examples::{Outcome, Service};

const MANY: usize = 60;
/// The first word in the name of every trunk of this example.
const FLEET: &str = "Fleet";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let service = Service::from_environment().await?;
    run(&service.client).await
}

async fn run(client: &Client) -> Outcome {
    create(client).await?;
    page(client).await?;
    follow(client).await?;
    let trunks = client.voice_out_trunks();
    let fleet = trunks.list().filter(VoiceOutTrunkFilter::name_contains(FLEET)).all().await?;
    for trunk in &fleet {
        trunks.delete(&trunk.id).await?;
    }
    println!("\ndeleted {} trunks", fleet.len());
    Ok(())
}

/// Sends eight requests at once; every third trunk refuses all destinations, the first may use a DID as its
/// caller number.
async fn create(client: &Client) -> Outcome {
    let method = AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.0/24"])?);
    let did = client.dids().list().page_size(1).await?.items.into_iter().next();
    let bodies = (0..MANY).map(|number| {
        let name = format!("{FLEET} {number:02}");
        let body = VoiceOutTrunk::create(name, OnCliMismatchAction::RejectCall, method.clone());
        match (number, &did) {
            (0, Some(did)) => body.dids([&did.id]),
            (number, _) if number % 3 == 1 => body.default_dst_action(DefaultDstAction::RejectAll),
            _ => body,
        }
    });
    let requests = bodies.map(|body| client.voice_out_trunks().create(body).into_future());
    let created: Vec<_> = stream::iter(requests).buffer_unordered(8).try_collect().await?;
    println!("created {} trunks", created.len());
    Ok(())
}

/// A filter, sort or include that trunks do not have does not compile.
async fn page(client: &Client) -> Outcome {
    let list = client
        .voice_out_trunks()
        .list()
        .filter(VoiceOutTrunkFilter::name_contains(FLEET))
        .filter(VoiceOutTrunkFilter::default_dst_action(DefaultDstAction::AllowAll))
        .sort_descending(VoiceOutTrunkSort::AllowAnyDidAsCli)
        .sort(VoiceOutTrunkSort::Name)
        .include([Dids])
        .page_size(15);
    let mut pages = list.pages();
    while let Some(page) = pages.try_next().await? {
        if let [first, .., end] = page.items.as_slice() {
            println!("{} of {}: {} to {}", page.items.len(), page.total.unwrap_or(0), first.name, end.name);
        }
        for trunk in &page.items {
            for did in trunk.dids.included(&page.included)? {
                println!("  {} may call as {}", trunk.name, did.number);
            }
        }
    }
    Ok(())
}

/// A change of a trunk between two readings.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Came(String),
    Went(String),
    Status(String, VoiceOutTrunkStatus),
    Other(String),
}

/// The trunks as of the last reading.
#[derive(Default)]
struct Watch {
    known: BTreeMap<Id<VoiceOutTrunk>, VoiceOutTrunk>,
}

impl Watch {
    /// Reads all trunks and returns the changes since the previous reading, with new and changed trunks
    /// sorted by name.
    async fn poll(&mut self, client: &Client) -> Result<Vec<Change>, Error> {
        let list = client.voice_out_trunks().list().sort(VoiceOutTrunkSort::Name).page_size(1000);
        let mut trunks = list.filter(VoiceOutTrunkFilter::name_contains(FLEET)).stream();
        let (mut changes, mut current) = (Vec::new(), BTreeMap::new());
        while let Some(trunk) = trunks.try_next().await? {
            let name = trunk.name.clone();
            match self.known.remove(&trunk.id) {
                None => changes.push(Change::Came(name)),
                Some(before) if before.status != trunk.status => {
                    changes.push(Change::Status(name, trunk.status.clone()));
                }
                Some(before) if before != trunk => changes.push(Change::Other(name)),
                Some(_) => {}
            }
            current.insert(trunk.id.clone(), trunk);
        }
        let known = std::mem::replace(&mut self.known, current);
        changes.extend(known.into_values().map(|gone| Change::Went(gone.name)));
        Ok(changes)
    }
}

/// Three readings. A long-running program would read on each tick of a `tokio::time::interval`.
async fn follow(client: &Client) -> Outcome {
    let trunks = client.voice_out_trunks();
    let mut watch = Watch::default();
    println!("\nfirst reading: {} trunks appeared", watch.poll(client).await?.len());

    let list = trunks.list().filter(VoiceOutTrunkFilter::name_contains(FLEET)).sort(VoiceOutTrunkSort::Name);
    if let [first, second, third, ..] = list.page_size(3).await?.items.as_slice() {
        trunks.update(&first.id, VoiceOutTrunk::patch().status(VoiceOutTrunkStatus::Blocked)).await?;
        trunks.update(&second.id, VoiceOutTrunk::patch().rtp_ping(true)).await?;
        trunks.delete(&third.id).await?;
    }
    for change in watch.poll(client).await? {
        println!("second reading: {change:?}");
    }
    println!("third reading: {} changes", watch.poll(client).await?.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_example_runs_and_leaves_nothing_behind() {
        let service = Service::in_process().await.unwrap();
        run(&service.client).await.unwrap();
        assert_eq!(service.client.voice_out_trunks().list().await.unwrap().total, Some(0));
    }

    #[tokio::test]
    async fn every_kind_of_change_is_seen_once() {
        let service = Service::in_process().await.unwrap();
        let (client, trunks) = (&service.client, service.client.voice_out_trunks());
        let create = |name: &str| {
            let method =
                AuthenticationMethod::credentials_and_ip(IpNetworks::parse(["203.0.113.7"]).unwrap());
            trunks.create(VoiceOutTrunk::create(name, OnCliMismatchAction::RejectCall, method)).into_future()
        };
        let (a, b, c) = (
            create("Fleet a").await.unwrap(),
            create("Fleet b").await.unwrap(),
            create("Fleet c").await.unwrap(),
        );
        let mut watch = Watch::default();
        assert_eq!(watch.poll(client).await.unwrap().len(), 3);
        trunks.update(&a.id, VoiceOutTrunk::patch().status(VoiceOutTrunkStatus::Blocked)).await.unwrap();
        trunks.update(&b.id, VoiceOutTrunk::patch().rtp_ping(true)).await.unwrap();
        trunks.delete(&c.id).await.unwrap();
        create("Fleet d").await.unwrap();
        let expected = [
            Change::Status("Fleet a".to_owned(), VoiceOutTrunkStatus::Blocked),
            Change::Other("Fleet b".to_owned()),
            Change::Came("Fleet d".to_owned()),
            Change::Went("Fleet c".to_owned()),
        ];
        assert_eq!(watch.poll(client).await.unwrap(), expected);
        assert_eq!(watch.poll(client).await.unwrap(), []);
    }
}
