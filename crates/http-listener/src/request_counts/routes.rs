//! Finds the declared route of a path, segment by segment.
//!
//! A path is compared as it was sent: one whose segments are percent-encoded or contain dots may be served and count as
//! another route.

use std::cmp::Ordering;

use super::OTHER;

/// The declared routes. The last one is that of all other paths.
#[derive(Debug)]
pub(super) struct Routes {
    names: Vec<String>,
    nodes: Vec<Node>,
}

/// The paths that begin with the same segments.
#[derive(Debug, Default)]
struct Node {
    /// The next segments, in the order of [`compare`], each with its node.
    literals: Vec<(Box<[u8]>, usize)>,
    /// The node of a next segment that may be any text.
    any: Option<usize>,
    /// The route that ends here.
    route: Option<usize>,
}

impl Routes {
    pub(super) fn new(templates: impl IntoIterator<Item = String>) -> Self {
        let mut routes = Self { names: Vec::new(), nodes: vec![Node::default()] };
        for template in templates {
            routes.add(template);
        }
        routes.names.push(OTHER.to_owned());
        routes
    }

    /// Adds a route, unless it is there already.
    fn add(&mut self, template: String) {
        let (route, mut at) = (self.names.len(), 0);
        for segment in segments(&template) {
            let new = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = if segment.starts_with(b"{") {
                *node.any.get_or_insert(new)
            } else {
                match node.literals.binary_search_by(|(literal, _)| compare(literal, segment)) {
                    Ok(found) => node.literals.get(found).map_or(new, |(_, at)| *at),
                    Err(place) => {
                        node.literals.insert(place, (segment.into(), new));
                        new
                    }
                }
            };
            if at == new {
                self.nodes.push(Node::default());
            }
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        if node.route.and_then(|known| self.names.get(known)) == Some(&template) {
            return;
        }
        node.route = Some(route);
        self.names.push(template);
    }

    /// The templates, and the name of all other paths.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a path's route among the names. A literal segment takes precedence over a placeholder.
    pub(super) fn find(&self, path: &str) -> usize {
        let mut node = self.nodes.first();
        for segment in segments(path) {
            let Some(here) = node else { break };
            let literal = here.literals.binary_search_by(|(literal, _)| compare(literal, segment)).ok();
            let next = literal.and_then(|found| here.literals.get(found)).map(|(_, at)| *at).or(here.any);
            node = next.and_then(|at| self.nodes.get(at));
        }
        node.and_then(|node| node.route).unwrap_or(self.names.len() - 1)
    }
}

/// The parts of a path between its slashes. Bytes are found in fewer steps than characters.
fn segments(path: &str) -> impl Iterator<Item = &[u8]> {
    path.as_bytes().split(|byte| *byte == b'/').filter(|segment| !segment.is_empty())
}

/// An order that the lengths alone decide for most pairs of segments.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_segments() {
        let templates =
            ["/v3/dids", "/v3/dids/{id}", "/v3/dids/{id}/relationships/{name}", "/v3/dids/{id}/{name}"];
        let routes = Routes::new(templates.map(str::to_owned).into_iter().chain(["/v3/dids".to_owned()]));
        let found = |path| routes.names()[routes.find(path)].as_str();
        for (path, template) in [
            ("/v3/dids", templates[0]),
            ("//v3//dids/", templates[0]),
            ("/v3/dids/5", templates[1]),
            ("/v3/dids/5/trunk", templates[3]),
            ("/v3/dids/5/relationships/trunk", templates[2]),
            ("/v3/dids/5/relationships", OTHER),
            ("/v3/dids/5/relationships/trunk/x", OTHER),
            ("/v3/trunks", OTHER),
            ("/v3", OTHER),
            ("/", OTHER),
            ("", OTHER),
        ] {
            assert_eq!(found(path), template, "{path}");
        }
        assert_eq!(routes.names().len(), templates.len() + 1, "each is declared once");
    }

    #[test]
    fn each_of_many_literals_is_found_whatever_their_lengths_and_order() {
        let templates = ["/b", "/longer", "/a", "/ba", "/shortest", "/ab", "/lonfer", "/\u{e4}"];
        let routes = Routes::new(templates.map(str::to_owned));
        for template in templates {
            assert_eq!(routes.names()[routes.find(template)], template);
        }
        for other in ["/c", "/aa", "/longest", "/shorter", "/{"] {
            assert_eq!(routes.names()[routes.find(other)], OTHER, "{other}");
        }
    }
}
