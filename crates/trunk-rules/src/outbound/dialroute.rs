//! Selects the providers that a call tries, in order.

use std::cmp::Reverse;

use uuid::Uuid;

use super::country::route_target;

/// The target of a route that serves every destination without a more specific route.
pub const ALL_TARGETS: &str = "all";

/// The customer whose routes are the defaults of all customers.
pub const SYSTEM_CUSTOMER: Uuid = Uuid::from_u128(1);

/// The maximum number of routes that one group contributes.
const MAX_ROUTES_PER_GROUP: usize = 1000;

/// A stored route that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The route's id in the API.
    pub id: Uuid,
    /// The customer that owns the route; [`SYSTEM_CUSTOMER`] for a default.
    pub customer_id: Uuid,
    /// The provider that the route leads to.
    pub provider_id: Uuid,
    /// Routes with lower values are tried first.
    pub priority: i64,
    /// [`ALL_TARGETS`], or `+` and a calling code. Targets are compared for equality.
    pub target: String,
    /// The creation time, in any unit that increases.
    pub created: i64,
}

/// The route of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialroute {
    /// The route's id; the provider's id if the request forced the provider.
    pub id: Uuid,
    /// The provider whose host the call is sent to.
    pub provider_id: Uuid,
}

/// Returns the routes that a request forces: its providers in their order, including repeated ones.
pub fn forced(provider_ids: &[Uuid]) -> Vec<Dialroute> {
    provider_ids.iter().map(|id| Dialroute { id: *id, provider_id: *id }).collect()
}

/// Returns the routes of a customer to a target: its own routes before the defaults, and within each, those
/// for the target before those for all targets. Each of the four groups is sorted by priority, then newest
/// first. A later group adds only providers that are not in the list yet.
pub fn merge(routes: &[Route], customer_id: Uuid, target: &str) -> Vec<Dialroute> {
    let own = customer_routes(routes, customer_id, target);
    let defaults = customer_routes(routes, SYSTEM_CUSTOMER, target);
    append_missing_providers(own, defaults)
}

fn customer_routes(routes: &[Route], customer_id: Uuid, target: &str) -> Vec<Dialroute> {
    let exact = group(routes, customer_id, target);
    let general = if target == ALL_TARGETS { Vec::new() } else { group(routes, customer_id, ALL_TARGETS) };
    append_missing_providers(exact, general)
}

fn group(routes: &[Route], customer_id: Uuid, target: &str) -> Vec<Dialroute> {
    let mut group: Vec<&Route> =
        routes.iter().filter(|route| route.customer_id == customer_id && route.target == target).collect();
    group.sort_by_key(|route| (route.priority, Reverse(route.created), Reverse(route.id)));
    group
        .into_iter()
        .take(MAX_ROUTES_PER_GROUP)
        .map(|route| Dialroute { id: route.id, provider_id: route.provider_id })
        .collect()
}

fn append_missing_providers(mut first: Vec<Dialroute>, second: Vec<Dialroute>) -> Vec<Dialroute> {
    let known = first.len();
    for route in second {
        let (before, _) = first.split_at(known);
        if before.iter().all(|other| other.provider_id != route.provider_id) {
            first.push(route);
        }
    }
    first
}

/// Whether any dialled text leads to a target: `all`, or `+` and a calling code.
pub fn is_route_target(target: &str) -> bool {
    // Two more digits are the shortest national number.
    target == ALL_TARGETS || route_target(&format!("{target}00")).as_deref() == Some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_calling_code_or_all_of_them() {
        for target in ["all", "+1", "+44", "+82"] {
            assert!(is_route_target(target), "{target}");
        }
        for target in ["", "+", "1", "44", "+4420", "+1202", "+0", "ALL", "+999999", "all "] {
            assert!(!is_route_target(target), "{target}");
        }
    }
    use proptest::prelude::*;

    const OWN: Uuid = Uuid::from_u128(7);

    fn route(
        id: u128,
        customer_id: Uuid,
        target: &str,
        provider: u128,
        priority: i64,
        created: i64,
    ) -> Route {
        Route {
            id: Uuid::from_u128(id),
            customer_id,
            provider_id: Uuid::from_u128(provider),
            priority,
            target: target.into(),
            created,
        }
    }

    fn providers(routes: &[Route], target: &str) -> Vec<u128> {
        merge(routes, OWN, target).iter().map(|route| route.provider_id.as_u128()).collect()
    }

    #[test]
    fn the_customers_routes_come_first_and_defaults_add_what_is_missing() {
        let routes = [
            route(1, OWN, "+1", 101, 0, 0),
            route(2, OWN, "all", 102, 0, 0),
            route(3, SYSTEM_CUSTOMER, "+1", 102, 0, 0),
            route(4, SYSTEM_CUSTOMER, "all", 103, 0, 0),
        ];
        assert_eq!(providers(&routes, "+1"), [101, 102, 103]);
        assert_eq!(providers(&routes, "+44"), [102, 103]);
    }

    #[test]
    fn a_lower_priority_goes_first_and_then_the_newest() {
        let routes = [
            route(1, OWN, "+1", 101, 2, 9),
            route(2, OWN, "+1", 102, 1, 1),
            route(3, OWN, "+1", 103, 1, 5),
            route(4, OWN, "+1", 104, -1, 0),
        ];
        assert_eq!(providers(&routes, "+1"), [104, 103, 102, 101]);
    }

    #[test]
    fn priority_does_not_cross_from_one_group_into_another() {
        let routes = [route(1, OWN, "all", 101, 0, 0), route(2, OWN, "+1", 102, 99, 0)];
        assert_eq!(providers(&routes, "+1"), [102, 101]);
    }

    #[test]
    fn a_target_is_compared_as_a_whole() {
        let routes = [route(1, OWN, "1", 101, 0, 0), route(2, OWN, "+1415", 102, 0, 0)];
        assert_eq!(providers(&routes, "+1"), []);
    }

    #[test]
    fn other_customers_routes_do_not_count() {
        assert_eq!(providers(&[route(1, Uuid::from_u128(8), "all", 101, 0, 0)], "+1"), []);
    }

    #[test]
    fn forced_providers_are_tried_in_their_order_under_their_own_ids() {
        let ids = [Uuid::from_u128(3), Uuid::from_u128(2), Uuid::from_u128(3)];
        let forced = forced(&ids);
        assert_eq!(forced.iter().map(|route| route.provider_id).collect::<Vec<_>>(), ids);
        assert!(forced.iter().all(|route| route.id == route.provider_id));
    }

    fn any_route() -> impl Strategy<Value = Route> {
        let customer = prop_oneof![Just(OWN), Just(SYSTEM_CUSTOMER), Just(Uuid::from_u128(8))];
        let target = prop_oneof![Just("+1"), Just("all"), Just("+44")];
        (any::<u128>(), customer, target, 100u128..106, -2i64..3, 0i64..5).prop_map(
            |(id, customer, target, provider, priority, created)| {
                route(id, customer, target, provider, priority, created)
            },
        )
    }

    proptest! {
        #[test]
        fn the_result_holds_every_provider_that_serves_and_does_not_depend_on_the_order_of_storage(
            mut routes in proptest::collection::vec(any_route(), 0..20)
        ) {
            let merged = merge(&routes, OWN, "+1");
            let serves = |route: &&Route| {
                (route.customer_id == OWN || route.customer_id == SYSTEM_CUSTOMER) && route.target != "+44"
            };
            for route in routes.iter().filter(serves) {
                prop_assert!(merged.iter().any(|other| other.provider_id == route.provider_id));
            }
            prop_assert!(merged.iter().all(|way| routes.iter().filter(serves).any(|route| route.id == way.id)));
            routes.reverse();
            prop_assert_eq!(merge(&routes, OWN, "+1"), merged);
        }
    }
}
