//! The rules of the configuration of a text message trunk: its type, its defaults, and combinations of its attributes.

use didww_types::resources::{
    HttpInConfiguration, HttpOutConfiguration, SmppEsmeConfiguration, SmppSmscConfiguration, SmsBodyType,
    SmsConfiguration, SmsHttpMethod, SmsToEmailConfiguration, SmsTrunk,
};
use didww_types::values::{
    AbsoluteCallbackUrl, ConnectionTimeout, MessageBody, MessageTemplate, SipHost, SipPort, SmppSystemId,
};
use didww_types::{Patch, Resource as _, Secret, Violation};
use serde_json::Value;

use crate::domain::draft::Draft;
use crate::domain::{Credentials, Refusal, WriteContext};

pub(super) const CONFIGURATION: &str = SmsTrunk::SPEC.attribute_name("configuration");

const PASSWORD_CHARACTERS: usize = SmsConfiguration::SMPP_PASSWORD_CHARACTERS;

/// Decides on the configuration of a request: merges it into the stored one, or into the defaults of a new trunk.
pub(super) fn decide(context: &WriteContext<'_>, draft: &mut Draft<SmsTrunk>) {
    if let Some(name) = not_allowed(context) {
        draft.refusals.push(Refusal::member_at("", name, Violation::ParamNotAllowed));
        return;
    }
    let Some(sent) = draft.changes.configuration.take() else { return };
    let before = draft.before.as_ref().map(|trunk| trunk.configuration.clone());
    if before.as_ref().is_some_and(|before| before.kind() != sent.kind()) {
        let violation = Violation::NotAllowedForUpdate;
        draft.refusals.push(Refusal::member_at(format!("{}/type", pointer()), "type", violation));
        return;
    }
    let mut merged = merge(before.unwrap_or_else(|| defaults(&sent)), sent);
    if draft.before.is_none() {
        renew(&mut merged, context.fresh);
    }
    let broken = broken(&merged);
    draft.refusals.extend(broken.into_iter().map(|(name, violation)| {
        Refusal::member_at(format!("{}/attributes/{name}", pointer()), name, violation)
    }));
    draft.changes.configuration = Some(merged);
}

fn pointer() -> String {
    format!("/data/attributes/{CONFIGURATION}")
}

/// An attribute of the request that only the service sets.
fn not_allowed<'a>(context: &WriteContext<'a>) -> Option<&'a str> {
    let configuration = context.sent.get(CONFIGURATION)?;
    let generated = SmsConfiguration::generated(configuration.get("type")?.as_str()?);
    let mut sent = configuration.get("attributes")?.as_object()?.keys();
    sent.find(|name| generated.contains(&name.as_str())).map(String::as_str)
}

/// Replaces the credentials that the service generates. Returns false if the type has none.
pub(in crate::domain) fn renew(configuration: &mut SmsConfiguration, fresh: &Credentials) -> bool {
    let first = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    match configuration {
        SmsConfiguration::HttpOut(http) => {
            http.auth_name = Patch::Set(fresh.username.clone());
            http.auth_password = Patch::Set(fresh.password.clone());
        }
        SmsConfiguration::SmppEsme(smpp) => {
            smpp.system_id = Patch::Set(first(&fresh.username, SmppSystemId::MAX_CHARACTERS));
            smpp.password = Patch::Set(Secret::new(first(fresh.password.expose(), PASSWORD_CHARACTERS)));
        }
        _ => return false,
    }
    true
}

/// A configuration with the attributes of a newer one, which is of the same type.
fn merge(before: SmsConfiguration, sent: SmsConfiguration) -> SmsConfiguration {
    match (before, sent) {
        (SmsConfiguration::SmsToEmail(mut stored), SmsConfiguration::SmsToEmail(sent)) => {
            stored.merge(*sent);
            SmsConfiguration::SmsToEmail(stored)
        }
        (SmsConfiguration::HttpIn(mut stored), SmsConfiguration::HttpIn(sent)) => {
            stored.merge(*sent);
            SmsConfiguration::HttpIn(stored)
        }
        (SmsConfiguration::HttpOut(mut stored), SmsConfiguration::HttpOut(sent)) => {
            stored.merge(*sent);
            SmsConfiguration::HttpOut(stored)
        }
        (SmsConfiguration::SmppEsme(mut stored), SmsConfiguration::SmppEsme(sent)) => {
            stored.merge(*sent);
            SmsConfiguration::SmppEsme(stored)
        }
        (SmsConfiguration::SmppSmsc(mut stored), SmsConfiguration::SmppSmsc(sent)) => {
            stored.merge(*sent);
            SmsConfiguration::SmppSmsc(stored)
        }
        (_, sent) => sent,
    }
}

/// The configuration of a new trunk, with the defaults of absent attributes.
pub(super) fn complete(sent: SmsConfiguration) -> SmsConfiguration {
    merge(defaults(&sent), sent)
}

/// The defaults of a new trunk of the type of `sent`. Only the ports are documented.
fn defaults(sent: &SmsConfiguration) -> SmsConfiguration {
    match sent {
        SmsConfiguration::SmsToEmail(_) => SmsConfiguration::SmsToEmail(Box::default()),
        SmsConfiguration::HttpIn(_) => {
            let mut http = HttpInConfiguration::default();
            (http.query_parameters, http.headers) = (Patch::Clear, Patch::Clear);
            (http.body_type, http.body) = (Patch::Clear, Patch::Clear);
            (http.follow_redirect, http.validate_https_certificate) = (Some(false), Some(true));
            SmsConfiguration::HttpIn(Box::new(http))
        }
        SmsConfiguration::HttpOut(_) => {
            let mut http = HttpOutConfiguration::default();
            (http.callback_url, http.allowed_ips) = (Patch::Clear, Patch::Clear);
            SmsConfiguration::HttpOut(Box::new(http))
        }
        SmsConfiguration::SmppEsme(_) => {
            let mut smpp = SmppEsmeConfiguration::default();
            (smpp.system_type, smpp.allowed_ips) = (Patch::Clear, Patch::Clear);
            SmsConfiguration::SmppEsme(Box::new(smpp))
        }
        SmsConfiguration::SmppSmsc(_) => {
            let mut smpp = SmppSmscConfiguration::default();
            (smpp.tx_port, smpp.rx_port) = (SipPort::new(2775).ok(), SipPort::new(2776).ok());
            (smpp.transceiver_mode, smpp.use_ssl) = (Some(false), Some(false));
            smpp.connection_timeout = ConnectionTimeout::new(30).ok();
            smpp.system_type = Patch::Clear;
            SmsConfiguration::SmppSmsc(Box::new(smpp))
        }
        other => other.clone(),
    }
}

/// The attributes that break a rule, each with the rule, as they are after the request.
fn broken(configuration: &SmsConfiguration) -> Vec<(&'static str, Violation)> {
    let mut broken = Vec::new();
    match configuration {
        SmsConfiguration::SmsToEmail(email) => of_email(email, &mut broken),
        SmsConfiguration::HttpIn(http) => of_http_in(http, &mut broken),
        SmsConfiguration::SmppEsme(smpp) => {
            required("server_location", is_blank(&smpp.server_location, String::as_str), &mut broken);
        }
        SmsConfiguration::SmppSmsc(smpp) => of_smsc(smpp, &mut broken),
        _ => {}
    }
    broken
}

fn required(name: &'static str, is_blank: bool, broken: &mut Vec<(&'static str, Violation)>) {
    if is_blank {
        broken.push((name, Violation::Blank));
    }
}

fn is_blank<T>(value: &Patch<T>, text: fn(&T) -> &str) -> bool {
    !matches!(value, Patch::Set(value) if !text(value).trim().is_empty())
}

fn of_email(email: &SmsToEmailConfiguration, broken: &mut Vec<(&'static str, Violation)>) {
    required("send_to", is_blank(&email.send_to, String::as_str), broken);
    required("subject", is_blank(&email.subject, MessageTemplate::as_str), broken);
    required("message", is_blank(&email.message, MessageTemplate::as_str), broken);
}

/// A GET has no body. The body of other requests has the form of its type.
fn of_http_in(http: &HttpInConfiguration, broken: &mut Vec<(&'static str, Violation)>) {
    required("url", is_blank(&http.url, AbsoluteCallbackUrl::as_str), broken);
    let Patch::Set(method) = &http.http_method else {
        broken.push(("http_method", Violation::Blank));
        return;
    };
    if *method == SmsHttpMethod::Get {
        let is_set = [
            ("body_type", matches!(http.body_type, Patch::Set(_))),
            ("body", matches!(http.body, Patch::Set(_))),
        ];
        let set = is_set.into_iter().filter(|(_, is_set)| *is_set);
        broken.extend(set.map(|(name, _)| (name, Violation::MustBeBlank)));
        return;
    }
    required("body_type", !matches!(http.body_type, Patch::Set(_)), broken);
    let Patch::Set(body) = &http.body else {
        broken.push(("body", Violation::Blank));
        return;
    };
    let Patch::Set(body_type) = &http.body_type else { return };
    let is_form = matches!(body_type, SmsBodyType::HtmlMultipart | SmsBodyType::HtmlUrlEncoded);
    let has_form = match body {
        MessageBody::Fields(_) => is_form,
        MessageBody::Text(text) if *body_type == SmsBodyType::Json => {
            serde_json::from_str::<Value>(text).is_ok()
        }
        _ => !is_form,
    };
    if !has_form {
        broken.push(("body", Violation::Invalid));
    }
}

fn of_smsc(smpp: &SmppSmscConfiguration, broken: &mut Vec<(&'static str, Violation)>) {
    required("host", is_blank(&smpp.host, SipHost::as_str), broken);
    required("system_id", is_blank(&smpp.system_id, SmppSystemId::as_str), broken);
    required("password", is_blank(&smpp.password, Secret::expose), broken);
    let is_long = matches!(&smpp.password, Patch::Set(password)
        if password.expose().chars().count() > PASSWORD_CHARACTERS);
    if is_long {
        broken.push(("password", Violation::TooLong(PASSWORD_CHARACTERS)));
    }
    required("server_location", is_blank(&smpp.server_location, String::as_str), broken);
}
