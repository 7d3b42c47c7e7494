//! The items of an order: the nested objects `items` of `orders`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeStruct as _};
use serde_json::{Map, Value};

use crate::enumeration::string_enum;
use crate::values::{Date, Money};
use crate::{Attribute, Extra, Flaw, Kind, Violation};

string_enum! {
    /// The types of order items.
    OrderItemType {
        /// Phone numbers.
        DidOrderItems = "did_order_items",
        /// Channels of a capacity pool.
        CapacityOrderItems = "capacity_order_items",
        /// An emergency calling service. The service creates it.
        EmergencyOrderItems = "emergency_order_items",
        /// Something else. The service creates it.
        GenericOrderItems = "generic_order_items",
    }
}

/// One of the things that an order buys.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum OrderItem {
    /// Phone numbers.
    Did(Box<DidOrderItem>),
    /// Channels of a capacity pool.
    Capacity(Box<CapacityOrderItem>),
    /// An emergency calling service. It can be read, and not be ordered.
    Emergency(Box<EmergencyOrderItem>),
    /// Something else. It can be read, and not be ordered.
    Generic(Box<GenericOrderItem>),
    /// A type that this crate does not declare. It is sent exactly as it was read.
    Unknown(UnknownOrderItem),
}

/// Declares the attributes of a type of items: those of a request, those of an answer that all types have, and those of
/// its own answers.
macro_rules! item {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )+
            /// The quantity.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub qty: Option<i64>,
            /// The price that is paid once, in US dollars: of one number, or of all channels. Answers have it.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub nrc: Option<Money>,
            /// The price of the first period, in US dollars: of one number, or of all channels. Answers have it.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub mrc: Option<Money>,
            /// Whether `mrc` is the price of a part of a month. Answers have it.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub prorated_mrc: Option<bool>,
            /// The first day of the period that is paid. None until the order is completed.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub billed_from: Option<Date>,
            /// The last day of the period that is paid. None until the order is completed.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub billed_to: Option<Date>,
            /// Attributes that this crate does not declare.
            #[serde(flatten)]
            pub extra: Extra,
        }
    };
}

item! {
    /// The attributes of a `did_order_items` item. A request has a stock keeping unit, and at most one of a quantity, a
    /// number in stock and a reservation.
    DidOrderItem {
        /// The id of the stock keeping unit, which states the DID group and the price. Answers do not have it.
        sku_id: String,
        /// The id of the number in stock that is bought. Answers do not have it.
        available_did_id: String,
        /// The id of the reservation whose number is bought. Responses do not have it.
        did_reservation_id: String,
        /// The id of the NANPA prefix that the numbers have. Answers do not have it.
        nanpa_prefix_id: String,
        /// The number of renewals, 0 to 999. None is unlimited. Responses do not have it.
        billing_cycles_count: i64,
        /// The days of the first period that are paid, 1 to 30, for an account with prorated billing. Answers do not
        /// have it.
        prorate_days_qty: i64,
        /// The DID group of the numbers. Answers have it.
        did_group_id: String,
        /// The former name of `nrc`.
        setup_price: Money,
        /// The former name of `mrc`.
        monthly_price: Money,
    }
}

item! {
    /// The attributes of a `capacity_order_items` item.
    CapacityOrderItem {
        /// The id of the pool that receives the channels.
        capacity_pool_id: String,
    }
}

item! {
    /// The attributes of an `emergency_order_items` item.
    EmergencyOrderItem {
        /// The id of the emergency calling service.
        emergency_calling_service_id: String,
    }
}

item! {
    /// The attributes of a `generic_order_items` item.
    GenericOrderItem {
        /// A description of the item.
        description: String,
    }
}

/// An item of a type that this crate does not declare.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownOrderItem {
    kind: String,
    attributes: Extra,
}

impl UnknownOrderItem {
    /// The `type` member of the item.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The attributes, exactly as they were read.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

impl OrderItem {
    /// Buys this many numbers, 1 to 1,000, of the DID group of a stock keeping unit.
    pub fn dids(sku_id: impl Into<String>, qty: i64) -> Self {
        Self::did(DidOrderItem { qty: Some(qty), ..of_unit(sku_id) })
    }

    /// Buys a number in stock, at the price of a stock keeping unit of its DID group.
    pub fn available_did(sku_id: impl Into<String>, available_did_id: impl Into<String>) -> Self {
        Self::did(DidOrderItem { available_did_id: Some(available_did_id.into()), ..of_unit(sku_id) })
    }

    /// Buys the number of a reservation, at the price of a stock keeping unit of its DID group.
    pub fn did_reservation(sku_id: impl Into<String>, did_reservation_id: impl Into<String>) -> Self {
        Self::did(DidOrderItem { did_reservation_id: Some(did_reservation_id.into()), ..of_unit(sku_id) })
    }

    /// Buys this many channels, 1 to 10,000, of a capacity pool.
    pub fn capacity(capacity_pool_id: impl Into<String>, qty: i64) -> Self {
        Self::Capacity(Box::new(CapacityOrderItem {
            capacity_pool_id: Some(capacity_pool_id.into()),
            qty: Some(qty),
            ..CapacityOrderItem::default()
        }))
    }

    /// Sets the NANPA prefix that the numbers must have. Another item than one of numbers is returned unchanged.
    #[must_use]
    pub fn with_nanpa_prefix(mut self, nanpa_prefix_id: impl Into<String>) -> Self {
        if let Self::Did(item) = &mut self {
            item.nanpa_prefix_id = Some(nanpa_prefix_id.into());
        }
        self
    }

    /// Sets the number of renewals, 0 to 999. Another item than one of numbers is returned unchanged.
    #[must_use]
    pub fn with_billing_cycles(mut self, count: i64) -> Self {
        if let Self::Did(item) = &mut self {
            item.billing_cycles_count = Some(count);
        }
        self
    }

    /// Sets the days of the first period that are paid, 1 to 30. It is ignored for an account without prorated billing.
    /// Another item than one of numbers is returned unchanged.
    #[must_use]
    pub fn with_prorated_days(mut self, days: i64) -> Self {
        if let Self::Did(item) = &mut self {
            item.prorate_days_qty = Some(days);
        }
        self
    }

    /// The `type` member of the item, such as `did_order_items`.
    pub fn kind(&self) -> &str {
        match self {
            Self::Did(_) => "did_order_items",
            Self::Capacity(_) => "capacity_order_items",
            Self::Emergency(_) => "emergency_order_items",
            Self::Generic(_) => "generic_order_items",
            Self::Unknown(item) => &item.kind,
        }
    }

    fn did(item: DidOrderItem) -> Self {
        Self::Did(Box::new(item))
    }
}

fn of_unit(sku_id: impl Into<String>) -> DidOrderItem {
    DidOrderItem { sku_id: Some(sku_id.into()), ..DidOrderItem::default() }
}

/// The attributes of an item. Those of an answer have the period that is paid, which is null until it is known; those
/// of a request, which have no price, do not.
fn with_period<T: Serialize, E: serde::ser::Error>(item: &T) -> Result<Value, E> {
    let mut attributes = serde_json::to_value(item).map_err(E::custom)?;
    if let Some(members) = attributes.as_object_mut().filter(|members| members.contains_key("nrc")) {
        for name in ["billed_from", "billed_to"] {
            members.entry(name).or_insert(Value::Null);
        }
    }
    Ok(attributes)
}

impl Serialize for OrderItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("OrderItem", 2)?;
        object.serialize_field("type", self.kind())?;
        match self {
            Self::Did(item) => object.serialize_field("attributes", &with_period(item)?)?,
            Self::Capacity(item) => object.serialize_field("attributes", &with_period(item)?)?,
            Self::Emergency(item) => object.serialize_field("attributes", &with_period(item)?)?,
            Self::Generic(item) => object.serialize_field("attributes", &with_period(item)?)?,
            Self::Unknown(item) => object.serialize_field("attributes", &item.attributes)?,
        }
        object.end()
    }
}

impl<'de> Deserialize<'de> for OrderItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Parts {
            #[serde(rename = "type")]
            kind: String,
            #[serde(default)]
            attributes: Option<Map<String, Value>>,
        }
        fn read<T: for<'a> Deserialize<'a>>(
            attributes: Map<String, Value>,
        ) -> Result<Box<T>, serde_json::Error> {
            T::deserialize(Value::Object(attributes)).map(Box::new)
        }
        let Parts { kind, attributes } = Parts::deserialize(deserializer)?;
        let attributes = attributes.unwrap_or_default();
        let item = match kind.as_str() {
            "did_order_items" => read(attributes).map(Self::Did),
            "capacity_order_items" => read(attributes).map(Self::Capacity),
            "emergency_order_items" => read(attributes).map(Self::Emergency),
            "generic_order_items" => read(attributes).map(Self::Generic),
            _ => Ok(Self::Unknown(UnknownOrderItem { kind, attributes: attributes.into() })),
        };
        item.map_err(D::Error::custom)
    }
}

/// The items of an order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderItems(Vec<OrderItem>);

impl OrderItems {
    /// The items, in their order.
    pub fn as_slice(&self) -> &[OrderItem] {
        &self.0
    }
}

impl FromIterator<OrderItem> for OrderItems {
    fn from_iter<I: IntoIterator<Item = OrderItem>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl From<OrderItem> for OrderItems {
    fn from(item: OrderItem) -> Self {
        Self(vec![item])
    }
}

impl<const N: usize> From<[OrderItem; N]> for OrderItems {
    fn from(items: [OrderItem; N]) -> Self {
        Self(items.into())
    }
}

/// Maximum number of items of an order. DIDWW documents no limit; this one is chosen by this project.
pub const MAX_ORDER_ITEMS: usize = 100;

impl Attribute for OrderItems {
    const KIND: Kind = Kind::List { of: &Kind::Variant(OrderItemType::TEXTS), max: Some(MAX_ORDER_ITEMS) };

    /// Validates that each item has a type and attributes, and returns the types. The rules of the order validate the
    /// attributes of each type, as they were sent.
    fn validate(sent: &Value) -> Result<Value, Vec<Flaw>> {
        let items = match sent {
            Value::Array(items) if items.is_empty() => return Err(Violation::Blank.into()),
            Value::Array(items) if items.len() > MAX_ORDER_ITEMS => {
                return Err(Violation::TooMany(MAX_ORDER_ITEMS).into());
            }
            Value::Array(items) => items,
            Value::Null => return Err(Violation::Blank.into()),
            _ => return Err(Violation::Invalid.into()),
        };
        let is_item = |item: &Value| {
            item.get("type").is_some_and(Value::is_string)
                && item.get("attributes").is_none_or(serde_json::Value::is_object)
        };
        let kind = |item: &Value| serde_json::json!({ "type": item.get("type"), "attributes": {} });
        if items.iter().all(is_item) {
            Ok(items.iter().map(kind).collect())
        } else {
            Err(Violation::Invalid.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_sent_with_what_was_set_alone() {
        for (item, expected) in [
            (
                OrderItem::dids("1", 2).with_nanpa_prefix("3").with_billing_cycles(0).with_prorated_days(9),
                json!({ "type": "did_order_items", "attributes":
                    { "sku_id": "1", "qty": 2, "nanpa_prefix_id": "3", "billing_cycles_count": 0,
                      "prorate_days_qty": 9 } }),
            ),
            (
                OrderItem::available_did("1", "2"),
                json!({ "type": "did_order_items", "attributes": { "sku_id": "1", "available_did_id": "2" } }),
            ),
            (
                OrderItem::did_reservation("1", "2"),
                json!({ "type": "did_order_items", "attributes": { "sku_id": "1", "did_reservation_id": "2" } }),
            ),
            (
                OrderItem::capacity("1", 5).with_billing_cycles(3),
                json!({ "type": "capacity_order_items", "attributes": { "capacity_pool_id": "1", "qty": 5 } }),
            ),
        ] {
            assert_eq!(serde_json::to_value(item).unwrap(), expected);
        }
    }

    #[test]
    fn an_item_keeps_what_it_does_not_know() {
        let unknown = json!({ "type": "fax_order_items", "attributes": { "pages": 7 } });
        let extended = json!({ "type": "generic_order_items", "attributes": { "qty": 1, "colour": "red" } });
        for item in [unknown, extended] {
            let read: OrderItem = serde_json::from_value(item.clone()).unwrap();
            assert_eq!(read.kind(), item["type"]);
            assert_eq!(serde_json::to_value(read).unwrap(), item);
        }
    }

    #[test]
    fn an_order_has_items_with_a_type() {
        for wrong in [json!([]), json!(null), json!({}), json!([{}]), json!([{ "type": 1 }]), json!([1])] {
            assert!(OrderItems::validate(&wrong).is_err(), "{wrong}");
        }
        let valid = json!([{ "type": "did_order_items", "attributes": { "qty": "many" } }]);
        assert_eq!(
            OrderItems::validate(&valid),
            Ok(json!([{ "type": "did_order_items", "attributes": {} }]))
        );
    }
}
