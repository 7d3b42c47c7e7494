//! The countries of capacity pools: only a DID in one of them takes channels of the pool, by itself or in a shared
//! capacity group.

use didww_types::Resource as _;
use didww_types::resources::{CapacityPool, Did, DidGroup, SharedCapacityGroup};

use super::Links;
use super::needs::{Found, FoundRecord, Need, found};

const COUNTRIES: &str = CapacityPool::COUNTRIES.as_str();

/// Maximum number of DIDs of a request about a shared group. Their DID groups are read together.
pub(super) const MAX_DIDS: usize = 10_000;
/// Maximum number of DIDs of which each is read that is elsewhere. Of more, only that one of them is.
pub(super) const MAX_NAMED: usize = 100;

/// The records that a request about a DID needs.
pub(super) fn needs_of_did(did: &str, links: &Links, read: &[Found]) -> Vec<Need> {
    let linked = |name: &str| links.get(name).and_then(|ids| ids.first());
    let mut needs = match (linked(Did::CAPACITY_POOL.as_str()), linked(Did::SHARED_CAPACITY_GROUP.as_str())) {
        (Some(pool), _) => vec![countries(pool)],
        (None, Some(group)) => needs_of_stored_pool(group, read),
        (None, None) => return Vec::new(),
    };
    needs.extend(needs_of_country(did, read));
    needs
}

/// The records about the pool of a shared group that a request needs if it does not name the pool.
pub(super) fn needs_of_stored_pool(group: &str, read: &[Found]) -> Vec<Need> {
    let through = SharedCapacityGroup::CAPACITY_POOL.as_str();
    let pool = Need::Members(SharedCapacityGroup::SPEC, group.to_owned(), through);
    let countries = found(read, &pool).and_then(<[_]>::first).map(|pool| countries(&pool.id));
    std::iter::once(pool).chain(countries).collect()
}

/// The records that a request about a shared group needs, in addition to [those](needs_of_stored_pool) about its stored
/// pool: the countries of all DIDs together, and those of each DID only if one is elsewhere.
pub(super) fn needs_of_group(links: &Links, read: &[Found]) -> Vec<Need> {
    let dids = links.get(SharedCapacityGroup::DIDS.as_str()).map_or(&[][..], Vec::as_slice);
    if dids.is_empty() || dids.len() > MAX_DIDS {
        return Vec::new();
    }
    let groups = Need::MembersOf(Did::SPEC, dids.to_vec(), Did::DID_GROUP.as_str());
    let of_groups = found(read, &groups).filter(|groups| !groups.is_empty()).map(|groups| {
        let ids = groups.iter().map(|group| group.id.clone()).collect();
        Need::MembersOf(DidGroup::SPEC, ids, DidGroup::COUNTRY.as_str())
    });
    let pool = links.get(SharedCapacityGroup::CAPACITY_POOL.as_str()).and_then(|ids| ids.first());
    let mut needs = vec![groups];
    needs.extend(of_groups);
    needs.extend(pool.map(|pool| countries(pool)));
    if dids.len() <= MAX_NAMED && is_one_elsewhere(read) {
        needs.extend(dids.iter().flat_map(|did| needs_of_country(did, read)));
    }
    needs
}

/// Whether one of the DIDs of a request about a shared group is in a country that the pool does not have.
pub(super) fn is_one_elsewhere(read: &[Found]) -> bool {
    let is_of_groups = |need: &Need| {
        matches!(need, Need::MembersOf(spec, _, through)
            if spec.name == DidGroup::SPEC.name && *through == DidGroup::COUNTRY.as_str())
    };
    let of_pool = pool_countries(read);
    let mut of_groups =
        read.iter().filter(|found| is_of_groups(&found.need)).flat_map(|found| &found.records);
    !of_pool.is_empty() && of_groups.any(|country| is_missing(of_pool, country))
}

/// The records that state the country of a DID.
fn needs_of_country(did: &str, read: &[Found]) -> Vec<Need> {
    let group = group_of(did);
    let country = found(read, &group).and_then(<[_]>::first).map(|group| country_of(&group.id));
    std::iter::once(group).chain(country).collect()
}

/// Whether a DID is in a country that the pool does not have. It is not if either is unknown: a DID without a DID
/// group, or a pool without countries.
pub(super) fn is_elsewhere(did: &str, read: &[Found]) -> bool {
    let first = |need: &Need| found(read, need).and_then(<[_]>::first);
    let country = first(&group_of(did)).and_then(|group| first(&country_of(&group.id)));
    let of_pool = pool_countries(read);
    !of_pool.is_empty() && country.is_some_and(|country| is_missing(of_pool, country))
}

fn is_missing(countries: &[FoundRecord], country: &FoundRecord) -> bool {
    countries.iter().all(|other| other.id != country.id)
}

/// The countries of the pool of the request: no request needs those of several.
fn pool_countries(read: &[Found]) -> &[FoundRecord] {
    let is_of_pool = |need: &Need| {
        matches!(need, Need::Members(spec, _, through)
            if spec.name == CapacityPool::SPEC.name && *through == COUNTRIES)
    };
    read.iter().find(|found| is_of_pool(&found.need)).map_or(&[], |found| found.records.as_slice())
}

fn countries(pool: &str) -> Need {
    Need::Members(CapacityPool::SPEC, pool.to_owned(), COUNTRIES)
}

fn group_of(did: &str) -> Need {
    Need::Members(Did::SPEC, did.to_owned(), Did::DID_GROUP.as_str())
}

fn country_of(group: &str) -> Need {
    Need::Members(DidGroup::SPEC, group.to_owned(), DidGroup::COUNTRY.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was read for a need: records with these ids.
    fn read(need: Need, ids: &[&str]) -> Found {
        let record =
            |id: &&str| FoundRecord { id: (*id).to_owned(), attributes: "{}".to_owned(), meta: None };
        Found { need, records: ids.iter().map(record).collect() }
    }

    /// The countries of DID groups, read together.
    fn of_groups(groups: &[&str]) -> Need {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Need::MembersOf(DidGroup::SPEC, groups, DidGroup::COUNTRY.as_str())
    }

    #[test]
    fn a_did_is_elsewhere_only_if_both_countries_are_known() {
        for (of_pool, of_group, expected) in [
            (&["1", "2"][..], &["2"][..], false),
            (&["1", "2"][..], &["3"][..], true),
            (&[][..], &["3"][..], false),
            (&["1"][..], &[][..], false),
        ] {
            let all = [
                read(group_of("d"), &["g"]),
                read(country_of("g"), of_group),
                read(countries("p"), of_pool),
                read(of_groups(&["g"]), of_group),
            ];
            assert_eq!(is_elsewhere("d", &all), expected, "{of_pool:?} {of_group:?}");
            assert_eq!(is_one_elsewhere(&all), expected, "{of_pool:?} {of_group:?}");
            assert!(!is_elsewhere("e", &all), "its group was not read");
        }
    }

    #[test]
    fn the_country_of_each_did_is_read_only_if_one_of_them_is_elsewhere() {
        let dids = || vec!["d".to_owned(), "e".to_owned()];
        let links = |dids: Vec<String>| {
            Links::from([
                (SharedCapacityGroup::DIDS.as_str(), dids),
                (SharedCapacityGroup::CAPACITY_POOL.as_str(), vec!["p".to_owned()]),
            ])
        };
        let groups = |dids| Need::MembersOf(Did::SPEC, dids, Did::DID_GROUP.as_str());
        assert_eq!(needs_of_group(&links(dids()), &[]), [groups(dids()), countries("p")]);
        let all = |dids, country| {
            [
                read(groups(dids), &["g"]),
                read(of_groups(&["g"]), &[country]),
                read(countries("p"), &["1"]),
                read(group_of("d"), &["g"]),
            ]
        };
        let needs = |country| needs_of_group(&links(dids()), &all(dids(), country)).split_off(3);
        assert_eq!(needs("1"), []);
        assert_eq!(needs("2"), [group_of("d"), country_of("g"), group_of("e")]);
        let many = || vec!["d".to_owned(); MAX_NAMED + 1];
        assert_eq!(needs_of_group(&links(many()), &all(many(), "2")).len(), 3);
        let too_many = vec![String::new(); MAX_DIDS + 1];
        assert_eq!(needs_of_group(&links(too_many), &[]), []);
    }

    #[test]
    fn a_request_about_a_did_reads_the_countries_of_the_pool_that_it_names_or_of_its_shared_group() {
        let to = |name, id: &str| Links::from([(name, vec![id.to_owned()])]);
        let pool = to(Did::CAPACITY_POOL.as_str(), "p");
        assert_eq!(needs_of_did("d", &pool, &[]), [countries("p"), group_of("d")]);
        let shared = to(Did::SHARED_CAPACITY_GROUP.as_str(), "s");
        let through = SharedCapacityGroup::CAPACITY_POOL.as_str();
        let of_shared = || Need::Members(SharedCapacityGroup::SPEC, "s".to_owned(), through);
        assert_eq!(needs_of_did("d", &shared, &[]), [of_shared(), group_of("d")]);
        let all = [read(of_shared(), &["p"]), read(group_of("d"), &["g"])];
        let expected = [of_shared(), countries("p"), group_of("d"), country_of("g")];
        assert_eq!(needs_of_did("d", &shared, &all), expected);
        let cleared = Links::from([(Did::CAPACITY_POOL.as_str(), Vec::new())]);
        for links in [cleared, Links::new(), to(Did::VOICE_IN_TRUNK.as_str(), "t")] {
            assert_eq!(needs_of_did("d", &links, &[]), []);
        }
    }
}
