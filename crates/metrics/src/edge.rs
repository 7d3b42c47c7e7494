//! The calls of the carrier edge, and the spending of its trunks.

use carrier_edge::{FrontCounts, Inner, TrunkActivity};

use crate::catalogue::{
    CALL_ATTEMPTS, CALLS_ACTIVE, CALLS_REFUSED, CALLS_UNRECORDED, SIP_DROPPED, TRUNK_CALLS,
    TRUNK_CALLS_PRICE, TRUNK_SPENT,
};
use crate::scrape::Scrape;
use crate::values::{MAX_TRUNKS, count, number};

pub(crate) fn read(edge: &Inner, scrape: &mut Scrape) {
    scrape.set(&CALLS_ACTIVE, number(edge.active_call_count()));
    let counts = edge.counts();
    for (outcome, attempts) in
        [("admitted", counts.admitted), ("challenged", counts.challenged), ("refused", counts.refused)]
    {
        scrape.add(&CALL_ATTEMPTS, &[outcome], count(attempts));
    }
    for (check, refused) in edge.refusals() {
        scrape.add(&CALLS_REFUSED, &[check], count(refused));
    }
    scrape.set(&CALLS_UNRECORDED, count(counts.unrecorded));
    let FrontCounts { unknown_answered, unknown_unanswered, unreadable, guesses_unanswered, dropped, .. } =
        counts.front;
    for (outcome, messages) in [
        ("unknown_answered", unknown_answered),
        ("unknown_unanswered", unknown_unanswered),
        ("unreadable", unreadable),
        ("guesses_unanswered", guesses_unanswered),
        ("dropped", dropped),
    ] {
        scrape.add(&SIP_DROPPED, &[outcome], count(messages));
    }
    trunks(&edge.trunk_activity(), scrape);
}

/// Adds the first trunks one by one, and the sum of the others.
fn trunks(activity: &[TrunkActivity], scrape: &mut Scrape) {
    let (named, others) = activity.split_at(MAX_TRUNKS.min(activity.len()));
    for trunk in named {
        let (id, name) = (trunk.trunk.to_string(), &*trunk.name);
        add(scrape, &[&id, name], trunk.active_calls, &[trunk]);
    }
    if !others.is_empty() {
        let calls = others.iter().map(|trunk| trunk.active_calls).sum();
        add(scrape, &["other", "other"], calls, &others.iter().collect::<Vec<_>>());
    }
}

fn add(scrape: &mut Scrape, labels: &[&str], calls: u64, trunks: &[&TrunkActivity]) {
    scrape.add(&TRUNK_CALLS, labels, count(calls));
    scrape.add(&TRUNK_CALLS_PRICE, labels, trunks.iter().map(|trunk| dollars(trunk.active_price)).sum());
    scrape.add(&TRUNK_SPENT, labels, trunks.iter().map(|trunk| dollars(trunk.last_24_hours)).sum());
}

/// An amount in US dollars as a value, which is exact to a millionth of a cent.
fn dollars(amount: impl std::fmt::Display) -> f64 {
    amount.to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trunks_beyond_the_bound_are_summed() {
        let mut scrape = Scrape::default();
        trunks(&[], &mut scrape);
        assert!(!scrape.into_text().contains("didww"));

        let mut one = TrunkActivity::default();
        one.active_calls = 2;
        one.last_24_hours = "0.5".parse().unwrap();
        let mut scrape = Scrape::default();
        trunks(&vec![one; MAX_TRUNKS + 3], &mut scrape);
        let text = scrape.into_text();
        assert_eq!(text.matches("didww_voice_out_trunk_active_calls_count{").count(), MAX_TRUNKS + 1);
        for line in [
            "didww_voice_out_trunk_active_calls_count{trunk_id=\"other\",trunk_name=\"other\"} 6.0",
            "didww_voice_out_trunk_last24h_price{trunk_id=\"other\",trunk_name=\"other\"} 1.5",
        ] {
            assert!(text.lines().any(|written| written == line), "no `{line}`");
        }
    }
}
