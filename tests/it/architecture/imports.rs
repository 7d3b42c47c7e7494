//! Which file of a crate names which other, read from `use` and from paths that begin with `crate`, `self`, `super` or
//! a module that the file declares.
//!
//! Re-exports (`pub use`, also with a restricted visibility) do not count. What is written in the arguments of a macro
//! is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{UseTree, Visibility};

use super::sources;

/// Module paths such as `store::sqlite::write`, each with those that it names. The crate's root is the empty path.
pub(super) type Imports = BTreeMap<String, BTreeSet<String>>;

/// The imports between the files of a crate, without its unit tests and without re-exports.
pub(super) fn of_crate(source: &Path) -> Imports {
    let files: BTreeMap<String, PathBuf> = sources(source)
        .into_iter()
        .map(|file| (module(source, &file), file))
        .filter(|(module, _)| !module.split("::").any(|part| part == "tests"))
        .collect();
    let imports = files.iter().map(|(module, file)| {
        let code = std::fs::read_to_string(file).unwrap();
        (module.clone(), named(&files, module, &code))
    });
    imports.collect()
}

/// The other files that a file's code names.
fn named(files: &BTreeMap<String, PathBuf>, module: &str, code: &str) -> BTreeSet<String> {
    let files_of_paths = Paths::of(code).into_iter().filter_map(|path| resolve(files, module, &path));
    files_of_paths.filter(|other| other != module).collect()
}

/// Groups of files that name each other, directly or through others of the group; the largest first.
pub(super) fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|module| (module, reachable(imports, module))).collect();
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for module in imports.keys() {
        if circles.iter().any(|circle| circle.contains(module)) {
            continue;
        }
        let there_and_back = reach[module].iter().filter(|other| reach[*other].contains(module));
        let circle: BTreeSet<String> = there_and_back.map(|other| (*other).clone()).collect();
        if circle.len() > 1 {
            circles.push(circle);
        }
    }
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

fn reachable<'a>(imports: &'a Imports, from: &'a String) -> BTreeSet<&'a String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        next.extend(imports[module].iter().filter(|other| seen.insert(*other)));
    }
    seen
}

fn module(source: &Path, file: &Path) -> String {
    let path = file.strip_prefix(source).unwrap().with_extension("");
    let path = path.to_str().unwrap().replace('/', "::");
    // The `main.rs` beside a `lib.rs` is a crate of its own, which names the library as other crates do.
    if path == "lib" { String::new() } else { path }
}

/// Every path that a file's code names, but for its unit tests and its re-exports; `use` with its braces written out.
#[derive(Default)]
struct Paths(Vec<String>);

impl Paths {
    fn of(code: &str) -> Vec<String> {
        let mut paths = Self::default();
        paths.visit_file(&syn::parse_file(code).unwrap());
        paths.0
    }

    fn write_out(&mut self, tree: &UseTree, before: &str) {
        match tree {
            UseTree::Path(path) => self.write_out(&path.tree, &format!("{before}{}::", path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.write_out(tree, before)),
            UseTree::Name(name) => self.0.push(format!("{before}{}", name.ident)),
            UseTree::Rename(rename) => self.0.push(format!("{before}{}", rename.ident)),
            UseTree::Glob(_) => self.0.push(format!("{before}*")),
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        // A module that passes on what its parts declare does not depend on them.
        if matches!(item.vis, Visibility::Inherited) {
            self.write_out(&item.tree, "");
        }
    }

    fn visit_vis_restricted(&mut self, _who_may_name_it: &'a syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.0.push(parts.join("::"));
        syn::visit::visit_path(self, path);
    }
}

/// The file in which a path ends.
fn resolve(files: &BTreeMap<String, PathBuf>, module: &str, path: &str) -> Option<String> {
    let mut parts = path.split("::").peekable();
    let above = |module: &str| module.rsplit_once("::").map_or("", |(above, _)| above).to_owned();
    let below = |at: &str, part: &str| if at.is_empty() { part.to_owned() } else { format!("{at}::{part}") };
    let mut at = match parts.next()? {
        "crate" => String::new(),
        "self" => module.to_owned(),
        "super" => above(module),
        // A single name may be a variable's.
        child if path.contains("::") && files.contains_key(&below(module, child)) => below(module, child),
        _ => return None,
    };
    while parts.next_if_eq(&"super").is_some() {
        at = above(&at);
    }
    for part in parts {
        let next = below(&at, part);
        if !files.contains_key(&next) {
            break;
        }
        at = next;
    }
    files.contains_key(&at).then_some(at)
}

#[test]
fn a_circle_through_two_files_is_found() {
    let imports: Imports = [("a", vec!["b"]), ("b", vec!["c"]), ("c", vec!["a"]), ("d", vec!["a"])]
        .map(|(module, named)| (module.to_owned(), named.into_iter().map(str::to_owned).collect()))
        .into();
    let circles = circles(&imports);
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_circle_of_a_parent_that_builds_on_its_children_is_found() {
    let parent = "use first::f;\npub(crate) use passed_on::P;\nstruct Shared;\nstruct Held(third::T);\n\
                  fn g(variable: u8) -> u8 { f(); second::h(); variable }";
    let code = [
        ("parent", parent),
        ("parent::first", "use super::Shared;"),
        ("parent::second", "use super::*;"),
        ("parent::third", "struct T(super::Shared);"),
        ("parent::passed_on", "use super::Shared;"),
        ("parent::variable", "use super::Shared;"),
    ];
    let files: BTreeMap<String, PathBuf> =
        code.iter().map(|(module, _)| ((*module).to_owned(), PathBuf::new())).collect();
    let imports: Imports =
        code.iter().map(|(module, code)| ((*module).to_owned(), named(&files, module, code))).collect();
    let circles = circles(&imports);
    assert_eq!(circles.len(), 1);
    let found: Vec<&str> = circles[0].iter().map(String::as_str).collect();
    assert_eq!(found, ["parent", "parent::first", "parent::second", "parent::third"]);
}

#[test]
fn braces_of_an_import_are_written_out() {
    let code = "use super::{a::{B, C}, d};\npub use e::F;\npub(super) fn f() { crate::g::h(); }\nmod tests { use super::i; }";
    assert_eq!(Paths::of(code), ["super::a::B", "super::a::C", "super::d", "crate::g::h"]);
}
