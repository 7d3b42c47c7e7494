//! The resources of the API, each declared by one annotated struct in a file of its own.

mod authentication_method;
mod capacity_pool;
mod did;
mod did_group;
mod media;
mod undeclared;
mod voice_out_trunk;
mod voice_out_trunk_regenerate_credentials;

pub use authentication_method::{
    AuthenticationMethod, AuthenticationMethodType, CredentialsAndIp, IpOnly, Twilio, UnknownMethod,
};
pub use capacity_pool::*;
pub use did::*;
pub use did_group::*;
pub use media::MediaEncryptionMode;
pub use undeclared::*;
pub use voice_out_trunk::*;
pub use voice_out_trunk_regenerate_credentials::*;
