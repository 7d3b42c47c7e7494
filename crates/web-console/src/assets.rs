//! The files of the page.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the console, embedded in the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    /// Its path below `/console/`; empty for the page itself.
    pub(crate) path: &'static str,
    /// Its media type.
    pub(crate) kind: &'static str,
    pub(crate) text: &'static str,
}

impl Asset {
    const fn new(path: &'static str, kind: &'static str, text: &'static str) -> Self {
        Self { path, kind, text }
    }

    /// Returns the entity tag, which changes with the text.
    pub(crate) fn tag(self) -> String {
        format!("\"{:016x}\"", FixedState::default().hash_one(self.text))
    }
}

/// Declares the scripts, each of which is a file in `assets`.
macro_rules! scripts {
    ($($path:literal),+ $(,)?) => {
        &[$(Asset::new($path, SCRIPT, include_str!(concat!("../assets/", $path)))),+]
    };
}

const PAGE: &[Asset] = &[
    Asset::new("", HTML, include_str!("../assets/index.html")),
    Asset::new("console.css", CSS, include_str!("../assets/console.css")),
    Asset::new("icon.svg", SVG, include_str!("../assets/icon.svg")),
];

const SCRIPTS: &[Asset] = scripts![
    "api.js",
    "app.js",
    "chart.js",
    "dom.js",
    "form.js",
    "format.js",
    "ladder.js",
    "live.js",
    "refusal.js",
    "session.js",
    "table.js",
    "views/accounts.js",
    "views/audit.js",
    "views/calls.js",
    "views/deliveries.js",
    "views/dids.js",
    "views/explain.js",
    "views/faults.js",
    "views/journal.js",
    "views/latency.js",
    "views/messages.js",
    "views/overview.js",
    "views/providers.js",
    "views/records.js",
    "views/system.js",
    "views/trunk.js",
    "views/trunks.js",
];

/// Returns every file.
pub(crate) fn all() -> impl Iterator<Item = Asset> {
    PAGE.iter().chain(SCRIPTS).copied()
}

/// Finds a file by its path below `/console/`.
pub(crate) fn find(path: &str) -> Option<Asset> {
    all().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                files(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let mut found = BTreeSet::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"), "", &mut found);
        let served: BTreeSet<String> = all()
            .map(|asset| if asset.path.is_empty() { "index.html" } else { asset.path }.to_owned())
            .collect();
        assert_eq!(served, found);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        // The name of the vocabulary of SVG, which nothing loads.
        let vocabulary = "http://www.w3.org/2000/svg";
        for asset in all() {
            let text = asset.text.replace(vocabulary, "");
            for outside in
                ["http://", "https://", "ws://", "wss://", "src=\"//", "href=\"//", "url(", "@import"]
            {
                assert!(!text.contains(outside), "{} holds {outside}", asset.path);
            }
        }
    }

    #[test]
    fn the_page_has_no_script_and_no_style_in_it() {
        let page = find("").unwrap().text;
        for inline in ["<style", " style=", " onclick=", " onload=", " onsubmit=", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        for script in page.split("<script").skip(1) {
            let (tag, rest) = script.split_once('>').unwrap();
            assert!(tag.contains("src=\"") && rest.starts_with("</script>"), "{tag}");
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        let makers = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "createContextualFragment",
            "DOMParser",
            "setHTML",
            "eval(",
            "new Function",
            "srcdoc",
            "setAttribute('style'",
            "setAttribute(\"style\"",
        ];
        for asset in all().filter(|asset| asset.kind == SCRIPT) {
            for maker in makers {
                assert!(!asset.text.contains(maker), "{} uses {maker}", asset.path);
            }
        }
    }

    #[test]
    fn the_token_is_kept_for_the_session_alone_and_stands_in_no_url() {
        let users: Vec<&str> =
            all().filter(|asset| asset.text.contains("sessionStorage")).map(|asset| asset.path).collect();
        assert_eq!(users, ["session.js"]);
        for asset in all() {
            for lasting in
                ["localStorage", "indexedDB", "document.cookie", "EventSource(", "token=", "access_token"]
            {
                assert!(!asset.text.contains(lasting), "{} uses {lasting}", asset.path);
            }
        }
    }

    #[test]
    fn every_view_is_reached_from_the_frame_of_the_page() {
        let frame = find("app.js").unwrap().text;
        let views = all().filter(|asset| asset.path.starts_with("views/"));
        let lost: Vec<&str> = views
            .map(|asset| asset.path)
            .filter(|path| !frame.contains(&format!("from './{path}'")))
            .collect();
        assert_eq!(lost, [""; 0]);
    }

    #[test]
    fn texts_go_into_the_page_in_one_place_which_shows_what_is_not_seen() {
        for asset in all().filter(|asset| asset.kind == SCRIPT && asset.path != "dom.js") {
            for maker in ["createTextNode", "innerText"] {
                assert!(!asset.text.contains(maker), "{} uses {maker}", asset.path);
            }
        }
        let place = find("dom.js").unwrap().text;
        let count = |maker: &str| place.matches(maker).count();
        assert_eq!((count("createTextNode("), count("createTextNode(visible(")), (1, 1));
    }

    #[test]
    fn every_imported_module_is_served() {
        for asset in all().filter(|asset| asset.kind == SCRIPT) {
            let folder = asset.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            for import in asset.text.split(" from '").skip(1) {
                let named = import.split('\'').next().unwrap();
                let path = match (named.strip_prefix("../"), named.strip_prefix("./")) {
                    (Some(above), _) => above.to_owned(),
                    (_, Some(beside)) if folder.is_empty() => beside.to_owned(),
                    (_, Some(beside)) => format!("{folder}/{beside}"),
                    _ => panic!("{} imports {named}", asset.path),
                };
                assert!(find(&path).is_some(), "{} imports {path}", asset.path);
            }
        }
    }
}
