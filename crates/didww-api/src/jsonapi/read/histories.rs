//! Random histories of writes. After each write, responses from kept pages are compared with newly read and rendered
//! ones.

use std::sync::Arc;

use bytes::Bytes;
use didww_types::resources::{CapacityPool, Did, VoiceInTrunk, VoiceInTrunkGroup, VoiceOutTrunk};
use didww_types::{Resource as _, ResourceSpec};
use serde_json::{Map, Value, json};
use trunk_rules::domain::{Rulebook, with_defaults};
use trunk_store::Change;
use uuid::Uuid;

use super::super::context::RequestContext;
use super::super::fixture::Fixture;
use super::super::kept_pages::KeptPages;
use super::super::operation::Operation;
use super::super::query::QueryParams;
use super::super::rendered::RenderedResources;
use super::{get, list};
use crate::headers::entity_tag;

/// The types of the records.
const TYPES: [&ResourceSpec; 5] =
    [CapacityPool::SPEC, VoiceInTrunkGroup::SPEC, VoiceInTrunk::SPEC, Did::SPEC, VoiceOutTrunk::SPEC];

/// The places of some of them.
const TRUNKS: usize = 2;
const DIDS: usize = 3;
const OUTBOUND: usize = 4;

/// The relationships of the records of each type, each with the place of its target.
const LINKS: [&[(&str, usize)]; 5] = [
    &[],
    &[],
    &[("voice_in_trunk_group", 1)],
    &[("voice_in_trunk", TRUNKS), ("capacity_pool", 0)],
    &[("dids", DIDS)],
];

/// The queries after each write, each with the place of the type that it lists. `ID` is the id of the first trunk that
/// was made. They are fewer than the pages that are kept of one account, so that none displaces another one.
const QUERIES: [(usize, &str); 13] = [
    (0, ""),
    (0, "filter[has_unassigned_channels]=true"),
    // The number of a group's trunks is in its `meta`.
    (1, ""),
    (1, "include=voice_in_trunks&sort=-name"),
    (TRUNKS, "include=voice_in_trunk_group"),
    (DIDS, ""),
    (DIDS, "filter[blocked]=false&sort=-number&page[size]=2"),
    (DIDS, "filter[voice_in_trunk.id]=ID"),
    (DIDS, "include=voice_in_trunk.voice_in_trunk_group,capacity_pool"),
    (DIDS, "fields[dids]=number,capacity_pool&page[number]=2&page[size]=2"),
    (OUTBOUND, ""),
    // For some trunks these are all DIDs that are not blocked.
    (OUTBOUND, "include=dids"),
    (OUTBOUND, "include=dids.voice_in_trunk&sort=name"),
];

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    /// A number below this one.
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

struct History {
    fixture: Fixture,
    dice: Dice,
    /// The ids of the records that exist, by the place of their type.
    ids: [Vec<Uuid>; 5],
    /// The ids of the records that were made, with the places of their types.
    made: Vec<(usize, Uuid)>,
    first_trunk: Uuid,
    /// Number of responses from kept pages.
    answered_again: usize,
}

impl History {
    async fn start(seed: u64) -> Self {
        let fixture = Fixture::start(Rulebook::DIDWW).await;
        let ids = [Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        let first_trunk = Uuid::from_u128(1);
        Self { fixture, dice: Dice(seed), ids, made: Vec::new(), first_trunk, answered_again: 0 }
    }

    /// One of the records of a type.
    fn pick(&mut self, place: usize) -> Option<Uuid> {
        let length = self.ids[place].len();
        (length > 0).then(|| self.ids[place][self.dice.roll(length)])
    }

    fn links(&mut self, place: usize) -> Vec<(&'static str, Vec<Uuid>)> {
        let mut links = Vec::new();
        for (relationship, target) in LINKS[place] {
            let most = if place == OUTBOUND { 4 } else { 2 };
            let mut members: Vec<Uuid> = Vec::new();
            for _ in 0..self.dice.roll(most) {
                members.extend(self.pick(*target).filter(|member| !members.contains(member)));
            }
            links.push((*relationship, members));
        }
        links
    }

    /// The attributes that a write of a record of a type sets.
    fn changed(&mut self, place: usize) -> Map<String, Value> {
        let (flag, number) = (self.dice.roll(2) == 0, self.dice.roll(4));
        let changed = match place {
            0 => json!({ "total_channels_count": number }),
            DIDS => json!({ "blocked": flag, "dedicated_channels_count": number }),
            OUTBOUND => json!({ "allow_any_did_as_cli": flag }),
            _ => json!({ "capacity_limit": number + 1 }),
        };
        changed.as_object().cloned().unwrap()
    }

    fn attributes(&mut self, place: usize) -> Map<String, Value> {
        let mut attributes = self.changed(place);
        let made = self.made.len();
        if place == DIDS {
            attributes.insert("number".to_owned(), json!(format!("3706149{made:04}")));
        } else {
            attributes.insert("name".to_owned(), json!(format!("n{made}")));
        }
        if place == OUTBOUND {
            let method = json!({
                "type": "credentials_and_ip",
                "attributes": { "allowed_sip_ips": ["203.0.113.5/32"], "username": "u", "password": "p" },
            });
            attributes.insert("authentication_method".to_owned(), method);
            attributes.insert("on_cli_mismatch_action".to_owned(), json!("reject_call"));
        }
        attributes
    }

    async fn commit(&self, change: Change) {
        self.fixture.core.store.commit(vec![change]).await.unwrap();
    }

    async fn write(&mut self) {
        let place = self.dice.roll(TYPES.len());
        let scope = self.fixture.scope(TYPES[place]);
        let now = self.fixture.core.clock.now();
        let existing = self.pick(place);
        match (self.dice.roll(8), existing) {
            (0..3, _) | (_, None) => {
                let id = self.fixture.core.ids.record(now);
                let attributes = with_defaults(TYPES[place], now, self.attributes(place));
                let links = self.links(place);
                self.commit(Change::Insert { scope, id, created_at: now, attributes, links, meta: None })
                    .await;
                if place == TRUNKS && !self.made.iter().any(|(made, _)| *made == TRUNKS) {
                    self.first_trunk = id;
                }
                self.ids[place].push(id);
                self.made.push((place, id));
            }
            (3..5, Some(id)) => {
                let before = self.fixture.core.store.find(scope, id).await.unwrap().unwrap();
                let mut attributes = before.attributes().unwrap();
                attributes.extend(self.changed(place));
                let links = if self.dice.roll(2) == 0 { Vec::new() } else { self.links(place) };
                self.commit(Change::Replace { scope, before, attributes, links, meta: None }).await;
            }
            (5, Some(_)) => {
                let (Some(id), Some(member)) = (self.pick(OUTBOUND), self.pick(DIDS)) else { return };
                let scope = self.fixture.scope(VoiceOutTrunk::SPEC);
                let owner = self.fixture.core.store.find(scope, id).await.unwrap().unwrap();
                let (relationship, add, members) = ("dids", self.dice.roll(2) == 0, vec![member]);
                self.commit(Change::Members { scope, owner, relationship, add, members }).await;
            }
            (6, Some(_)) if self.dice.roll(10) == 0 => {
                let account = self.fixture.context().account.number;
                self.fixture.core.store.reset(Some(account), false).await.unwrap();
                self.ids.iter_mut().for_each(Vec::clear);
            }
            (_, Some(id)) => {
                self.commit(Change::Delete { scope, id }).await;
                self.ids[place].retain(|kept| *kept != id);
            }
        }
    }

    /// Compares every page, and every record by its id, also of those that were deleted.
    async fn compare(&mut self) {
        for (place, text) in QUERIES {
            let spec = TYPES[place];
            let context = self.fixture.context();
            let text = text.replace("ID", &self.first_trunk.to_string());
            let params = QueryParams::parse(&context, &Operation::List { spec }, &text).await.unwrap();
            let read = async |context: &RequestContext<'_>| list(context, spec, &params).await.unwrap();
            let (first, again) = (read(&context).await, read(&context).await);
            let (rendered, pages) = (RenderedResources::default(), KeptPages::default());
            let empty = RequestContext { rendered: &rendered, pages: &pages, ..self.fixture.context() };
            let anew = read(&empty).await;
            let texts = |body: &Bytes| String::from_utf8_lossy(body).into_owned();
            assert_eq!(texts(&first.body), texts(&anew.body), "{} {text}", spec.name);
            assert_eq!(texts(&again.body), texts(&anew.body), "{} {text}, again", spec.name);
            assert_eq!((&first.tag, &again.tag), (&anew.tag, &anew.tag), "{} {text}", spec.name);
            assert_eq!(anew.tag, Some(entity_tag(&anew.body)), "{} {text}", spec.name);
            self.answered_again += usize::from(first.body.as_ptr() == again.body.as_ptr());
        }
        let store = &self.fixture.core.store;
        for (place, id) in &self.made {
            let scope = self.fixture.scope(TYPES[*place]);
            let read = store.find_all(scope, vec![*id]).await.unwrap().pop();
            for _ in 0..2 {
                assert_eq!(store.find(scope, *id).await.unwrap(), read);
            }
            assert_eq!(read.is_some(), self.ids[*place].contains(id), "{} {id}", TYPES[*place].name);
        }
        for (place, id) in self.made.iter().rev().take(5) {
            let (context, id, params) = (self.fixture.context(), id.to_string(), QueryParams::default());
            let rendered = RenderedResources::default();
            let empty = RequestContext { rendered: &rendered, ..self.fixture.context() };
            let read = async |context: &RequestContext<'_>| {
                get(context, TYPES[*place], &id, &params).await.ok().map(|reply| reply.body)
            };
            let (first, again, anew) = (read(&context).await, read(&context).await, read(&empty).await);
            assert_eq!((&first, &again), (&anew, &anew), "{} {id}", TYPES[*place].name);
        }
    }
}

#[tokio::test]
async fn what_is_answered_again_is_what_reading_anew_makes_after_each_write_of_a_random_history() {
    for seed in 0..3 {
        let mut history = History::start(seed).await;
        for _ in 0..80 {
            history.write().await;
            history.compare().await;
        }
        let (pages, all) = (history.answered_again, 80 * QUERIES.len());
        assert_eq!(pages, all, "every page is answered again until the next write");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_has_every_record_whose_write_was_answered_before_while_others_read_and_write() {
    let fixture = Arc::new(Fixture::start(Rulebook::DIDWW).await);
    let mut writers = Vec::new();
    for writer in 0..4 {
        let fixture = Arc::clone(&fixture);
        writers.push(tokio::spawn(async move {
            for written in 0..10 {
                let number = format!("3706149{writer}{written:03}");
                fixture.insert(Did::SPEC, ("number", &number), Vec::new()).await;
                let context = fixture.context();
                for text in ["", "include=capacity_pool"] {
                    let operation = Operation::List { spec: Did::SPEC };
                    let params = QueryParams::parse(&context, &operation, text).await.unwrap();
                    let body = list(&context, Did::SPEC, &params).await.unwrap().body;
                    assert!(String::from_utf8_lossy(&body).contains(&number), "{number} {text}");
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}
