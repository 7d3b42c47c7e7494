//! The types to which declared resources refer and which are not declared yet.
//!
//! Each has a Rust type already, so that a program that names it, in `Id<Identity>` for instance, still compiles when the
//! resource is declared: its line here is then replaced by a file with a struct of the same name.

use crate::Named;

macro_rules! undeclared {
    ($($name:ident = $wire:literal,)+) => {$(
        #[doc = concat!("A record of the type `", $wire, "`, which this crate does not declare yet: only its id is known.")]
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {}

        impl Named for $name {
            const TYPE: &'static str = $wire;
        }
    )+};
}

undeclared! {
    AddressVerification = "address_verifications",
    EmergencyCallingService = "emergency_calling_services",
    EmergencyVerification = "emergency_verifications",
    PermanentSupportingDocument = "permanent_supporting_documents",
    Proof = "proofs",
}
