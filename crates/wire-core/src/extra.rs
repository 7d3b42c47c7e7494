//! Members of a JSON object that a declaration does not list.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::MapAccess;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Undeclared members of a JSON object, preserved so that they survive a read-modify-write.
///
/// It dereferences to the map that it holds. `Debug` prints the names without the values, because an
/// undeclared member may be a credential.
///
/// ```
/// # use wire_core::Extra;
/// let mut extra = Extra::default();
/// extra.insert("token".to_owned(), "s3cret".into());
/// assert_eq!(extra["token"], "s3cret");
/// assert_eq!(format!("{extra:?}"), r#"{"token"}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(Map<String, Value>);

impl Extra {
    /// Reads the value of the member `name` and stores it under that name.
    ///
    /// The caller has read the name; the value is the next thing in `members`.
    pub fn keep<'de, A: MapAccess<'de>>(
        &mut self,
        name: Cow<'de, str>,
        members: &mut A,
    ) -> Result<(), A::Error> {
        self.0.insert(name.into_owned(), members.next_value()?);
        Ok(())
    }
}

impl Deref for Extra {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Extra {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl From<Map<String, Value>> for Extra {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl From<Extra> for Map<String, Value> {
    fn from(extra: Extra) -> Self {
        extra.0
    }
}

impl IntoIterator for Extra {
    type Item = (String, Value);
    type IntoIter = serde_json::map::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Extra {
    type Item = (&'a String, &'a Value);
    type IntoIter = serde_json::map::Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Names(&self.0).fmt(f)
    }
}

/// Prints the names of members whose values may be credentials: its `Debug` omits the values.
pub struct Names<'a>(pub &'a Map<String, Value>);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
