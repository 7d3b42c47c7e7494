//! Converts errors of the service into a text and an exit code.

use std::fmt::Write as _;

use didww_client::{ApiVersion, Error, ErrorObject, Refusal, ResourceSpec};

use crate::exit::{Exit, Failure};
use crate::resource::right;

/// Converts an error of the client.
pub(crate) fn failure(error: &Error) -> Failure {
    Failure::new(exit(error), error.to_string())
}

/// As [`failure`], for a request that wrote a record of a type: each refused member with its valid values.
pub(crate) fn failure_of(error: &Error, spec: &'static ResourceSpec, version: ApiVersion) -> Failure {
    let Some(refusal) = error.refusal().filter(|refusal| !refusal.errors.is_empty()) else {
        return failure(error);
    };
    let mut text = format!("the service refused the request with {}", refusal.status);
    for object in &refusal.errors {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "\n  {}", described(object));
        let member = object.field().and_then(|name| {
            spec.attributes_at(version).into_iter().find(|attribute| attribute.name == name)
        });
        if let Some(attribute) = member {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "\n    valid: {}", right(&attribute.value_at(version)));
        }
    }
    // Writing to a string cannot fail.
    let _infallible = write!(text, "\n  {}", refusal.exchange);
    Failure::new(exit(error), text)
}

fn described(object: &ErrorObject) -> String {
    let detail = object.detail.as_deref().or(object.title.as_deref()).unwrap_or("an error without a text");
    match object.pointer() {
        Some(pointer) => format!("{pointer}: {detail}"),
        None => detail.to_owned(),
    }
}

fn exit(error: &Error) -> Exit {
    match error {
        Error::Unauthorized(_) => Exit::Denied,
        Error::NotFound(_) => Exit::NotFound,
        Error::Validation(_) => Exit::Invalid,
        Error::RateLimited { .. } | Error::Transport(_) => Exit::Unavailable,
        Error::Api(refusal) => of_status(refusal),
        Error::NotSent(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn of_status(refusal: &Refusal) -> Exit {
    match refusal.status.as_u16() {
        401 | 403 => Exit::Denied,
        400 | 409 => Exit::Invalid,
        500.. => Exit::Unavailable,
        _ => Exit::Failed,
    }
}
