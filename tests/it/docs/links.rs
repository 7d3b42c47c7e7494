//! Links between the pages.

use super::pages::{PAGES, path, read};

#[test]
fn every_link_to_a_file_leads_to_one() {
    for page in PAGES {
        let folder = path(page).parent().unwrap().to_owned();
        let text = read(page);
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let outside = target.is_empty() || target.contains("://");
            assert!(outside || folder.join(target).exists(), "{page} links to {target}, which is not there");
        }
    }
}
