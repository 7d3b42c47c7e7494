//! The bodies of VoIPBIN's API, as the server and the client read them.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use voipbin_types::{
    AccessKey, Action, Address, Call, CallCreate, Customer, ErrorEnvelope, Flow, FlowBody, LoginBody, Number,
    NumberBody, OutboundConfig, OutboundConfigCreate, OutboundConfigPatch, Page, Provider, ProviderBody,
    ProviderCall, ProviderCallCreate, ProviderSetup, Route, RouteCreate, RouteUpdate, Webhook, from_json,
    to_json,
};

use crate::fixtures;

/// Recorded bodies, and bodies that Go reads otherwise than serde.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = fixtures::files("voipbin", ".json");
    for body in [
        r#"{"source":null,"destinations":[{"type":"tel","target":"+442079460018"}],
            "actions":[{"type":"talk","option":{"text":"a<b"}}]}"#,
        r#"{"source":[]}"#,
        r#"{"name":"a","hostname":"sip.example.com","tech_headers":{"X-A":"b"},"codecs":"PCMU"}"#,
        r#"{"type":"call_hangup","data":{"id":"00000000-0000-0000-0000-000000000001"}}"#,
        "null",
    ] {
        seeds.push(body.as_bytes().to_vec());
    }
    seeds
}

/// A decoded value that is encoded decodes to the same value again.
pub fn voipbin_json(data: &[u8]) {
    check::<AccessKey>(data);
    check::<Action>(data);
    check::<Address>(data);
    check::<Call>(data);
    check::<CallCreate>(data);
    check::<Customer>(data);
    check::<ErrorEnvelope>(data);
    check::<Flow>(data);
    check::<FlowBody>(data);
    check::<LoginBody>(data);
    check::<Number>(data);
    check::<NumberBody>(data);
    check::<OutboundConfig>(data);
    check::<OutboundConfigCreate>(data);
    check::<OutboundConfigPatch>(data);
    check::<Page<Provider>>(data);
    check::<Provider>(data);
    check::<ProviderBody>(data);
    check::<ProviderCall>(data);
    check::<ProviderCallCreate>(data);
    check::<ProviderSetup>(data);
    check::<Route>(data);
    check::<RouteCreate>(data);
    check::<RouteUpdate>(data);
    check::<Webhook<Call>>(data);
}

fn check<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    let Ok(value) = from_json::<T>(data) else { return };
    let written = to_json(&value).unwrap();
    let again = from_json::<T>(&written).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    assert_eq!(again, value);
}
