//! How a text message trunk forwards messages: the nested object `configuration` of `sms_trunks`.

use serde_json::Value;

use crate::enumeration::string_enum;
use crate::merged_attributes::merged_attributes;
use crate::polymorphic::{parts, polymorphic, whole};
use crate::values::{
    AbsoluteCallbackUrl, CallbackUrl, ConnectionTimeout, DistinctList, MessageBody, MessageTemplate,
    RtpSource, SipHost, SipPort, SmppSystemId, SmppSystemType, TextMembers,
};
use crate::{Attribute, Flaw, Kind, Patch, Secret, UnknownVariant, Violation};

string_enum! {
    /// The types of configurations, as the filter `configuration.type` names them.
    SmsTrunkType {
        /// Messages to DIDs become e-mails.
        SmsToEmail = "sms_to_email",
        /// Messages to DIDs become requests to the customer's HTTP server.
        HttpIn = "http_in",
        /// The customer submits messages with HTTP requests.
        HttpOut = "http_out",
        /// The customer's SMPP client connects to the service.
        SmppEsme = "smpp_esme",
        /// The service connects to the customer's SMPP server.
        SmppSmsc = "smpp_smsc",
    }
}

string_enum! {
    /// The method of the requests of an `http_in` trunk.
    SmsHttpMethod {
        /// GET, without a body.
        Get = "get",
        /// POST.
        Post = "post",
        /// PUT.
        Put = "put",
    }
}

string_enum! {
    /// The form of the body of the requests of an `http_in` trunk.
    SmsBodyType {
        /// A JSON text.
        Json = "json",
        /// A form of several parts.
        HtmlMultipart = "html_multipart",
        /// A form in the encoding of URLs.
        HtmlUrlEncoded = "html_url_encoded",
        /// Any text.
        Raw = "raw",
    }
}

/// How a trunk forwards messages. An update changes the attributes that it contains; the type cannot be changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SmsConfiguration {
    /// Messages to DIDs become e-mails.
    SmsToEmail(Box<SmsToEmailConfiguration>),
    /// Messages to DIDs become requests to the customer's HTTP server.
    HttpIn(Box<HttpInConfiguration>),
    /// The customer submits messages with HTTP requests.
    HttpOut(Box<HttpOutConfiguration>),
    /// The customer's SMPP client connects to the service.
    SmppEsme(Box<SmppEsmeConfiguration>),
    /// The service connects to the customer's SMPP server.
    SmppSmsc(Box<SmppSmscConfiguration>),
    /// A type that this crate does not declare. It is sent exactly as it was read.
    Unknown(UnknownVariant),
}

polymorphic! {
    SmsConfiguration {
        SmsToEmail(Box<SmsToEmailConfiguration>) = "sms_to_email",
        HttpIn(Box<HttpInConfiguration>) = "http_in",
        HttpOut(Box<HttpOutConfiguration>) = "http_out",
        SmppEsme(Box<SmppEsmeConfiguration>) = "smpp_esme",
        SmppSmsc(Box<SmppSmscConfiguration>) = "smpp_smsc",
    }
}

/// Addresses and subnets from which messages are accepted, at most 60, each once.
pub type SmsSources = DistinctList<RtpSource, 0, 60>;

merged_attributes! {
    /// The attributes of an `sms_to_email`.
    SmsToEmailConfiguration {
        /// The address to which the e-mails are sent. Required.
        send_to: Patch<String>,
        /// The subject of the e-mails. Required.
        subject: Patch<MessageTemplate>,
        /// The text of the e-mails. Required.
        message: Patch<MessageTemplate>,
    }
}

merged_attributes! {
    /// The attributes of an `http_in`. Texts can have the placeholders `{SMS_TEXT}`, `{SMS_TEXT_BASE64_ENCODED}`,
    /// `{SMS_SRC_ADDR}`, `{SMS_DST_ADDR}` and `{SMS_TIME}`.
    HttpInConfiguration {
        /// Where the requests go. Required.
        url: Patch<AbsoluteCallbackUrl>,
        /// The method of the requests. Required.
        http_method: Patch<SmsHttpMethod>,
        /// Parameters that are added to the URL.
        query_parameters: Patch<TextMembers>,
        /// Headers of the requests, which can be credentials.
        headers: Patch<TextMembers>,
        /// The form of the body. Required with `post` and `put`, and null with `get`.
        body_type: Patch<SmsBodyType>,
        /// The body: an object for the two forms, else a text. Required with `post` and `put`, and null with `get`.
        body: Patch<MessageBody>,
        /// Whether redirects are followed.
        follow_redirect: Option<bool>,
        /// Whether the certificate of the server must be valid.
        validate_https_certificate: Option<bool>,
    }
}

merged_attributes! {
    /// The attributes of an `http_out`.
    HttpOutConfiguration {
        /// The URL that receives the delivery status of messages.
        callback_url: Patch<CallbackUrl>,
        /// The addresses from which messages are accepted. Null is every one.
        allowed_ips: Patch<SmsSources>,
        /// The user with which messages are submitted, which the service generates. Requests do not contain it.
        auth_name: Patch<String>,
        /// The password with which messages are submitted, which the service generates. Requests do not contain it.
        auth_password: Patch<Secret>,
    }
}

merged_attributes! {
    /// The attributes of an `smpp_esme`.
    SmppEsmeConfiguration {
        /// The type of the session, at most 12 characters.
        system_type: Patch<SmppSystemType>,
        /// The addresses from which the client may connect. Null is every one.
        allowed_ips: Patch<SmsSources>,
        /// The place to which the client connects, such as `fra`. Required.
        server_location: Patch<String>,
        /// The name with which the client binds, which the service generates. Requests do not contain it.
        system_id: Patch<String>,
        /// The password with which the client binds, which the service generates. Requests do not contain it.
        password: Patch<Secret>,
    }
}

merged_attributes! {
    /// The attributes of an `smpp_smsc`.
    SmppSmscConfiguration {
        /// The host to which the service connects. Required.
        host: Patch<SipHost>,
        /// The port of the transmitter, and of the transceiver.
        tx_port: Option<SipPort>,
        /// The port of the receiver.
        rx_port: Option<SipPort>,
        /// Whether one connection sends and receives.
        transceiver_mode: Option<bool>,
        /// The time for which a connection is tried, in seconds.
        connection_timeout: Option<ConnectionTimeout>,
        /// Whether the connection is encrypted.
        use_ssl: Option<bool>,
        /// The name with which the service binds, at most 15 characters. Required.
        system_id: Patch<SmppSystemId>,
        /// The type of the session, at most 12 characters.
        system_type: Patch<SmppSystemType>,
        /// The password with which the service binds, at most 8 characters. Required.
        password: Patch<Secret>,
        /// The place from which the service connects, such as `fra`. Required.
        server_location: Patch<String>,
    }
}

impl SmsConfiguration {
    /// Maximum number of characters of the password of an SMPP session, of the field of that name in SMPP 3.4.
    pub const SMPP_PASSWORD_CHARACTERS: usize = 8;

    /// Messages become e-mails with a subject and a text.
    pub fn sms_to_email(
        send_to: impl Into<String>,
        subject: MessageTemplate,
        message: MessageTemplate,
    ) -> Self {
        Self::SmsToEmail(Box::new(SmsToEmailConfiguration {
            send_to: Patch::Set(send_to.into()),
            subject: Patch::Set(subject),
            message: Patch::Set(message),
            ..SmsToEmailConfiguration::default()
        }))
    }

    /// Messages become GET requests; set `query_parameters` of the configuration to pass on their contents.
    pub fn http_in_get(url: AbsoluteCallbackUrl) -> Self {
        Self::HttpIn(Box::new(HttpInConfiguration {
            url: Patch::Set(url),
            http_method: Patch::Set(SmsHttpMethod::Get),
            ..HttpInConfiguration::default()
        }))
    }

    /// Messages become POST requests with a body.
    pub fn http_in_post(url: AbsoluteCallbackUrl, body_type: SmsBodyType, body: MessageBody) -> Self {
        Self::HttpIn(Box::new(HttpInConfiguration {
            url: Patch::Set(url),
            http_method: Patch::Set(SmsHttpMethod::Post),
            body_type: Patch::Set(body_type),
            body: Patch::Set(body),
            ..HttpInConfiguration::default()
        }))
    }

    /// Messages are submitted with HTTP requests.
    pub fn http_out() -> Self {
        Self::HttpOut(Box::default())
    }

    /// The customer's SMPP client connects to a place of the service.
    pub fn smpp_esme(server_location: impl Into<String>) -> Self {
        Self::SmppEsme(Box::new(SmppEsmeConfiguration {
            server_location: Patch::Set(server_location.into()),
            ..SmppEsmeConfiguration::default()
        }))
    }

    /// The service connects from one of its points of presence to the customer's SMPP server.
    pub fn smpp_smsc(
        host: SipHost,
        system_id: SmppSystemId,
        password: impl Into<Secret>,
        server_location: impl Into<String>,
    ) -> Self {
        Self::SmppSmsc(Box::new(SmppSmscConfiguration {
            host: Patch::Set(host),
            system_id: Patch::Set(system_id),
            password: Patch::Set(password.into()),
            server_location: Patch::Set(server_location.into()),
            ..SmppSmscConfiguration::default()
        }))
    }

    /// The user and the password that the service generated for a trunk of the types `http_out` and `smpp_esme`; `None`
    /// for other types.
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        let (name, password) = match self {
            Self::HttpOut(http) => (&http.auth_name, &http.auth_password),
            Self::SmppEsme(smpp) => (&smpp.system_id, &smpp.password),
            _ => return None,
        };
        match (name, password) {
            (Patch::Set(name), Patch::Set(password)) => Some((name.as_str(), password)),
            _ => None,
        }
    }

    /// Whether trunks of a type receive messages to DIDs. Such trunks can be in a group.
    pub fn receives(kind: &str) -> bool {
        kind != "http_out"
    }

    /// Whether messages can be sent through trunks of a type.
    pub fn sends(kind: &str) -> bool {
        matches!(kind, "http_out" | "smpp_esme" | "smpp_smsc")
    }

    /// The attributes of a type that only the service sets.
    pub fn generated(kind: &str) -> &'static [&'static str] {
        match kind {
            "http_out" => &["auth_name", "auth_password"],
            "smpp_esme" => &["system_id", "password"],
            _ => &[],
        }
    }
}

impl Attribute for SmsConfiguration {
    const KIND: Kind = Kind::Variant(SmsTrunkType::TEXTS);

    /// Validates the form and each attribute separately, and removes attributes that only the service sets. Required
    /// attributes and rules for combinations belong to the trunk.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let (kind, attributes) = parts(sent)?;
        let mut attributes = attributes.into_owned();
        let generated = Self::generated(kind);
        attributes.retain(|name, _| !generated.contains(&name.as_str()));
        let validated = match kind {
            "sms_to_email" => SmsToEmailConfiguration::validate(&attributes),
            "http_in" => HttpInConfiguration::validate(&attributes),
            "http_out" => HttpOutConfiguration::validate(&attributes),
            "smpp_esme" => SmppEsmeConfiguration::validate(&attributes),
            "smpp_smsc" => SmppSmscConfiguration::validate(&attributes),
            _ => Err(vec![Flaw { pointer: "/type".to_owned(), violation: Violation::NotIncluded }]),
        }?;
        Ok(whole(kind, validated))
    }

    /// Leaves out the credentials, which only the service generates.
    fn to_sent(&self) -> Result<Value, serde_json::Error> {
        let mut sent = serde_json::to_value(self)?;
        let generated = Self::generated(self.kind());
        if let Some(attributes) = sent.get_mut("attributes").and_then(Value::as_object_mut) {
            attributes.retain(|name, _| !generated.contains(&name.as_str()));
        }
        Ok(sent)
    }
}
