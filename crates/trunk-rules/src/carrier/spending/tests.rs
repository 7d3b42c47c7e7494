//! Sequences of answers, acknowledgements, charges, ends and server crashes, and their cost.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn dollars(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn rate(per_minute: &str, initial: u32, next: u32) -> Rate {
    Rate {
        per_minute: dollars(per_minute),
        initial_interval: NonZeroU32::new(initial).unwrap(),
        next_interval: NonZeroU32::new(next).unwrap(),
    }
}

fn dollar_a_second() -> Rate {
    rate("60", 1, 1)
}

#[test]
fn a_running_call_costs_its_first_interval_at_once_and_each_further_one_when_it_begins() {
    let mut spending = Spending::default();
    let mut meter = spending.begin(Some(rate("60", 30, 6)), at(0));
    spending.acknowledge(&mut meter, at(0));
    for (now, spent) in [(0, 30), (30_000, 30), (30_001, 36), (36_000, 36), (36_001, 42)] {
        spending.grow(&mut meter, at(now));
        assert_eq!(spending.spent(at(now)), Decimal::from(spent), "at {now}");
        assert_eq!(meter.paid_until(), Some(at(1_000 * spent)), "at {now}");
    }
    let charge = spending.end(meter, at(42_001));
    assert_eq!((charge.duration, charge.billed, charge.price), (43, 48, dollars("48")));
    assert_eq!(spending.spent(at(42_001)), dollars("48"), "it entered the window and left the running calls");
    assert_eq!(spending.spent(at(42_001 + DAY_MILLIS)), Decimal::ZERO);
}

#[test]
fn what_running_calls_cost_does_not_age() {
    let mut spending = Spending::default();
    let mut meter = spending.begin(Some(dollar_a_second()), at(0));
    spending.acknowledge(&mut meter, at(0));
    spending.grow(&mut meter, at(2 * DAY_MILLIS));
    assert_eq!(spending.spent(at(2 * DAY_MILLIS)), Decimal::from(2 * DAY_MILLIS / 1_000));
    let _charge = spending.end(meter, at(2 * DAY_MILLIS));
    assert_eq!(spending.spent(at(3 * DAY_MILLIS - 1)), Decimal::from(2 * DAY_MILLIS / 1_000));
    assert_eq!(spending.spent(at(3 * DAY_MILLIS)), Decimal::ZERO);
}

#[test]
fn an_answer_that_is_never_acknowledged_is_held_against_new_calls_and_costs_nothing() {
    let limit = Some(dollars("100"));
    let mut spending = Spending::default();
    let first = spending.begin(Some(rate("60", 60, 60)), at(0));
    assert!(!spending.is_exhausted(limit, at(0)));
    let second = spending.begin(Some(rate("60", 60, 60)), at(0));
    assert!(spending.is_exhausted(limit, at(0)), "120 of 100 are held");
    assert!(!spending.blocks(limit, at(0)), "and nothing is spent");
    assert_eq!(spending.spent(at(0)), Decimal::ZERO);
    assert_eq!(spending.end(first, at(32_000)), Charge::NOTHING);
    assert_eq!(spending.end(second, at(32_000)), Charge::NOTHING);
    assert_eq!(spending, Spending::default());
}

#[test]
fn of_calls_that_are_answered_together_as_many_go_on_as_the_limit_pays() {
    let limit = Some(dollars("5"));
    let mut spending = Spending::default();
    let mut meters = Vec::new();
    for _ in 0..200 {
        if !spending.is_exhausted(limit, at(0)) {
            meters.push(spending.begin(Some(dollar_a_second()), at(0)));
        }
    }
    assert_eq!(meters.len(), 5);
    for meter in &mut meters {
        spending.acknowledge(meter, at(3));
    }
    assert!(spending.blocks(limit, at(3)));
    for meter in meters {
        let paid = meter.paid_until().unwrap();
        assert_eq!(spending.end(meter, paid).price, dollars("1"));
    }
    assert_eq!(
        spending.spent(at(2_000)),
        dollars("5"),
        "no call cost more than was charged when all was spent"
    );
}

#[test]
fn a_trunk_that_its_owner_opened_stays_open_until_it_is_charged_again() {
    let limit = Some(dollars("5"));
    let mut spending = Spending::default();
    spending.add(at(0), dollars("7"));
    assert!(spending.blocks(limit, at(1)) && spending.is_exhausted(limit, at(1)));
    spending.pardon();
    assert!(!spending.blocks(limit, at(1)) && !spending.is_exhausted(limit, at(1)));
    let forged = spending.begin(Some(dollar_a_second()), at(1));
    assert!(spending.is_exhausted(limit, at(1)) && !spending.blocks(limit, at(1)));
    let _nothing = spending.end(forged, at(2));
    assert!(!spending.is_exhausted(limit, at(2)), "an unacknowledged answer does not end a pardon");
    let mut meter = spending.begin(Some(dollar_a_second()), at(2));
    spending.acknowledge(&mut meter, at(2));
    assert!(spending.blocks(limit, at(2)));
    let _charge = spending.end(meter, at(2));
}

#[test]
fn a_call_without_a_rate_costs_nothing_and_has_its_duration() {
    let mut spending = Spending::default();
    let mut meter = spending.begin(None, at(0));
    spending.acknowledge(&mut meter, at(0));
    spending.grow(&mut meter, at(5_000));
    assert_eq!(meter.paid_until(), None);
    let charge = spending.end(meter, at(61_001));
    assert_eq!((charge.duration, charge.billed, charge.price), (62, 0, Decimal::ZERO));
    assert_eq!(spending, Spending::default());
}

#[test]
fn a_clock_that_steps_back_takes_nothing_away_that_was_charged() {
    let mut spending = Spending::default();
    let mut meter = spending.begin(Some(dollar_a_second()), at(100_000));
    spending.acknowledge(&mut meter, at(100_000));
    spending.grow(&mut meter, at(110_000));
    let charge = spending.end(meter, at(50_000));
    assert_eq!((charge.duration, charge.price), (10, dollars("10")));
}

#[test]
fn a_lost_call_is_charged_up_to_the_last_moment_that_its_server_is_known_to_have_lived() {
    let lost =
        |acknowledged, last| charge_of_lost(Some(rate("60", 30, 6)), at(10_000), acknowledged, at(last));
    assert_eq!(lost(true, 0).price, dollars("30"), "the first interval at least");
    assert_eq!(lost(true, 41_000).price, dollars("36"));
    assert_eq!(lost(false, 41_000), Charge::NOTHING);
}

/// An event, preceded by a pause in milliseconds.
#[derive(Debug, Clone)]
enum Step {
    Answer {
        cents: u32,
        initial: u32,
        next: u32,
    },
    Acknowledge(usize),
    /// The prices of all calls are updated, and the time is stored as the last at which the server ran.
    Tick,
    End(usize),
    /// The server process ends unexpectedly, and another one starts from the stored state.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<(u16, Step)>> {
    let step = prop_oneof![
        3 => (0u32..1_000, 1u32..90, 1u32..30).prop_map(|(cents, initial, next)| Step::Answer { cents, initial, next }),
        3 => (0usize..8).prop_map(Step::Acknowledge),
        3 => Just(Step::Tick),
        2 => (0usize..8).prop_map(Step::End),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec((any::<u16>(), step), 0..60)
}

/// A call in progress: its rate, its answer time in milliseconds, and its meter.
struct TestCall {
    rate: Option<Rate>,
    answered: i64,
    meter: Meter,
}

proptest! {
    #[test]
    fn whatever_happens_every_call_is_charged_once_and_by_its_real_duration_or_the_last_step(history in steps()) {
        let (mut now, mut last_seen) = (0_i64, 0_i64);
        let mut spending = Spending::default();
        let mut up: Vec<TestCall> = Vec::new();
        // The sum of the charges in the records of ended calls.
        let mut charged = Decimal::ZERO;
        let mut before = Decimal::ZERO;
        for (wait, step) in history {
            now += i64::from(wait);
            match step {
                Step::Answer { cents, initial, next } => {
                    let rate = Some(rate(&Decimal::new(cents.into(), 2).to_string(), initial, next));
                    up.push(TestCall { rate, answered: now, meter: spending.begin(rate, at(now)) });
                }
                Step::Acknowledge(which) if which < up.len() => {
                    let TestCall { answered, meter, .. } = &mut up[which];
                    spending.acknowledge(meter, at(*answered));
                }
                Step::Tick => {
                    for known in &mut up {
                        spending.grow(&mut known.meter, at(now));
                    }
                    last_seen = now;
                }
                Step::End(which) if which < up.len() => {
                    let TestCall { rate, answered, meter } = up.swap_remove(which);
                    let acknowledged = meter.is_acknowledged();
                    let real = Duration::from_millis(u64::try_from(now - answered).unwrap());
                    let expected = rate.unwrap().charge(acknowledged.then_some(real));
                    let charge = spending.end(meter, at(now));
                    prop_assert_eq!(charge.price, expected.price);
                    prop_assert_eq!(charge.duration, expected.duration);
                    charged += charge.price;
                }
                Step::Crash => {
                    let known_before = spending.spent(at(now));
                    spending = Spending::default();
                    spending.add(at(now), charged);
                    for TestCall { rate, answered, meter } in up.drain(..) {
                        let charge = charge_of_lost(rate, at(answered), meter.is_acknowledged(), at(last_seen));
                        let step = rate.unwrap().charge(meter.is_acknowledged().then(|| elapsed(at(answered), at(last_seen))));
                        prop_assert_eq!(charge.price, step.price);
                        prop_assert!(!meter.is_acknowledged() || charge.price >= meter.price, "never less than was written");
                        spending.add(at(now), charge.price);
                        charged += charge.price;
                    }
                    prop_assert!(spending.spent(at(now)) >= known_before);
                }
                Step::Acknowledge(_) | Step::End(_) => {}
            }
            // All events are within 24 hours, so nothing ages and the amount spent never decreases.
            prop_assert!(now < DAY_MILLIS);
            let spent = spending.spent(at(now));
            prop_assert!(spent >= before, "{} after {}", spent, before);
            before = spent;
            let running: Decimal = up.iter().filter(|known| known.meter.acknowledged).map(|known| known.meter.price).sum();
            let held: Decimal = up.iter().map(|known| known.meter.price).sum();
            prop_assert_eq!(spent, charged + running, "each call counts once");
            prop_assert_eq!(spending.held(at(now)), charged + held);
        }
    }

    #[test]
    fn no_more_than_the_limit_and_one_interval_of_one_call_is_ever_held_when_calls_are_answered(
        limit in 1u32..2_000, prices in proptest::collection::vec(1u32..500, 1..60)
    ) {
        let limit = Decimal::new(limit.into(), 2);
        let mut spending = Spending::default();
        let most = prices.iter().max().copied().unwrap_or_default();
        let mut up = Vec::new();
        for cents in prices {
            if !spending.is_exhausted(Some(limit), at(0)) {
                let mut meter = spending.begin(Some(rate(&Decimal::new(cents.into(), 2).to_string(), 60, 60)), at(0));
                spending.acknowledge(&mut meter, at(0));
                up.push(meter);
            }
            prop_assert!(spending.held(at(0)) < limit + Decimal::new(most.into(), 2));
        }
    }
}

#[test]
fn a_call_that_another_process_ended_costs_what_that_one_says() {
    let mut spending = Spending::default();
    let mut meter = spending.begin(Some(dollar_a_second()), at(0));
    spending.acknowledge(&mut meter, at(0));
    spending.grow(&mut meter, at(9_000));
    assert_eq!(spending.spent(at(9_000)), dollars("9"));
    spending.settle(Some(meter), at(10_000), dollars("10"));
    assert_eq!(spending.spent(at(10_000)), dollars("10"), "the price so far was replaced");
    let held = spending.begin(Some(dollar_a_second()), at(10_000));
    spending.settle(Some(held), at(10_000), Decimal::ZERO);
    assert_eq!(spending.held(at(10_000)), dollars("10"));
    spending.pardon();
    spending.settle(None, at(10_000), Decimal::ZERO);
    assert!(
        !spending.blocks(Some(dollars("1")), at(10_000)),
        "nothing was charged since its owner re-opened it"
    );
    spending.settle(None, at(11_000), dollars("2"));
    assert!(spending.blocks(Some(dollars("1")), at(11_000)));
    assert_eq!(spending.spent(at(11_000)), dollars("12"));
}

#[test]
fn what_is_forgotten_to_be_counted_anew_leaves_nothing_behind_but_the_pardon() {
    let mut spending = Spending::default();
    spending.add(at(0), dollars("5"));
    let meters = [true, false].map(|acknowledged| {
        let mut meter = spending.begin(Some(dollar_a_second()), at(0));
        if acknowledged {
            spending.acknowledge(&mut meter, at(0));
        }
        meter
    });
    spending.pardon();
    assert!(spending.forget_others(meters));
    assert_eq!(spending.held(at(0)), Decimal::ZERO);
    spending.add(at(0), dollars("5"));
    assert!(!spending.blocks(Some(dollars("1")), at(0)));
    assert!(!Spending::default().forget_others([]));
}
