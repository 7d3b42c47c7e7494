//! One operation of an API.

use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// A function that generates the schema of a type.
pub(crate) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// An operation: its query and body, its responses, and the statuses of its errors.
///
/// ```
/// use http::Method;
/// use http_contract::Operation;
///
/// let read = Operation::new(Method::GET, "/things/{id}", "Returns one thing.").answers::<String>(200).errors(&[404]);
/// assert_eq!(read.id(), "get_things_id");
/// ```
#[derive(Debug, Clone)]
pub struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) description: Option<&'static str>,
    /// Names of the path's parameters that are any text; the others are UUIDs.
    pub(crate) text_parameters: Vec<&'static str>,
    pub(crate) query: Option<MakeSchema>,
    pub(crate) body: Option<MakeSchema>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) errors: Vec<u16>,
    /// Whether the path is not below the API's base.
    pub(crate) is_apart: bool,
}

/// A response of an operation that succeeded.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content: Option<Content>,
}

/// The body of a response.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// JSON that a schema describes.
    Json(MakeSchema),
    /// Text or bytes with this media type.
    Other(&'static str),
}

impl Operation {
    /// Declares an operation. `path` is relative to the API's base, with `{name}` for a parameter, which is a UUID
    /// unless [`text_parameter`](Self::text_parameter) names it. `summary` is one sentence.
    pub fn new(method: Method, path: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            path,
            summary,
            description: None,
            text_parameters: Vec::new(),
            query: None,
            body: None,
            answers: Vec::new(),
            errors: Vec::new(),
            is_apart: false,
        }
    }

    /// Declares that the path is relative to the server instead of the API's base, and that nothing applies which the
    /// other operations have in common: credentials, headers, and the statuses of refusals.
    #[must_use]
    pub fn apart(self) -> Self {
        Self { is_apart: true, ..self }
    }

    /// The HTTP method, which with the path identifies the operation.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, relative to the API's base.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The id of the operation in the document: method and path in words, such as `get_accounts_id`.
    pub fn id(&self) -> String {
        let words = self.path.split(['/', '{', '}', '.']).filter(|word| !word.is_empty());
        let method = self.method.as_str().to_lowercase();
        std::iter::once(method.as_str()).chain(words).collect::<Vec<_>>().join("_").replace('-', "_")
    }

    /// Adds further sentences to the summary.
    #[must_use]
    pub fn description(self, description: &'static str) -> Self {
        Self { description: Some(description), ..self }
    }

    /// Declares that a parameter of the path is any text instead of a UUID.
    #[must_use]
    pub fn text_parameter(mut self, name: &'static str) -> Self {
        self.text_parameters.push(name);
        self
    }

    /// Declares the query: each member of the type is a parameter.
    #[must_use]
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// Declares the JSON body. It may be left out if the type requires no member.
    #[must_use]
    pub fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(schema_of::<T>);
        self
    }

    /// Declares a JSON answer with this status.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push(Answer { status, content: Some(Content::Json(reference_to::<T>)) });
        self
    }

    /// Declares an answer with this status and a body of another media type.
    #[must_use]
    pub fn answers_with(mut self, status: u16, media_type: &'static str) -> Self {
        self.answers.push(Answer { status, content: Some(Content::Other(media_type)) });
        self
    }

    /// Declares an answer with this status and no body.
    #[must_use]
    pub fn answers_empty(mut self, status: u16) -> Self {
        self.answers.push(Answer { status, content: None });
        self
    }

    /// Declares the statuses with which the operation refuses, in addition to those of every operation of the API.
    #[must_use]
    pub fn errors(mut self, statuses: &[u16]) -> Self {
        self.errors.extend(statuses);
        self
    }
}

/// The schema of a type in place.
fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.root_schema_for::<T>()
}

/// A reference to the schema of a type, or the schema itself if the type has no name of its own.
pub(crate) fn reference_to<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
