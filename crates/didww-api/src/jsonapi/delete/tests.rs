//! Deletions that a rule of the type decides: the mechanism, with rules that no declared type has yet.

use didww_types::resources::{Did, VoiceOutTrunk};
use didww_types::{DecodeError, Resource as _};
use trunk_rules::domain::{Links, RecordChange, Refusal, Rulebook, TypeRules, WriteError, WriteOutcome};
use uuid::Uuid;

use super::super::fixture::Fixture;
use super::*;

/// The rules of DIDs, with a rule of deletions that the API does not have.
const RULES: Rulebook = Rulebook::new(&[TypeRules::of::<Did>()
    .deleting(&[RelatedRecords::Owners(VoiceOutTrunk::SPEC, VoiceOutTrunk::DIDS.as_str())], delete_number)]);

fn delete_number(context: &DeleteContext<'_>) -> Result<WriteOutcome, WriteError> {
    if context.related.iter().any(|trunks| !trunks.is_empty()) {
        return Err(Refusal::in_use("The number is used by a trunk.").into());
    }
    match context.record.decode::<Did>()?.number.as_str() {
        "kept" => Err(Refusal::record("can't be deleted").into()),
        // A deletion may be any change.
        "hidden" => {
            let attributes = serde_json::Map::from_iter([("description".to_owned(), "gone".into())]);
            let id = context.record.id.to_owned();
            let spec = context.spec;
            let update = RecordChange::Update { spec, id, attributes, links: Links::new(), meta: None };
            Ok(WriteOutcome { changes: vec![update], events: Vec::new() })
        }
        _ => Ok(context.delete()),
    }
}

struct Numbers(Fixture);

impl Numbers {
    async fn start() -> Self {
        Self(Fixture::start(RULES).await)
    }

    async fn number(&self, number: &str) -> Record {
        self.0.insert(Did::SPEC, ("number", number), Vec::new()).await
    }

    async fn trunk(&self, name: &str, dids: Vec<Uuid>) -> Record {
        self.0.insert(VoiceOutTrunk::SPEC, ("name", name), vec![("dids", dids)]).await
    }

    /// Deletes a number. Returns the status and the body of the response, and whether the number is still stored.
    async fn delete(&self, number: &Record) -> (u16, String, bool) {
        let context = self.0.context();
        let (status, body) = match delete(&context, Did::SPEC, &number.id.to_string()).await {
            Ok(reply) => (reply.status, String::from_utf8(reply.body.to_vec()).unwrap()),
            Err(error) => (error.status(), error.body()),
        };
        let found = self.0.core.store.find(self.0.scope(Did::SPEC), number.id).await.unwrap();
        (status.as_u16(), body, found.is_some())
    }
}

#[tokio::test]
async fn a_record_without_a_reason_against_it_is_deleted_once() {
    let numbers = Numbers::start().await;
    let number = numbers.number("37061498222").await;
    assert_eq!(numbers.delete(&number).await, (204, String::new(), false));
    let (status, _, _) = numbers.delete(&number).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_record_in_use_is_not_deleted_until_it_is_free() {
    let numbers = Numbers::start().await;
    let number = numbers.number("37061498222").await;
    let trunk = numbers.trunk("T", vec![number.id]).await;
    let conflict = r#"{"errors":[{"title":"Conflict","detail":"The number is used by a trunk.","code":"409","status":"409"}]}"#;
    assert_eq!(numbers.delete(&number).await, (409, conflict.to_owned(), true));
    let scope = numbers.0.scope(VoiceOutTrunk::SPEC);
    numbers.0.core.store.commit(vec![Change::Delete { scope, id: trunk.id }]).await.unwrap();
    assert_eq!(numbers.delete(&number).await, (204, String::new(), false));
}

#[tokio::test]
async fn a_rule_for_the_record_as_a_whole_has_the_pointer_of_the_data() {
    let numbers = Numbers::start().await;
    let number = numbers.number("kept").await;
    let refused = r#"{"errors":[{"title":"can't be deleted","detail":"can't be deleted","code":"100","source":{"pointer":"/data"},"status":"422"}]}"#;
    assert_eq!(numbers.delete(&number).await, (422, refused.to_owned(), true));
}

#[tokio::test]
async fn a_deletion_can_change_the_record_and_keep_it() {
    let numbers = Numbers::start().await;
    let number = numbers.number("hidden").await;
    assert_eq!(numbers.delete(&number).await, (204, String::new(), true));
    let kept = numbers.0.core.store.find(numbers.0.scope(Did::SPEC), number.id).await.unwrap().unwrap();
    assert_eq!(kept.attributes().unwrap()["description"], "gone");
}

#[tokio::test]
async fn a_decision_that_a_later_link_contradicts_is_not_stored() {
    let numbers = Numbers::start().await;
    let number = numbers.number("37061498222").await;
    let owners = numbers.0.scope(VoiceOutTrunk::SPEC);
    let decided = deletion(&numbers.0.context(), Did::SPEC, &number).await.unwrap();
    assert!(
        matches!(
            decided.as_slice(),
            [
                Change::Unlinked { owners: read, relationship: "dids", target },
                Change::Unchanged { record },
                Change::Delete { id, .. },
            ] if read.account == owners.account && *target == number.id && *record == number && *id == number.id
        ),
        "{decided:?}"
    );
    numbers.trunk("T", vec![number.id]).await;
    assert_eq!(numbers.0.core.store.commit(decided).await, Err(StoreError::Conflict));
    let (_, _, is_stored) = numbers.delete(&number).await;
    assert!(is_stored);
}

#[test]
fn a_stored_record_that_cannot_be_decoded_is_a_failure_of_the_server() {
    let error: ApiError = WriteError::from(DecodeError::new("attributes", "no object")).into();
    assert_eq!(error.status(), 500);
    assert!(!error.body().contains("no object"));
}
