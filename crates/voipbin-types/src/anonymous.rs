//! Whether the caller's number is shown.

wire_core::string_enum! {
    /// Whether the caller's number is shown.
    #[derive(Default)]
    Anonymous {
        /// It is hidden.
        Yes = "yes",
        /// It is shown.
        No = "no",
        /// The service decides; today it is shown.
        #[default]
        Auto = "auto",
    }
}
