//! The presentation of the caller's number.

wire_core::string_enum! {
    /// Whether the caller's number is presented to the called party.
    #[derive(Default)]
    Anonymous {
        /// The number is withheld.
        Yes = "yes",
        /// The number is presented.
        No = "no",
        /// The service decides; at present it presents the number.
        #[default]
        Auto = "auto",
    }
}
