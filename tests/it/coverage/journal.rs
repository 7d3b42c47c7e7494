//! The requests of a tour as they were sent, without ids and values.

use std::collections::BTreeSet;
use std::sync::Mutex;

use reqwest::Url;

/// The requests that were answered, by their normal form; those that were refused begin with `refused: `.
#[derive(Debug, Default)]
pub struct Journal(Mutex<BTreeSet<String>>);

impl Journal {
    /// Writes down a request and the status of its answer.
    pub fn note(&self, method: &str, path: &str, status: u16) {
        let prefix = if status < 300 { "" } else { "refused: " };
        let forms = normal_form(method, path).into_iter().map(|form| format!("{prefix}{form}"));
        self.0.lock().unwrap().extend(forms);
    }

    /// Everything that was written down.
    pub fn sent(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }
}

/// The normal form of a request, and one for each filter, sort and include of its query. The value of a filter is
/// left out, and the id in the path is `{id}`.
pub fn normal_form(method: &str, path: &str) -> BTreeSet<String> {
    let url = Url::parse(&format!("http://localhost{path}")).unwrap();
    let mut segments: Vec<&str> = url.path_segments().unwrap().collect();
    if let Some(id) = segments.get_mut(1) {
        *id = "{id}";
    }
    let path = format!("{method} /{}", segments.join("/"));
    let query = url.query_pairs().filter_map(|(name, value)| match &*name {
        "sort" | "include" => Some(format!("{path}?{name}={value}")),
        name if name.starts_with("filter[") => Some(format!("{path}?{name}")),
        _ => None,
    });
    query.chain([path.clone()]).collect()
}
