//! The rows of CDR files, by the names of their columns.

use std::collections::BTreeMap;

use didww_types::Timestamp;
use didww_types::values::Money;

/// A type of rows. Columns that the type does not declare are preserved; columns that a file lacks are empty.
pub trait ExportRow: Default {
    /// Sets the field of a column to the value of its cell.
    ///
    /// # Errors
    /// A description of the form that the cell must have.
    #[doc(hidden)]
    fn set(&mut self, column: &str, cell: String) -> Result<(), &'static str>;
}

/// A cell that may be empty.
trait Cell: Sized {
    fn read(text: String) -> Result<Self, &'static str>;
}

impl Cell for String {
    fn read(text: String) -> Result<Self, &'static str> {
        Ok(text)
    }
}

impl Cell for Option<Timestamp> {
    /// Reads `2026-11-29 12:00:00`, which is in UTC, or an instant in the form of the API.
    fn read(text: String) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(None);
        }
        let in_utc = || format!("{}Z", text.replacen(' ', "T", 1)).parse::<Timestamp>();
        let instant = text.parse::<Timestamp>().or_else(|_| in_utc());
        instant.map(Some).map_err(|_| "no time such as 2026-11-29 12:00:00")
    }
}

impl Cell for Option<u64> {
    fn read(text: String) -> Result<Self, &'static str> {
        let number = (!text.is_empty()).then(|| text.parse::<u64>()).transpose();
        number.map_err(|_| "no whole number")
    }
}

impl Cell for Option<Money> {
    fn read(text: String) -> Result<Self, &'static str> {
        let amount = (!text.is_empty()).then(|| text.parse::<Money>()).transpose();
        amount.map_err(|_| "no decimal number")
    }
}

macro_rules! rows {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$about:meta])* $field:ident: $ty:ty = $column:literal $(| $other:literal)?,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$about])* pub $field: $ty,)+
            /// The cells of columns that this crate does not know, by their names.
            pub extra: BTreeMap<String, String>,
        }

        impl ExportRow for $name {
            fn set(&mut self, column: &str, cell: String) -> Result<(), &'static str> {
                match column {
                    $($column $(| $other)? => self.$field = Cell::read(cell)?,)+
                    _ => drop(self.extra.insert(column.to_owned(), cell)),
                }
                Ok(())
            }
        }
    };
}

rows! {
    /// A row of a file of outbound calls (`cdr_out`). Times are in UTC, by the second; an amount is in US dollars.
    OutboundCallRow {
        /// When the call began.
        started_at: Option<Timestamp> = "Date/Time Start (UTC)",
        /// When the call was answered; `None` for an unanswered call.
        connected_at: Option<Timestamp> = "Date/Time Connect (UTC)",
        /// When the call ended.
        ended_at: Option<Timestamp> = "Date/Time End (UTC)",
        /// Whether the call succeeded, as the text of the service.
        status: String = "Status",
        /// The caller number that was sent.
        source: String = "Source",
        /// The caller number that was passed on.
        cli: String = "CLI",
        /// The number that was called.
        destination_number: String = "Destination Number",
        /// The duration of the call, in seconds.
        duration: Option<u64> = "Call Duration (sec)",
        /// The charged duration, in seconds.
        billing_duration: Option<u64> = "Billing Duration (sec)",
        /// The code with which the call ended.
        disconnect_code: Option<u64> = "Disconnect Code",
        /// Why the call ended.
        disconnect_reason: String = "Disconnect Reason",
        /// The name of the trunk.
        voice_out_trunk: String = "Voice OUT Trunk",
        /// The country of the called number.
        destination_country: String = "Destination Country",
        /// The network of the called number.
        network: String = "Network",
        /// The type of the call.
        call_type: String = "Call Type",
        /// The price of a minute.
        rate: Option<Money> = "Rate (USD)",
        /// The price of the call.
        charged: Option<Money> = "Charged (USD)",
        /// The `P-Charge-Info` header of the call.
        p_charge_info: String = "P-Charge-Info",
        /// The `Call-ID` of the call.
        call_id: String = "Call ID",
    }
}

rows! {
    /// A row of a file of inbound calls (`cdr_in`), also of one of a version up to 2021-04-19, which lacks many of the
    /// columns. Times are in UTC, by the second; an amount is in US dollars.
    InboundCallRow {
        /// When the call began.
        started_at: Option<Timestamp> = "Date/Time Start (UTC)" | "Date/Time (UTC)",
        /// When the call was answered; `None` for an unanswered call.
        connected_at: Option<Timestamp> = "Date/Time Connect (UTC)",
        /// When the call ended.
        ended_at: Option<Timestamp> = "Date/Time End (UTC)",
        /// Whether the call succeeded, as the text of the service.
        status: String = "Status",
        /// The caller number. Files of exports of 2026-11-19 have it as "Source Number".
        source: String = "Source" | "Source Number",
        /// The caller number as it was sent to the trunk. Only files of exports of 2026-11-19 have this column.
        source_number_out: String = "Source Number Out",
        /// The name of the caller.
        source_name: String = "Source Name",
        /// The country of the caller number. Only files of exports of 2026-11-19 have this column.
        source_country: String = "Source Country",
        /// The network of the caller number. Only files of exports of 2026-11-19 have this column.
        source_network: String = "Source Network",
        /// The DID that was called.
        destination_did: String = "Destination DID" | "DID",
        /// The duration of the call, in seconds.
        duration: Option<u64> = "Duration (sec)" | "Duration (secs)",
        /// The number of the attempt to forward the call.
        attempt: Option<u64> = "Attempt",
        /// The code with which the call ended.
        disconnect_code: Option<u64> = "Disconnect Code",
        /// The response of the customer's side.
        response: String = "Response",
        /// Who ended the call.
        disconnect_initiator: String = "Disconnect Initiator",
        /// The name of the trunk.
        voice_in_trunk: String = "Voice IN Trunk",
        /// The destination to which the call was forwarded.
        destination: String = "Destination",
        /// The name of the group of trunks.
        trunk_group: String = "Trunk Group",
        /// The name of the group that shares channels.
        capacity_group: String = "Capacity Group",
        /// The price for the toll-free call.
        toll_free: Option<Money> = "Toll-free (USD)" | "TollFree Amount (USD)",
        /// The price for the part to a telephone number.
        pstn: Option<Money> = "PSTN (USD)",
        /// The price for a metered channel.
        metered: Option<Money> = "Metered (USD)" | "Metered Channels Amount (USD)",
        /// The price for the caller's name.
        cnam_in: Option<Money> = "CNAM IN (USD)",
        /// The price of the call.
        total: Option<Money> = "Total (USD)",
        /// The `Call-ID` of the call.
        call_id: String = "Call ID",
    }
}

impl ExportRow for BTreeMap<String, String> {
    fn set(&mut self, column: &str, cell: String) -> Result<(), &'static str> {
        self.insert(column.to_owned(), cell);
        Ok(())
    }
}
