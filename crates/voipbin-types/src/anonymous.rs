//! The presentation of the caller's number.

wire_core::string_enum! {
    /// Whether the caller's number is presented to the called party.
    #[derive(Default)]
    Anonymous {
        /// The number is withheld from the called party.
        Yes = "yes",
        /// The number is presented to the called party.
        No = "no",
        /// The service decides; at present it presents the number.
        #[default]
        Auto = "auto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_value_is_recorded_as_auto_and_any_other_as_sent() {
        let recorded = |sent: Option<&str>| sent.map(Anonymous::from).unwrap_or_default();
        assert_eq!(recorded(None).as_str(), "auto");
        for text in ["yes", "", "maybe"] {
            assert_eq!(recorded(Some(text)).as_str(), text);
        }
    }
}
