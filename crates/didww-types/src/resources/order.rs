//! Purchases: `orders`.

use super::OrderItems;
use super::former_words::{capitalised, rewrite};
use crate::enumeration::string_enum;
use crate::values::{AbsoluteCallbackUrl, CallbackUrl, ExternalReference, FormerCallbackMethod, Money};
use crate::{Adapter, ApiVersion, Extra, Id, Resource, Timestamp};

string_enum! {
    /// The status of an order.
    OrderStatus {
        /// The order is paid and not carried out yet.
        Pending = "pending",
        /// What was ordered belongs to the account.
        Completed = "completed",
        /// The order was canceled, and the account has its money back.
        Canceled = "canceled",
    }
}

string_enum! {
    /// The texts of [`OrderStatus`] up to 2022-05-10.
    CapitalisedOrderStatus {
        /// The order is paid and not carried out yet.
        Pending = "Pending",
        /// What was ordered belongs to the account.
        Completed = "Completed",
        /// The order was canceled, and the account has its money back.
        Canceled = "Canceled",
    }
}

string_enum! {
    /// The HTTP method of callbacks.
    CallbackMethod {
        /// The parameters are in the query of the URL.
        Get = "get",
        /// The parameters are a form in the body.
        Post = "post",
    }
}

/// A purchase of phone numbers or of channels, which is paid from the account's balance.
#[derive(Debug, Clone, PartialEq, Resource)]
#[resource(
    name = "orders",
    since = "2017-09-18",
    verbs(list, get, create, update(since = "2026-04-16"), delete),
    adapter = CAPITALISED,
    callback_on("completed", "canceled"),
    hidden("available_dids")
)]
#[filter(name = "created_at_gteq", created_from, value = Timestamp)]
#[filter(name = "created_at_lteq", created_until, whole_day, value = Timestamp)]
#[filter(name = "id", id, list, value = Id<Order>)]
#[non_exhaustive]
pub struct Order {
    /// The order's id, a UUID that the service chose.
    pub id: Id<Order>,
    /// The total price of the order, in US dollars.
    #[attr(sort, default = "0.0")]
    pub amount: Money,
    /// The status of the order.
    #[attr(
        sort,
        filter(list, ignores_case),
        default = "pending",
        value = CapitalisedOrderStatus,
        revised(since = "2026-04-16", value = OrderStatus)
    )]
    pub status: OrderStatus,
    /// The time at which the order was made.
    #[attr(sort)]
    pub created_at: Timestamp,
    /// The kind of the ordered items, such as `DID`.
    #[attr(default = "")]
    pub description: String,
    /// The order's number, three letters and six digits.
    #[attr(sort, filter(list), default = "")]
    pub reference: String,
    /// The ordered items, at least one. All items of a request have the same type.
    #[attr(create = required(1), answered("emergency_order_items", "generic_order_items"))]
    pub items: OrderItems,
    /// The URL that is notified when the order is completed or canceled. It needs `callback_method`.
    #[attr(
        create,
        since = "2021-04-19",
        value = Option<AbsoluteCallbackUrl>,
        revised(since = "2026-04-16", value = Option<CallbackUrl>)
    )]
    pub callback_url: Option<CallbackUrl>,
    /// The HTTP method of the notification. It needs `callback_url`.
    #[attr(
        create,
        since = "2021-04-19",
        value = Option<FormerCallbackMethod>,
        revised(since = "2026-04-16", value = Option<CallbackMethod>)
    )]
    pub callback_method: Option<CallbackMethod>,
    /// Whether the order waits for numbers that are not in stock. Answers do not have it.
    #[attr(create, write_only, default = true, value = bool)]
    pub allow_back_ordering: Option<bool>,
    /// The order's identifier in the customer's own system, at most 100 characters.
    #[attr(create, update, since = "2026-04-16", sort, filter(blank(until = "2026-04-16")))]
    pub external_reference_id: Option<ExternalReference>,
    /// Attributes that this crate does not declare.
    #[extra]
    pub extra: Extra,
}

/// Up to 2022-05-10 the status is a capitalised word, and the method of callbacks is in capital letters.
static CAPITALISED: Adapter = Adapter {
    until: ApiVersion::V2022_05_10,
    attributes: &[],
    from_canonical: |_version, attributes| {
        rewrite(attributes, STATUS, capitalised);
        rewrite(attributes, METHOD, str::to_uppercase);
    },
    to_canonical: |_version, attributes| {
        rewrite(attributes, STATUS, str::to_lowercase);
        rewrite(attributes, METHOD, str::to_lowercase);
    },
    not_representable: |_version, _attributes| None,
};

const STATUS: &str = "status";

const METHOD: &str = "callback_method";
