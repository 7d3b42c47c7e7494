//! Records as JSON for logs: without secrets.

use didww_types::{Resource, ResourceObject, hidden_in_url, hiding_secrets, names_secret, text_holds_secret};
use serde::ser::{Error as _, SerializeStruct as _};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Page, Single};

/// The replacement of a secret.
const HIDDEN: &str = "(hidden)";
/// Objects of text message trunks whose members are named by the customer, and may be credentials.
const CHOSEN: [&str; 2] = ["headers", "query_parameters"];
/// The member of text message trunks with the body of requests to the customer: members, or a text with placeholders.
const BODY: &str = "body";

/// A record that is serialised as a JSON:API resource object in which every secret is `(hidden)`, including the user,
/// the password and the secret parameters of a URL, and a body of requests to the customer that has a secret.
///
/// [`Single`] and [`Page`] are serialised in the same way. It is for logs: the output cannot be sent back.
///
/// ```
/// # use didww_client::resources::VoiceOutTrunk;
/// # fn f(trunk: &VoiceOutTrunk) -> Result<(), serde_json::Error> {
/// use didww_client::Masked;
///
/// println!("{}", serde_json::to_string(&Masked(trunk))?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Masked<'a, R>(pub &'a R);

impl<R: Resource> Serialize for Masked<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = hiding_secrets(|| self.0.encode()).map_err(S::Error::custom)?;
        hide(&mut object);
        object.serialize(serializer)
    }
}

impl<R: Resource> Serialize for Single<R> {
    /// Writes the record without its secrets; the included records are left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Masked(&self.value).serialize(serializer)
    }
}

impl<R: Resource> Serialize for Page<R> {
    /// Writes `items` without their secrets, and `total`; the included records are left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items: Vec<Masked<'_, R>> = self.items.iter().map(Masked).collect();
        let mut page = serializer.serialize_struct("Page", 2)?;
        page.serialize_field("items", &items)?;
        page.serialize_field("total", &self.total)?;
        page.end()
    }
}

fn hide(object: &mut ResourceObject) {
    hide_members(&mut object.attributes);
    if let Some(meta) = &mut object.meta {
        hide_members(meta);
    }
}

fn hide_members(members: &mut Map<String, Value>) {
    for (name, value) in members {
        hide_value(name, value);
    }
}

fn hide_value(name: &str, value: &mut Value) {
    match value {
        Value::Object(inner) if CHOSEN.contains(&name) => inner.values_mut().for_each(hide_text),
        Value::Object(inner) => hide_members(inner),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_value(name, item)),
        Value::String(_) | Value::Number(_) if names_secret(name) => hide_text(value),
        Value::String(text) if name.ends_with("url") => {
            if let Some(hidden) = hidden_in_url(text) {
                *text = hidden;
            }
        }
        Value::String(text) if name == BODY && text_holds_secret(text) => HIDDEN.clone_into(text),
        _ => {}
    }
}

fn hide_text(value: &mut Value) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => *value = Value::from(HIDDEN),
        _ => {}
    }
}
