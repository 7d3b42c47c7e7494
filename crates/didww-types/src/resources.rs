//! The resources of the API, each declared by one annotated struct in a file of its own.

mod authentication_method;
mod did;
mod media;
mod voice_out_trunk;
mod voice_out_trunk_regenerate_credentials;

pub use authentication_method::{
    AuthenticationMethod, AuthenticationMethodType, CredentialsAndIp, IpOnly, Twilio, UnknownMethod,
};
pub use did::*;
pub use media::MediaEncryptionMode;
pub use voice_out_trunk::*;
pub use voice_out_trunk_regenerate_credentials::*;
