//! The declaration of a create whose body is a form of several parts, `multipart/form-data`.

use serde_json::{Map, Value};

use crate::ApiVersion;

/// A form that creates a record: its texts are the attributes that a create may have, and it has one file. The name of
/// a part is that of its member in brackets behind that of the type, such as `encrypted_files[description]`.
#[derive(Debug, Clone, Copy)]
pub struct FormSpec {
    /// The name of the part with the file.
    pub file: &'static str,
    /// The largest file, in bytes.
    pub max_file_bytes: usize,
    /// A text that every form has, and that must equal the one that results from records of another type.
    pub check: FormCheck,
    /// The form of older versions, which has several files.
    pub batch: Option<FormBatch>,
}

/// A form that creates several records: each of its members stands in a list, such as
/// `encrypted_files[items][][description]`, and a member that the last record of the list has already begins another
/// one. It is answered with the ids of the records.
#[derive(Debug, Clone, Copy)]
pub struct FormBatch {
    /// The name of the list.
    pub name: &'static str,
    /// The most records.
    pub most: usize,
    /// The last version that has the form.
    pub until: ApiVersion,
}

/// A text of a form that must equal the one that results from records of a global type.
#[derive(Debug, Clone, Copy)]
pub struct FormCheck {
    /// The name of the part.
    pub name: &'static str,
    /// The type of the records.
    pub of: &'static str,
    /// The text, from the attributes of all records in the order of their creation. `None` if they result in none.
    pub expected: fn(&[Map<String, Value>]) -> Option<String>,
}

impl FormSpec {
    /// Maximum number of bytes of a body: the file, and the other parts with the lines between them.
    pub const fn max_body_bytes(&self) -> usize {
        self.max_file_bytes + (64 << 10)
    }
}
