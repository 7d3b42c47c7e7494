//! Decoding never panics on any input, and each error has a path.

use didww_types::resources::{Did, VoiceOutTrunk};
use didww_types::{
    ApiVersion, AttributeSpec, DecodeError, Document, Page, REGISTRY, Resource, ResourceObject,
    callback::Payload,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::fixtures::{CREDENTIALS, encoded_at, object, trunk};

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-5i64..40_000).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[ +-]?[0-9]{1,30}(\\.[0-9]{0,30})?(e-?[0-9]{1,3})?".prop_map(Value::from),
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}(/[0-9]{1,3})?".prop_map(Value::from),
        "([0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(/[0-9]{1,3})?".prop_map(Value::from),
        "https?:/{0,3}[a-z0-9.@:\\[\\]]{0,12}[/?#]?.{0,6}".prop_map(Value::from),
        prop::sample::select(vec![
            "active",
            "true",
            "0",
            "credentials_and_ip",
            "ip_only",
            "twilio",
            "send_original_cli",
            "2026-04-08T06:57:33.304Z",
            "9999-12-31T23:59:59.999-23:59",
            "voice_out_trunks",
            "dids",
            "AC22222222222222222222222222222222",
        ])
        .prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{0,6}",
        prop::sample::select(vec![
            "data",
            "id",
            "type",
            "attributes",
            "relationships",
            "included",
            "meta",
            "links",
            "dids",
            "self",
            "authentication_method",
            "allowed_sip_ips",
            "tech_prefix",
            "username",
            "password",
            "twilio_account_sid",
            "name",
            "created_at",
            "dst_prefixes",
            "spent_amount",
            "total_records",
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(key(), inner.clone(), 0..6)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
            (
                prop::sample::select(vec!["credentials_and_ip", "ip_only", "twilio", "new"]),
                prop::collection::btree_map(key(), inner, 0..4)
            )
                .prop_map(|(kind, attributes)| json!({ "type": kind, "attributes": attributes })),
        ]
    })
}

fn any_version() -> impl Strategy<Value = ApiVersion> {
    prop::sample::select(ApiVersion::ALL.to_vec())
}

fn explained<T>(read: Result<T, DecodeError>) -> Result<Option<T>, TestCaseError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            prop_assert!(!error.path().is_empty() && !error.message().is_empty(), "{error:?}");
            Ok(None)
        }
    }
}

/// Asserts that a record which decodes can be encoded, and that its encoded form decodes to the same record.
fn stable<R: Resource + PartialEq + std::fmt::Debug>(
    version: ApiVersion,
    object: ResourceObject,
) -> Result<(), TestCaseError> {
    let Some(record) = explained(R::decode_at(version, object))? else { return Ok(()) };
    let again = R::decode(record.encode().unwrap());
    prop_assert_eq!(again, Ok(record.clone()));
    let _ = encoded_at(&record, version);
    Ok(())
}

/// Asserts that decoding from the text and from a tree yield the same record or both fail.
fn agrees<R: Resource + PartialEq + std::fmt::Debug>(object: &ResourceObject) -> Result<(), TestCaseError> {
    let object = ResourceObject { kind: R::TYPE.to_owned(), ..object.clone() };
    let text = serde_json::to_string(&object).unwrap();
    let direct = serde_json::from_str::<R>(&text);
    // Both decode the same text, because writing and parsing a float may change its last digit.
    let tree = R::decode(serde_json::from_str(&text).unwrap());
    prop_assert_eq!(direct.is_ok(), tree.is_ok(), "{:?} {:?}", direct, tree);
    if let (Ok(direct), Ok(tree)) = (direct, tree) {
        prop_assert_eq!(direct, tree);
    }
    Ok(())
}

fn attributes() -> impl Strategy<Value = (&'static str, &'static AttributeSpec)> {
    let all: Vec<(&str, &AttributeSpec)> = REGISTRY
        .iter()
        .flat_map(|spec| {
            let former = spec.adapter.map_or(&[][..], |adapter| adapter.attributes);
            spec.attributes.iter().chain(former).map(|attribute| (spec.name, attribute))
        })
        .collect();
    prop::sample::select(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_decoded_or_refused_with_a_path(body in any_json(), version in any_version()) {
        for body in [json!({ "data": body.clone() }), body] {
            let bytes = serde_json::to_vec(&body).unwrap();
            if let Some(document) = explained(Document::<ResourceObject>::parse(&bytes))? {
                agrees::<VoiceOutTrunk>(&document.data)?;
                agrees::<Did>(&document.data)?;
                stable::<VoiceOutTrunk>(version, document.data.clone())?;
                stable::<Did>(version, document.data)?;
            }
            explained(Document::<Vec<ResourceObject>>::parse(&bytes))?;
            explained(Document::<didww_types::Linkage>::parse(&bytes))?;
            explained(Payload::from_json(&bytes))?;
        }
    }

    #[test]
    fn any_bytes_are_refused_with_a_path(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        explained(Document::<ResourceObject>::parse(&bytes))?;
        explained(Payload::from_json(&bytes))?;
    }

    #[test]
    fn a_truncated_document_is_refused_with_a_path(at in 0usize..1600) {
        let whole = serde_json::to_vec(&json!({ "data": object(CREDENTIALS) })).unwrap();
        let part = &whole[..at.min(whole.len() - 1)];
        prop_assert!(explained(Document::<ResourceObject>::parse(part))?.is_none());
    }

    #[test]
    fn a_trunk_with_any_json_among_its_attributes_round_trips_or_is_refused_with_a_path(
        members in prop::collection::btree_map(
            prop_oneof![attributes().prop_map(|(_, attribute)| attribute.name.to_owned()), key()],
            any_json(),
            1..4,
        ),
        version in any_version(),
    ) {
        let mut object = object(CREDENTIALS);
        object.attributes.extend(members);
        agrees::<VoiceOutTrunk>(&object)?;
        stable::<VoiceOutTrunk>(version, object)?;
    }

    #[test]
    fn changes_are_empty_exactly_when_nothing_changed(
        (_, attribute) in attributes(),
        value in any_json(),
    ) {
        use didww_types::Update as _;
        let mut object = object(CREDENTIALS);
        object.attributes.insert(attribute.name.to_owned(), value);
        let Some(after) = explained(VoiceOutTrunk::decode(object))? else { return Ok(()) };
        let changes = after.changes_since(&trunk(CREDENTIALS));
        let sent = changes.to_sent().unwrap();
        prop_assert_eq!(changes.is_empty(), sent.attributes.is_empty());
        prop_assert!(sent.attributes.len() <= 1 && sent.attributes.keys().all(|name| name == attribute.name));
    }

    #[test]
    fn a_validated_value_is_valid_and_in_normal_form((kind, attribute) in attributes(), value in any_json()) {
        match (attribute.validate)(&value) {
            Ok(valid) => prop_assert_eq!(
                (attribute.validate)(&valid), Ok(valid.clone()), "{}.{}", kind, attribute.name
            ),
            Err(flaws) => {
                prop_assert!(!flaws.is_empty());
                prop_assert!(flaws.iter().all(|flaw| flaw.pointer.is_empty() || flaw.pointer.starts_with('/')));
            }
        }
    }

    #[test]
    fn a_validated_value_round_trips_unchanged((_, attribute) in attributes(), value in any_json()) {
        let Ok(valid) = (attribute.validate)(&value) else { return Ok(()) };
        // Encoding adds the null members of an authentication method, which a request may leave out.
        if VoiceOutTrunk::SPEC.attribute(attribute.name).is_none() || attribute.name == "authentication_method" {
            return Ok(());
        }
        let mut object = object(CREDENTIALS);
        object.attributes.insert(attribute.name.to_owned(), valid.clone());
        if let Ok(trunk) = VoiceOutTrunk::decode(object) {
            prop_assert_eq!(&trunk.encode().unwrap().attributes[attribute.name], &valid);
        } else {
            // The attribute may be another resource's, with the same name and another kind.
            prop_assert!((VoiceOutTrunk::SPEC.attribute(attribute.name).unwrap().validate)(&valid).is_err());
        }
    }

    #[test]
    fn any_page_of_any_list_has_links(number in any::<u64>(), size in any::<u64>(), total in any::<u64>()) {
        let page = Page { number, size };
        let links = page.links("https://api.didww.com/v3/dids", &[], total);
        prop_assert!(links.first.is_some() && links.last.is_some());
        prop_assert!(page.last(total) >= 1);
        let _ = page.offset();
    }
}
