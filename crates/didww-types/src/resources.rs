//! The resources of the API, each declared by one annotated struct in a file of its own.

mod address_requirement;
mod area;
mod authentication_method;
mod available_did;
mod balance;
mod capacity_pool;
mod city;
mod country;
mod did;
mod did_group;
mod did_group_type;
mod did_reservation;
mod media;
mod nanpa_prefix;
mod order;
mod order_item;
mod pop;
mod proof_type;
mod qty_based_pricing;
mod region;
mod stock_keeping_unit;
mod supporting_document_template;
mod undeclared;
mod voice_out_trunk;
mod voice_out_trunk_regenerate_credentials;

pub use address_requirement::*;
pub use area::*;
pub use authentication_method::{
    AuthenticationMethod, AuthenticationMethodType, CredentialsAndIp, IpOnly, Twilio, UnknownMethod,
};
pub use available_did::*;
pub use balance::*;
pub use capacity_pool::*;
pub use city::*;
pub use country::*;
pub use did::*;
pub use did_group::*;
pub use did_group_type::*;
pub use did_reservation::*;
pub use media::MediaEncryptionMode;
pub use nanpa_prefix::*;
pub use order::*;
pub use order_item::*;
pub use pop::*;
pub use proof_type::*;
pub use qty_based_pricing::*;
pub use region::*;
pub use stock_keeping_unit::*;
pub use supporting_document_template::*;
pub use undeclared::*;
pub use voice_out_trunk::*;
pub use voice_out_trunk_regenerate_credentials::*;
