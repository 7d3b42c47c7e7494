//! Permission bits, and the access rule of every endpoint.

use uuid::Uuid;

/// A set of permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Permission(pub u16);

impl Permission {
    /// No bits, as for a direct token.
    pub const NONE: Self = Self(0);
    /// All rights, on behalf of every customer.
    pub const PROJECT_SUPER_ADMIN: Self = Self(0x0001);
    /// All bits of the platform's own staff.
    pub const PROJECT_ALL: Self = Self(0x000F);
    /// An agent of a customer.
    pub const CUSTOMER_AGENT: Self = Self(0x0010);
    /// An administrator of a customer. An access key has this bit only.
    pub const CUSTOMER_ADMIN: Self = Self(0x0020);
    /// A manager of a customer.
    pub const CUSTOMER_MANAGER: Self = Self(0x0040);
    /// All bits of a customer's users.
    pub const CUSTOMER_ALL: Self = Self(0x00F0);
    /// As a required permission: every user of the customer.
    pub const ALL: Self = Self(0xFFFF);

    /// Returns the bits of both sets.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether this set contains any of the required bits. [`Self::ALL`] is always satisfied.
    pub const fn has_any(self, wanted: Self) -> bool {
        wanted.0 == Self::ALL.0 || self.0 & wanted.0 != 0
    }
}

/// The authenticated maker of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The customer that the caller acts for.
    pub customer_id: Uuid,
    /// The caller's permissions: the bits of its access key or of its agent.
    pub permission: Permission,
}

impl Caller {
    /// Whether the caller is a super administrator of the platform.
    pub const fn is_super_admin(self) -> bool {
        self.permission.has_any(Permission::PROJECT_SUPER_ADMIN)
    }

    /// Whether the caller may act on a resource of a customer. Resources of the platform itself belong to the
    /// nil customer, which has no users: only super administrators may act on them.
    pub fn may(self, wanted: Permission, customer_id: Uuid) -> bool {
        self.is_super_admin()
            || (!customer_id.is_nil() && self.customer_id == customer_id && self.permission.has_any(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: Uuid = Uuid::from_u128(7);
    const OTHER: Uuid = Uuid::from_u128(8);

    fn caller(bits: u16) -> Caller {
        Caller { customer_id: OWN, permission: Permission(bits) }
    }

    #[test]
    fn a_super_admin_passes_everywhere() {
        for customer in [OWN, OTHER, Uuid::nil()] {
            assert!(caller(0x0001).may(Permission::CUSTOMER_ADMIN, customer));
        }
    }

    #[test]
    fn a_wanted_bit_counts_only_in_the_own_customer() {
        let wanted = Permission::CUSTOMER_ADMIN.or(Permission::CUSTOMER_MANAGER);
        assert!(caller(0x0040).may(wanted, OWN));
        assert!(!caller(0x0040).may(wanted, OTHER));
        assert!(!caller(0x0010).may(wanted, OWN), "an agent is neither");
        assert!(!caller(0x0040).may(Permission::CUSTOMER_ADMIN, OWN), "a manager is no administrator");
    }

    #[test]
    fn wanting_all_means_any_user_of_the_customer() {
        assert!(caller(0).may(Permission::ALL, OWN));
        assert!(!caller(0).may(Permission::ALL, OTHER));
    }

    proptest! {
        #[test]
        fn what_is_the_platforms_own_is_for_super_admins_alone(bits in any::<u16>(), wanted in any::<u16>()) {
            let caller = Caller { customer_id: Uuid::nil(), permission: Permission(bits) };
            prop_assert_eq!(caller.may(Permission(wanted), Uuid::nil()), bits & 1 == 1);
        }
    }
}
