//! The authentication of calls to a trunk: the nested object `authentication_method` of `voice_out_trunks`,
//! since 2026-04-16.

use std::borrow::Cow;

use serde::de::{DeserializeSeed as _, Error as _, MapAccess};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::direct::{MemberSink, ReadInto};
use crate::enumeration::string_enum;
use crate::polymorphic::{nested, parts, polymorphic, whole};
use crate::values::{IpNetworks, TechPrefix, TwilioAccountSid, distinct_networks};
use crate::{Attribute, Extra, Flaw, Kind, Secret, UnknownVariant, Violation};

string_enum! {
    /// The types of authentication methods, as the filter `authentication_method.type` names them.
    AuthenticationMethodType {
        /// SIP digest credentials and allowed source addresses.
        CredentialsAndIp = "credentials_and_ip",
        /// Only allowed source addresses. Only DIDWW's staff can set it.
        IpOnly = "ip_only",
        /// Calls from a Twilio account.
        Twilio = "twilio",
    }
}

/// How a trunk authenticates calls. An update replaces the whole object.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AuthenticationMethod {
    /// SIP digest credentials and allowed source addresses. The service generates the credentials.
    CredentialsAndIp(CredentialsAndIp),
    /// Only allowed source addresses. It can be read; the service refuses it in create and update requests.
    IpOnly(IpOnly),
    /// Calls from a Twilio account.
    Twilio(Twilio),
    /// A type that this crate does not declare. It is sent exactly as it was read.
    Unknown(UnknownMethod),
}

/// The attributes of a `credentials_and_ip` method.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct CredentialsAndIp {
    /// The source addresses from which SIP requests are accepted, 1 to 60. `0.0.0.0/0` and `::/0` allow any
    /// address.
    pub allowed_sip_ips: IpNetworks,
    /// The prefix that the caller dials before the number.
    pub tech_prefix: Option<TechPrefix>,
    /// The digest username, which the service generates. Requests do not contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The digest password, which the service generates. Requests do not contain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Attributes that this crate does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The attributes of an `ip_only` method.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct IpOnly {
    /// The source addresses from which SIP requests are accepted, at most 60.
    pub allowed_sip_ips: IpNetworks,
    /// The prefix that the caller dials before the number.
    pub tech_prefix: Option<TechPrefix>,
    /// Attributes that this crate does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The attributes of a `twilio` method.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Twilio {
    /// The SID of the Twilio account whose calls the trunk accepts.
    pub twilio_account_sid: TwilioAccountSid,
    /// Attributes that this crate does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An authentication method of a type that this crate does not declare.
pub type UnknownMethod = UnknownVariant;

polymorphic! {
    AuthenticationMethod {
        CredentialsAndIp(CredentialsAndIp) = "credentials_and_ip",
        IpOnly(IpOnly) = "ip_only",
        Twilio(Twilio) = "twilio",
    }
}

impl AuthenticationMethod {
    /// Creates a method with generated SIP credentials and these source addresses, of which the service
    /// requires at least one.
    pub fn credentials_and_ip(allowed_sip_ips: IpNetworks) -> Self {
        Self::CredentialsAndIp(CredentialsAndIp { allowed_sip_ips, ..CredentialsAndIp::default() })
    }

    /// Creates a method that accepts the calls of a Twilio account.
    pub fn twilio(twilio_account_sid: TwilioAccountSid) -> Self {
        Self::Twilio(Twilio { twilio_account_sid, extra: Extra::default() })
    }

    /// Sets the tech prefix. A `twilio` or unknown method, which has none, is returned unchanged.
    #[must_use]
    pub fn with_tech_prefix(mut self, prefix: TechPrefix) -> Self {
        match &mut self {
            Self::CredentialsAndIp(method) => method.tech_prefix = Some(prefix),
            Self::IpOnly(method) => method.tech_prefix = Some(prefix),
            Self::Twilio(_) | Self::Unknown(_) => {}
        }
        self
    }

    /// The digest username and password; `None` unless the method is `credentials_and_ip` and was returned by
    /// the service.
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        match self {
            Self::CredentialsAndIp(method) => Some((method.username.as_deref()?, method.password.as_ref()?)),
            _ => None,
        }
    }

    /// The source addresses from which SIP requests are accepted; `None` for a `twilio` or unknown method.
    pub fn allowed_sip_ips(&self) -> Option<&IpNetworks> {
        match self {
            Self::CredentialsAndIp(method) => Some(&method.allowed_sip_ips),
            Self::IpOnly(method) => Some(&method.allowed_sip_ips),
            Self::Twilio(_) | Self::Unknown(_) => None,
        }
    }

    /// The tech prefix; `None` if it is absent or empty.
    pub fn tech_prefix(&self) -> Option<&TechPrefix> {
        match self {
            Self::CredentialsAndIp(method) => method.tech_prefix.as_ref(),
            Self::IpOnly(method) => method.tech_prefix.as_ref(),
            Self::Twilio(_) | Self::Unknown(_) => None,
        }
        .filter(|prefix| !prefix.as_str().is_empty())
    }
}

// Decoding is not derived, because serde's `flatten` buffers every member and decodes it a second time.
impl MemberSink for CredentialsAndIp {
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

impl MemberSink for IpOnly {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, members: &mut A) -> Result<(), A::Error> {
        match &*name {
            "allowed_sip_ips" => self.allowed_sip_ips = members.next_value()?,
            "tech_prefix" => self.tech_prefix = members.next_value()?,
            _ => self.extra.keep(name, members)?,
        }
        Ok(())
    }
}

/// A [`Twilio`] that is being decoded, whose account SID may not have been read yet.
#[derive(Default)]
struct PartialTwilio {
    twilio_account_sid: Option<TwilioAccountSid>,
    extra: Extra,
}

impl MemberSink for PartialTwilio {
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
        let mut method = PartialTwilio::default();
        ReadInto(&mut method).deserialize(deserializer)?;
        let missing = || D::Error::missing_field("twilio_account_sid");
        let twilio_account_sid = method.twilio_account_sid.ok_or_else(missing)?;
        Ok(Self { twilio_account_sid, extra: method.extra })
    }
}

impl Attribute for AuthenticationMethod {
    const KIND: Kind = Kind::Variant(AuthenticationMethodType::TEXTS);

    /// Validates the form. Whether a create or update may set the type is a rule of the trunk.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let (kind, attributes) = parts(sent)?;
        let validated = match kind {
            "credentials_and_ip" => validate_credentials_and_ip(&attributes),
            // The rule of the trunk refuses this type with any attributes.
            "ip_only" => Ok(Map::new()),
            "twilio" => validate_twilio(&attributes),
            _ => Err(Violation::Invalid.into()),
        }?;
        Ok(whole(kind, validated))
    }

    /// Leaves out the credentials, which only the service generates.
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

/// Validates the attributes of a `credentials_and_ip` method. When there are no addresses, or an attribute is
/// unknown, the service reports the whole object as invalid, without a pointer to the attribute.
fn validate_credentials_and_ip(attributes: &Map<String, Value>) -> Result<Map<String, Value>, Vec<Flaw>> {
    let mut validated = Map::new();
    let mut flaws = Vec::new();
    for (name, value) in attributes {
        match name.as_str() {
            "allowed_sip_ips" => match distinct_networks(value) {
                Ok(networks) => {
                    validated.insert(name.clone(), networks);
                }
                Err(found) => flaws.extend(found.into_iter().map(|flaw| nested(name, flaw))),
            },
            "tech_prefix" => match <Option<TechPrefix>>::validate(value) {
                Ok(prefix) => {
                    validated.insert(name.clone(), prefix);
                }
                Err(found) => flaws.extend(found.into_iter().map(|flaw| nested(name, flaw))),
            },
            // The official SDKs send back a method that they read, with its credentials. They are ignored.
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
    if flaws.is_empty() { Ok(validated) } else { Err(flaws) }
}

fn validate_twilio(attributes: &Map<String, Value>) -> Result<Map<String, Value>, Vec<Flaw>> {
    if attributes.keys().any(|name| name != "twilio_account_sid") {
        return Err(Violation::Invalid.into());
    }
    let sid = attributes.get("twilio_account_sid").unwrap_or(&Value::Null);
    match TwilioAccountSid::validate(sid) {
        Ok(sid) => Ok(Map::from_iter([("twilio_account_sid".to_owned(), sid)])),
        Err(flaws) => Err(flaws.into_iter().map(|flaw| nested("twilio_account_sid", flaw)).collect()),
    }
}
