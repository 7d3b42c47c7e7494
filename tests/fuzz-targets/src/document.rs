//! JSON:API documents, as the client reads them: records of every declared type in every version.

use std::fmt::Debug;

use didww_types::{ApiVersion, Document, ErrorDocument, Resource, ResourceObject, for_each_resource};
use serde_json::Value;

use crate::fixtures;

/// Every recorded document.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    fixtures::json()
}

/// A record that is read, written and read again is the same, and its stored form has the same attributes.
pub fn document(data: &[u8]) {
    let mut objects = Vec::new();
    if let Ok(document) = Document::<ResourceObject>::parse(data) {
        let _any = document.version();
        objects.push(document.data);
        objects.extend(document.included);
    }
    if let Ok(document) = Document::<Vec<ResourceObject>>::parse(data) {
        objects.extend(document.data);
        objects.extend(document.included);
    }
    for object in &objects {
        let text = serde_json::to_vec(object).unwrap();
        assert_eq!(serde_json::from_slice::<ResourceObject>(&text).unwrap(), *object);
        for version in ApiVersion::ALL {
            check(version, object);
        }
    }
    if let Ok(document) = serde_json::from_slice::<ErrorDocument>(data) {
        let text = serde_json::to_vec(&document).unwrap();
        assert_eq!(serde_json::from_slice::<ErrorDocument>(&text).unwrap(), document);
    }
}

macro_rules! check_each {
    ($($name:ident: $resource:ident,)+) => {
        fn check(version: ApiVersion, object: &ResourceObject) {
            match object.kind.as_str() {
                $(stringify!($name) => check_record::<didww_types::resources::$resource>(version, object),)+
                _ => {}
            }
        }
    };
}

for_each_resource!(check_each);

fn check_record<R: Resource + PartialEq + Debug>(version: ApiVersion, object: &ResourceObject) {
    let Ok(record) = R::decode_at(version, object.clone()) else { return };
    let written = record.encode().unwrap();
    let again = R::decode(written.clone()).unwrap();
    assert_eq!(again, record);
    let attributes = Value::Object(written.attributes.clone()).to_string();
    let meta = written.meta.clone().map(|meta| Value::Object(meta).to_string());
    let stored = R::from_texts(written.id.clone().into(), &attributes, meta.as_deref()).unwrap();
    assert_eq!(stored.encode().unwrap().attributes, written.attributes);
}
