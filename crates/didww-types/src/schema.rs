//! JSON schemas of the values that other documents than that of API v3 contain. API v3's own come from the registry.

use crate::Timestamp;
use crate::values::Money;

wire_core::text_schema! {
    Timestamp: { "format": "date-time" };
    Money: { "pattern": "^-?[0-9]+(\\.[0-9]+)?$" };
}
