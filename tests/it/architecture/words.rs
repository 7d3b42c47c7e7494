//! Words that made the comments hard to read for those who know the field.

use std::path::Path;

use super::sources;

/// Most comments of the whole workspace that may hold one of [`RARE`].
const FEW: usize = 5;

/// Words with plainer alternatives ("returns", the actor's name, "is notified").
const RARE: [&str; 6] = ["gives", "somebody", "whoever", "nobody", "everybody", "told"];

#[test]
fn comments_name_their_actors_and_say_what_is_returned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let folders =
        folders.filter(|path| path.is_dir() && !path.ends_with("target") && !path.ends_with(".git"));
    let files: Vec<_> = folders.flat_map(|folder| sources(&folder)).collect();
    assert!(files.len() > 300, "the workspace's files are found");
    for word in RARE {
        let found: Vec<String> = files
            .iter()
            .flat_map(|file| {
                let text = std::fs::read_to_string(file).unwrap();
                let comments =
                    text.lines().filter(|line| comment(line).is_some_and(|comment| holds(comment, word)));
                comments.map(|line| format!("{}: {}", file.display(), line.trim())).collect::<Vec<_>>()
            })
            .collect();
        assert!(found.len() <= FEW, "`{word}` stands in {} comments:\n{}", found.len(), found.join("\n"));
    }
}

/// The comment of a line. Two slashes inside a text, as in a URL, follow a colon.
fn comment(line: &str) -> Option<&str> {
    line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':')).map(|(at, _)| &line[at..])
}

fn holds(comment: &str, word: &str) -> bool {
    comment.split(|c: char| !c.is_alphanumeric()).any(|other| other.eq_ignore_ascii_case(word))
}

#[test]
fn a_url_is_no_comment() {
    assert_eq!(comment("let url = \"http://nobody\";"), None);
    assert_eq!(comment("call(); // Nobody waits."), Some("// Nobody waits."));
    assert!(holds("// Nobody waits.", "nobody") && !holds("// untold", "told"));
}
