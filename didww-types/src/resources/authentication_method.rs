//! How a trunk knows who calls: the nested object of `voice_out_trunks` since 2026-04-16.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed as _, Error as _, IgnoredAny, MapAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct as _};
use serde_json::{Map, Value};

use crate::direct::{Members, ReadInto};
use crate::enumeration::string_enum;
use crate::text::Lent;
use crate::values::{IpNetworks, TechPrefix, TwilioAccountSid};
use crate::{Attribute, DecodeError, Extra, Flaw, Kind, Secret, Violation};

string_enum! {
    /// The kinds of authentication, as filters name them.
    AuthenticationMethodType {
        /// SIP credentials together with allowed addresses.
        CredentialsAndIp = "credentials_and_ip",
        /// Allowed addresses alone. Only DIDWW's staff can set it.
        IpOnly = "ip_only",
        /// A Twilio account.
        Twilio = "twilio",
    }
}

/// How a trunk knows who calls. An update replaces the whole of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AuthenticationMethod {
    /// SIP credentials together with allowed addresses.
    CredentialsAndIp(CredentialsAndIp),
    /// Allowed addresses alone; readable, never writable.
    IpOnly(IpOnly),
    /// A Twilio account.
    Twilio(Twilio),
    /// A kind that this crate does not know; it is written back as it was read.
    Unknown(UnknownMethod),
}

/// Attributes of `credentials_and_ip`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct CredentialsAndIp {
    /// Addresses that SIP may come from; at least one. `0.0.0.0/0` and `::/0` allow everybody.
    pub allowed_sip_ips: IpNetworks,
    /// What callers dial before the number.
    pub tech_prefix: Option<TechPrefix>,
    /// Digest username. The service makes it and refuses nothing when it is sent back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Digest password, made by the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Attributes that this crate does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Attributes of `ip_only`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct IpOnly {
    /// Addresses that SIP may come from.
    pub allowed_sip_ips: IpNetworks,
    /// What callers dial before the number.
    pub tech_prefix: Option<TechPrefix>,
    /// Attributes that this crate does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Attributes of `twilio`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Twilio {
    /// The Twilio account.
    pub twilio_account_sid: TwilioAccountSid,
    /// Attributes that this crate does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A kind of authentication that this crate does not know.
///
/// `Debug` hides the values, for they may be credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownMethod {
    kind: String,
    attributes: Extra,
}

impl UnknownMethod {
    /// The kind's name on the wire.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The attributes as they were read.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

impl AuthenticationMethod {
    /// SIP credentials, which the service makes, together with these addresses.
    pub fn credentials_and_ip(allowed_sip_ips: IpNetworks) -> Self {
        Self::CredentialsAndIp(CredentialsAndIp { allowed_sip_ips, ..CredentialsAndIp::default() })
    }

    /// A Twilio account.
    pub fn twilio(twilio_account_sid: TwilioAccountSid) -> Self {
        Self::Twilio(Twilio { twilio_account_sid, extra: Extra::default() })
    }

    /// The same method with a tech prefix; a method that has none is returned unchanged.
    #[must_use]
    pub fn with_tech_prefix(mut self, prefix: TechPrefix) -> Self {
        match &mut self {
            Self::CredentialsAndIp(method) => method.tech_prefix = Some(prefix),
            Self::IpOnly(method) => method.tech_prefix = Some(prefix),
            Self::Twilio(_) | Self::Unknown(_) => {}
        }
        self
    }

    /// The kind's name on the wire.
    pub fn kind(&self) -> &str {
        match self {
            Self::CredentialsAndIp(_) => "credentials_and_ip",
            Self::IpOnly(_) => "ip_only",
            Self::Twilio(_) => "twilio",
            Self::Unknown(method) => &method.kind,
        }
    }

    /// The digest username and password, where the method has them.
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        match self {
            Self::CredentialsAndIp(method) => Some((method.username.as_deref()?, method.password.as_ref()?)),
            _ => None,
        }
    }

    /// The addresses that SIP may come from, where the method has them.
    pub fn allowed_sip_ips(&self) -> Option<&IpNetworks> {
        match self {
            Self::CredentialsAndIp(method) => Some(&method.allowed_sip_ips),
            Self::IpOnly(method) => Some(&method.allowed_sip_ips),
            Self::Twilio(_) | Self::Unknown(_) => None,
        }
    }

    /// The tech prefix, where the method has one that is not empty.
    pub fn tech_prefix(&self) -> Option<&TechPrefix> {
        match self {
            Self::CredentialsAndIp(method) => method.tech_prefix.as_ref(),
            Self::IpOnly(method) => method.tech_prefix.as_ref(),
            Self::Twilio(_) | Self::Unknown(_) => None,
        }
        .filter(|prefix| !prefix.as_str().is_empty())
    }
}

impl Serialize for AuthenticationMethod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("AuthenticationMethod", 2)?;
        object.serialize_field("type", self.kind())?;
        match self {
            Self::CredentialsAndIp(method) => object.serialize_field("attributes", method)?,
            Self::IpOnly(method) => object.serialize_field("attributes", method)?,
            Self::Twilio(method) => object.serialize_field("attributes", method)?,
            Self::Unknown(method) => object.serialize_field("attributes", &method.attributes)?,
        }
        object.end()
    }
}

// Written out because serde's `flatten` reads every member twice.
impl Members for CredentialsAndIp {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        match &*name {
            "allowed_sip_ips" => self.allowed_sip_ips = members.next_value()?,
            "tech_prefix" => self.tech_prefix = members.next_value()?,
            "username" => self.username = members.next_value()?,
            "password" => self.password = members.next_value()?,
            _ => self.extra.keep(name, members)?,
        }
        Ok(())
    }
}

impl Members for IpOnly {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        match &*name {
            "allowed_sip_ips" => self.allowed_sip_ips = members.next_value()?,
            "tech_prefix" => self.tech_prefix = members.next_value()?,
            _ => self.extra.keep(name, members)?,
        }
        Ok(())
    }
}

/// A [`Twilio`] whose account has not been read yet.
#[derive(Default)]
struct SomeTwilio {
    twilio_account_sid: Option<TwilioAccountSid>,
    extra: Extra,
}

impl Members for SomeTwilio {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        match &*name {
            "twilio_account_sid" => self.twilio_account_sid = Some(members.next_value()?),
            _ => self.extra.keep(name, members)?,
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for CredentialsAndIp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut method = Self::default();
        ReadInto(&mut method).deserialize(deserializer)?;
        Ok(method)
    }
}

impl<'de> Deserialize<'de> for IpOnly {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut method = Self::default();
        ReadInto(&mut method).deserialize(deserializer)?;
        Ok(method)
    }
}

impl<'de> Deserialize<'de> for Twilio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut method = SomeTwilio::default();
        ReadInto(&mut method).deserialize(deserializer)?;
        let missing = || D::Error::missing_field("twilio_account_sid");
        let twilio_account_sid = method.twilio_account_sid.ok_or_else(missing)?;
        Ok(Self { twilio_account_sid, extra: method.extra })
    }
}

impl AuthenticationMethod {
    /// Reads the attributes of a kind that is already known; `None` when they are null.
    fn read<'de, A: MapAccess<'de>>(kind: &str, members: &mut A) -> Result<Option<Self>, A::Error> {
        Ok(match kind {
            "credentials_and_ip" => members.next_value::<Option<_>>()?.map(Self::CredentialsAndIp),
            "ip_only" => members.next_value::<Option<_>>()?.map(Self::IpOnly),
            "twilio" => members.next_value::<Option<_>>()?.map(Self::Twilio),
            _ => members
                .next_value::<Option<Extra>>()?
                .map(|attributes| Self::Unknown(UnknownMethod { kind: kind.to_owned(), attributes })),
        })
    }

    /// Makes a method of attributes that came before their kind, as in every sorted object.
    fn of<E: de::Error>(kind: &str, attributes: Map<String, Value>) -> Result<Self, E> {
        fn read<T: de::DeserializeOwned, E: de::Error>(attributes: Map<String, Value>) -> Result<T, E> {
            serde_path_to_error::deserialize(Value::Object(attributes)).map_err(|error| {
                let error = DecodeError::below("attributes", &error);
                E::custom(format_args!("{}: {}", error.path(), error.message()))
            })
        }
        match kind {
            "credentials_and_ip" => read(attributes).map(Self::CredentialsAndIp),
            "ip_only" => read(attributes).map(Self::IpOnly),
            "twilio" => read(attributes).map(Self::Twilio),
            _ => Ok(Self::Unknown(UnknownMethod { kind: kind.to_owned(), attributes: attributes.into() })),
        }
    }
}

impl<'de> Deserialize<'de> for AuthenticationMethod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = AuthenticationMethod;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with type and attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let (mut kind, mut method, mut early) = (None::<Cow<'de, str>>, None, None);
                while let Some(Lent(name)) = members.next_key()? {
                    match (&*name, &kind) {
                        ("type", None) => kind = Some(members.next_value::<Lent<'de>>()?.0),
                        // It would be read as one kind and be of another.
                        ("type", Some(_)) => return Err(A::Error::duplicate_field("type")),
                        ("attributes", Some(kind)) => method = Self::Value::read(kind, &mut members)?,
                        ("attributes", None) => early = members.next_value::<Option<_>>()?,
                        _ => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                let kind = kind.ok_or_else(|| A::Error::missing_field("type"))?;
                method.map_or_else(|| Self::Value::of(&kind, early.unwrap_or_default()), Ok)
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

impl Attribute for AuthenticationMethod {
    const KIND: Kind = Kind::Variant(AuthenticationMethodType::TEXTS);

    /// Checks the form; whether a kind may be chosen at all is a rule of the trunk.
    fn admit(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let Some(method) = sent.as_object() else {
            return Err(if sent.is_null() { Violation::Blank } else { Violation::Invalid }.into());
        };
        let (Some(kind), Some(Value::Object(attributes))) =
            (method.get("type").and_then(Value::as_str), method.get("attributes"))
        else {
            return Err(Violation::Invalid.into());
        };
        let admitted = match kind {
            "credentials_and_ip" => admit_addresses(attributes),
            // Refused by the rule that follows, whatever it holds.
            "ip_only" => Ok(Map::new()),
            "twilio" => admit_twilio(attributes),
            _ => Err(Violation::Invalid.into()),
        }?;
        Ok(serde_json::json!({ "type": kind, "attributes": admitted }))
    }

    /// Leaves out the credentials: they are the service's own, and it makes new ones when they are needed.
    fn to_sent(&self) -> Result<Value, serde_json::Error> {
        let mut sent = serde_json::to_value(self)?;
        if let (Self::CredentialsAndIp(_), Some(attributes)) =
            (self, sent.get_mut("attributes").and_then(Value::as_object_mut))
        {
            attributes.remove("username");
            attributes.remove("password");
        }
        Ok(sent)
    }
}

/// What the service says of an `authentication_method` without usable addresses is about the whole of it.
fn admit_addresses(attributes: &Map<String, Value>) -> Result<Map<String, Value>, Vec<Flaw>> {
    let mut admitted = Map::new();
    let mut flaws = Vec::new();
    for (name, value) in attributes {
        match name.as_str() {
            "allowed_sip_ips" => match IpNetworks::admit(value) {
                Ok(networks) => {
                    admitted.insert(name.clone(), networks);
                }
                Err(found) => flaws.extend(found.into_iter().map(|flaw| nested(name, flaw))),
            },
            "tech_prefix" => match <Option<TechPrefix>>::admit(value) {
                Ok(prefix) => {
                    admitted.insert(name.clone(), prefix);
                }
                Err(found) => flaws.extend(found.into_iter().map(|flaw| nested(name, flaw))),
            },
            // Official SDKs send a loaded method back whole.
            "username" | "password" => {}
            _ => return Err(Violation::Invalid.into()),
        }
    }
    let empty = attributes
        .get("allowed_sip_ips")
        .is_none_or(|list| list.is_null() || list.as_array().is_some_and(Vec::is_empty));
    if empty {
        return Err(Violation::Invalid.into());
    }
    if flaws.is_empty() { Ok(admitted) } else { Err(flaws) }
}

fn admit_twilio(attributes: &Map<String, Value>) -> Result<Map<String, Value>, Vec<Flaw>> {
    if attributes.keys().any(|name| name != "twilio_account_sid") {
        return Err(Violation::Invalid.into());
    }
    let sid = attributes.get("twilio_account_sid").unwrap_or(&Value::Null);
    match TwilioAccountSid::admit(sid) {
        Ok(sid) => Ok(Map::from_iter([("twilio_account_sid".to_owned(), sid)])),
        Err(flaws) => Err(flaws.into_iter().map(|flaw| nested("twilio_account_sid", flaw)).collect()),
    }
}

fn nested(name: &str, flaw: Flaw) -> Flaw {
    Flaw { pointer: format!("/attributes/{name}{}", flaw.pointer), ..flaw }
}
