//! Who may do what: permission bits, and the one rule that every endpoint asks.

use uuid::Uuid;

/// A set of permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Permission(pub u16);

impl Permission {
    /// No bits: a direct token.
    pub const NONE: Self = Self(0);
    /// May do everything, in every customer's name.
    pub const PROJECT_SUPER_ADMIN: Self = Self(0x0001);
    /// Every bit of the platform's own staff.
    pub const PROJECT_ALL: Self = Self(0x000F);
    /// An agent of a customer.
    pub const CUSTOMER_AGENT: Self = Self(0x0010);
    /// An administrator of a customer. An access key has this bit and no other.
    pub const CUSTOMER_ADMIN: Self = Self(0x0020);
    /// A manager of a customer.
    pub const CUSTOMER_MANAGER: Self = Self(0x0040);
    /// Every bit of a customer's people.
    pub const CUSTOMER_ALL: Self = Self(0x00F0);
    /// As a wanted permission: whoever belongs to the customer.
    pub const ALL: Self = Self(0xFFFF);

    /// The bits of both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of the wanted bits is among these. [`Self::ALL`] wants nothing in particular.
    pub const fn has_any(self, wanted: Self) -> bool {
        wanted.0 == Self::ALL.0 || self.0 & wanted.0 != 0
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The customer that the caller acts for.
    pub customer_id: Uuid,
    /// The caller's bits.
    pub permission: Permission,
}

impl Caller {
    /// Whether the caller is of the platform's own staff with full rights.
    pub const fn is_super_admin(self) -> bool {
        self.permission.has_any(Permission::PROJECT_SUPER_ADMIN)
    }

    /// Whether the caller may act on what belongs to a customer. What belongs to the platform itself belongs
    /// to the nil customer, of which nobody is: only super admins pass.
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
    fn wanting_all_means_anybody_of_the_customer() {
        assert!(caller(0).may(Permission::ALL, OWN));
        assert!(!caller(0).may(Permission::ALL, OTHER));
    }

    proptest! {
        #[test]
        fn what_is_the_platforms_own_is_for_super_admins_alone(bits in any::<u16>(), wanted in any::<u16>()) {
            let nobody = Caller { customer_id: Uuid::nil(), permission: Permission(bits) };
            prop_assert_eq!(nobody.may(Permission(wanted), Uuid::nil()), bits & 1 == 1);
        }
    }
}
