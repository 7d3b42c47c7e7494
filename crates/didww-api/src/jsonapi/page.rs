//! The `page` parameter: the requested part of a list.
//!
//! It is read as the framework behind DIDWW's API reads it: Rack nests the parameters, and `PagedPaginator` of
//! `jsonapi-resources` takes either one text, which is the page's number, or the members `number` and `size`. Numbers
//! are read by Ruby's `String#to_i`, so that `20x` is 20 and `x` is 0. Where the framework itself would fail, with 500,
//! the request is refused.

use didww_types::{ErrorCode, ErrorObject, Page, QueryPairs};

/// The value of `page` after Rack's nesting. A text or member without `=` has no value.
enum Sent {
    Nothing,
    Text(Option<String>),
    List,
    Members(Vec<Member>),
}

struct Member {
    name: String,
    value: Option<String>,
    /// True for a member of members, such as `page[size][0]`.
    is_nested: bool,
}

/// Reads the requested page, with at most `max_size` records, and `size` records if the query has no size.
///
/// # Errors
/// Every member that is not `number` or `size`; otherwise the size, or the number, that is out of range.
pub(super) fn read(query: &str, size: u64, max_size: u64) -> Result<Page, Vec<ErrorObject>> {
    let page = match Sent::parse(query).map_err(|error| vec![*error])? {
        Sent::Nothing | Sent::Text(None) => return Ok(Page { size, ..Page::default() }),
        Sent::Text(Some(number)) => {
            RequestedPage { number: Some(integer(&number)), ..RequestedPage::default() }
        }
        Sent::List => return Err(vec![*unexpected("Hash", "Array")]),
        Sent::Members(members) => RequestedPage::of(&members)?,
    };
    page.check(size, max_size)
        .map_err(|detail| vec![ErrorObject::new(ErrorCode::InvalidPageValue, "Invalid page value", detail)])
}

impl Sent {
    fn parse(query: &str) -> Result<Self, Box<ErrorObject>> {
        let mut sent = Self::Nothing;
        // Only parameters whose name begins with `page`. The others have been decoded before.
        for pair in query.split('&').filter(|pair| pair.starts_with(['p', '%'])) {
            let Some((name, value)) = QueryPairs::parse(pair).0.pop() else { continue };
            let Some(rest) = name.strip_prefix("page") else { continue };
            let value = pair.contains('=').then_some(value);
            match (&mut sent, Part::of(rest)) {
                (_, Part::Other) => {}
                (_, Part::Whole) => sent = Self::Text(value),
                (Self::Nothing | Self::Text(None) | Self::List, Part::Item) => sent = Self::List,
                (Self::Text(_), Part::Item) => return Err(unexpected("Array", "String")),
                (Self::Members(_), Part::Item) => return Err(unexpected("Array", "Hash")),
                (Self::Members(members), Part::Member(name, is_nested)) => {
                    members.retain(|member| member.name != name);
                    members.push(Member { name: name.to_owned(), value, is_nested });
                }
                (Self::Nothing | Self::Text(None), Part::Member(name, is_nested)) => {
                    sent = Self::Members(vec![Member { name: name.to_owned(), value, is_nested }]);
                }
                (Self::Text(_), Part::Member(..)) => return Err(unexpected("Hash", "String")),
                (Self::List, Part::Member(..)) => return Err(unexpected("Hash", "Array")),
            }
        }
        Ok(sent)
    }
}

/// The part of `page` that the rest of a parameter's name addresses.
enum Part<'a> {
    /// None: this is another parameter.
    Other,
    /// `page`
    Whole,
    /// `page[]`
    Item,
    /// `page[name]`, and whether more text follows.
    Member(&'a str, bool),
}

impl<'a> Part<'a> {
    fn of(rest: &'a str) -> Self {
        match rest.strip_prefix('[') {
            None if rest.is_empty() => Self::Whole,
            None | Some("") => Self::Other,
            Some(inner) => match inner.split_once(']') {
                Some(("", _)) => Self::Item,
                Some((name, after)) => Self::Member(name, !after.is_empty()),
                // Rack does not parse a name whose bracket is not closed.
                None => Self::Member(rest, false),
            },
        }
    }
}

/// The requested page; `None` is the default.
#[derive(Default)]
struct RequestedPage {
    number: Option<i128>,
    size: Option<i128>,
}

impl RequestedPage {
    fn of(members: &[Member]) -> Result<Self, Vec<ErrorObject>> {
        let is_known =
            |member: &&Member| ["number", "size"].contains(&member.name.as_str()) && !member.is_nested;
        let unknown: Vec<ErrorObject> = members
            .iter()
            .filter(|member| !is_known(member))
            .map(|member| {
                let detail = format!("{} is not an allowed page parameter.", member.name);
                ErrorObject::new(ErrorCode::ParamNotAllowed, "Page parameter not allowed", detail)
            })
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let value = |name: &str| {
            let member = members.iter().find(|member| member.name == name)?;
            Some(integer(member.value.as_deref()?))
        };
        Ok(Self { number: value("number"), size: value("size") })
    }

    fn check(&self, size: u64, max_size: u64) -> Result<Page, String> {
        let mut page = Page { size, ..Page::default() };
        if let Some(size) = self.size {
            page.size = positive(size, "size")?;
            if page.size > max_size {
                return Err(format!("size exceeds maximum page size of {max_size}."));
            }
        }
        if let Some(number) = self.number {
            page.number = positive(number, "number")?;
        }
        Ok(page)
    }
}

fn positive(value: i128, name: &str) -> Result<u64, String> {
    if value < 1 {
        return Err(format!("{value} is not a valid value for {name} page parameter."));
    }
    Ok(u64::try_from(value).unwrap_or(u64::MAX))
}

/// Rack's refusal of a parameter that has two forms at once.
fn unexpected(expected: &str, got: &str) -> Box<ErrorObject> {
    let detail = format!("expected {expected} (got {got}) for param `page'");
    Box::new(ErrorObject::new(ErrorCode::BadRequest, "Bad Request", detail))
}

/// Reads a text as Ruby's `String#to_i` does: white space, a sign, and the digits up to anything else; a single
/// underscore between digits is skipped. Without digits it is 0. A number beyond all pages is cut.
fn integer(text: &str) -> i128 {
    let text = text.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\u{b}');
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mut number, mut may_skip) = (0_i128, false);
    for letter in digits.chars() {
        match letter.to_digit(10) {
            Some(digit) => number = (number * 10 + i128::from(digit)).min(1 << 80),
            None if letter == '_' && may_skip => {}
            None => break,
        }
        may_skip = letter != '_';
    }
    sign * number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<(u64, u64), Vec<String>> {
        let details =
            |errors: Vec<ErrorObject>| errors.into_iter().filter_map(|error| error.detail).collect();
        read(query, Page::DEFAULT_SIZE, 1000).map(|page| (page.number, page.size)).map_err(details)
    }

    #[test]
    fn a_page_is_a_number_or_has_a_number_and_a_size() {
        for (query, number, size) in [
            ("", 1, 50),
            ("sort=name", 1, 50),
            ("page", 1, 50),
            ("page=3", 3, 50),
            ("page[number]=3", 3, 50),
            ("page%5Bnumber%5D=3&page%5Bsize%5D=7", 3, 7),
            ("page[size]=1&page[size]=7", 1, 7),
            ("page[size]", 1, 50),
            ("page&page[size]=7", 1, 7),
            ("page[size]=7&page=3", 3, 50),
            ("pages=3&page_size=2&page[=4&paged[size]=0", 1, 50),
        ] {
            assert_eq!(page(query), Ok((number, size)), "{query}");
        }
    }

    #[test]
    fn numbers_are_read_as_ruby_reads_them() {
        for (text, expected) in [
            ("20", 20),
            ("20x", 20),
            ("2.9", 2),
            ("1e3", 1),
            ("0x10", 0),
            (" 5", 5),
            ("+5", 5),
            ("-5", -5),
            ("- 5", 0),
            ("1_000", 1000),
            ("1__0", 1),
            ("_1", 0),
            ("5_", 5),
            ("", 0),
            ("x", 0),
            ("\u{661}", 0),
            ("007", 7),
        ] {
            assert_eq!(integer(text), expected, "{text:?}");
        }
        assert!(integer(&"9".repeat(400)) > i128::from(u64::MAX));
        assert_eq!(page(&format!("page={}", "9".repeat(400))), Ok((u64::MAX, 50)));
    }

    #[test]
    fn the_refusal_shows_the_number_that_was_read() {
        let wrong = |detail: &str| Err(vec![detail.to_owned()]);
        for (query, detail) in [
            ("page[size]=0", "0 is not a valid value for size page parameter."),
            ("page[size]=", "0 is not a valid value for size page parameter."),
            ("page[size]=two", "0 is not a valid value for size page parameter."),
            ("page[number]=-3", "-3 is not a valid value for number page parameter."),
            ("page=", "0 is not a valid value for number page parameter."),
            ("page[size]=1001", "size exceeds maximum page size of 1000."),
            ("page[size]=0&page[number]=0", "0 is not a valid value for size page parameter."),
            ("page[size]=0&page[offset]=0", "offset is not an allowed page parameter."),
            ("page[size][]=5", "size is not an allowed page parameter."),
            ("page[size]5=5", "size is not an allowed page parameter."),
            ("page[size=5", "[size is not an allowed page parameter."),
            ("page[]=5", "expected Hash (got Array) for param `page'"),
            ("page=5&page[size]=5", "expected Hash (got String) for param `page'"),
            ("page[]=5&page[size]=5", "expected Hash (got Array) for param `page'"),
            ("page[size]=5&page[]=5", "expected Array (got Hash) for param `page'"),
        ] {
            assert_eq!(page(query), wrong(detail), "{query}");
        }
        let both = ["offset", "limit"].map(|name| format!("{name} is not an allowed page parameter."));
        assert_eq!(page("page[offset]=1&page[limit]=2"), Err(both.to_vec()));
    }
}
