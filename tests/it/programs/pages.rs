//! Page parameters in every form that the framework's paginator reads.

use serde_json::Value;

use crate::support::api::Answer;
use crate::support::world::*;

/// The names on a page.
fn names(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.at("/data");
    data.as_array().unwrap().iter().map(|trunk| trunk["attributes"]["name"].clone()).collect()
}

#[tokio::test]
async fn a_page_is_read_as_the_framework_reads_it() {
    let world = World::start().await;
    for name in ["A", "B", "C"] {
        world.trunk(name).await;
    }
    let page = async |query: &str| names(&world.api.get(&format!("{TRUNKS}?sort=name&{query}")).await);
    let all = ["A", "B", "C"];
    for query in
        ["page", "page=1", "page=1x", "page[size]=50abc", "page[size]", "pages=9", "page[size]=%2050"]
    {
        assert_eq!(page(query).await, all, "{query}");
    }
    assert!(page("page=2").await.is_empty());
    for query in [
        "page[number]=2&page[size]=1",
        "page%5Bnumber%5D=2x&page%5Bsize%5D=1.9",
        "page[number]=%2B2&page[size]=0_1",
    ] {
        assert_eq!(page(query).await, ["B"], "{query}");
    }
    let links = world.api.get(&format!("{TRUNKS}?page[number]=2x&page[size]=1.9")).await.at("/links/next");
    assert!(links.as_str().unwrap().ends_with("page%5Bnumber%5D=3&page%5Bsize%5D=1"), "{links}");
}

#[tokio::test]
async fn a_wrong_page_is_refused_with_the_number_that_was_read() {
    let world = World::start().await;
    let value = |text: &str| error(400, "118", "Invalid page value", text);
    let name = |name: &str| {
        error(400, "105", "Page parameter not allowed", &format!("{name} is not an allowed page parameter."))
    };
    let form = |text: &str| error(400, "400", "Bad Request", text);
    for (query, expected) in [
        ("page[size]=two", value("0 is not a valid value for size page parameter.")),
        ("page[size]=", value("0 is not a valid value for size page parameter.")),
        ("page=", value("0 is not a valid value for number page parameter.")),
        ("page=-2x", value("-2 is not a valid value for number page parameter.")),
        ("page[size]=0&page[number]=0", value("0 is not a valid value for size page parameter.")),
        ("page[limit]=0&page[size]=0", name("limit")),
        ("page[size][]=1", name("size")),
        ("page[]=1", form("expected Hash (got Array) for param `page'")),
        ("page=1&page[size]=1", form("expected Hash (got String) for param `page'")),
    ] {
        refused(&world.api.get(&format!("{TRUNKS}?{query}")).await, &[expected]);
    }
}
