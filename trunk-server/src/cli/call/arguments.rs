//! The arguments of `trunk-server call`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Places a test call through a running server's edge or one of its providers, and prints the steps, the SIP messages
/// and the reason.
///
/// The exit code is 0 if the call was answered, 1 if it was not, and 2 if it could not be placed.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
#[non_exhaustive]
pub struct PlaceCall {
    /// The number to dial
    #[arg(long, value_name = "NUMBER")]
    pub to: String,

    /// The caller number [default: the first DID of the account with --trunk, none with --provider, else anonymous]
    #[arg(long, value_name = "NUMBER")]
    pub from: Option<String>,

    /// Use the credentials and the tech prefix of this trunk, which the API returns for --api-key
    #[arg(long, value_name = "NAME|ID", conflicts_with = "username", requires = "api_key")]
    pub trunk: Option<String>,

    /// Place the call through this provider of the platform: the running server dials it
    #[arg(long, value_name = "NAME|ID", conflicts_with_all = ["trunk", "username"], requires = "access_key")]
    pub provider: Option<String>,

    /// An access key of the platform with a super admin's permission, for --provider
    #[arg(long, env = "TRUNK_SERVER_CALL_ACCESS_KEY", value_name = "KEY", hide_env_values = true)]
    pub access_key: Option<String>,

    /// Answer the digest challenge with this username
    #[arg(long, value_name = "USERNAME", requires = "password")]
    pub username: Option<String>,

    /// The password that belongs to the username
    #[arg(long, env = "TRUNK_SERVER_CALL_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub password: Option<String>,

    /// The codecs to offer, the preferred one first
    #[arg(long, value_name = "CODEC", value_delimiter = ',', default_values_t = [G711::Pcma, G711::Pcmu])]
    pub codec: Vec<G711>,

    /// Hang up this many seconds after the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub duration: u32,

    /// The SIP transport
    #[arg(long, value_name = "TRANSPORT", default_value_t = Transport::Udp)]
    pub transport: Transport,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// The SIP address of the running server over UDP and TCP
    #[arg(long, env = "TRUNK_SERVER_SIP_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:5060")]
    pub sip_listen: String,

    /// The SIP address of the running server over TLS
    #[arg(
        long,
        env = "TRUNK_SERVER_SIP_TLS_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:5061"
    )]
    pub sip_tls_listen: String,

    /// The CA certificates to trust for the server's certificate, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub tls_roots: Option<PathBuf>,

    /// The API of the running server, for --trunk and --provider
    #[arg(long, env = "TRUNK_SERVER_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// The API key of the trunk's account, for --trunk
    #[arg(long, env = "TRUNK_SERVER_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<String>,

    /// The control API of the running server, for the reason of a refusal, and with --provider for the SIP messages
    #[arg(
        long,
        env = "TRUNK_SERVER_CONTROL_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8081"
    )]
    pub control_listen: String,

    /// The token that the control API requires
    #[arg(long, env = "TRUNK_SERVER_CONTROL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub control_token: Option<String>,
}

const EXAMPLES: &str = "Examples:
  trunk-server call --to 442079460018 --trunk PBX --api-key test-key
  trunk-server call --to 442079460018 --from 12025550143 --username U --password P --transport tcp
  trunk-server call --to 9990486 --trunk PBX --api-key test-key --json
  trunk-server call --to 442079460018 --provider Main --access-key vb_KEY";

/// A codec whose silence the call can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum G711 {
    /// A-law.
    Pcma,
    /// mu-law.
    Pcmu,
}

/// A transport of SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// SIP over UDP.
    Udp,
    /// SIP over TCP.
    Tcp,
    /// SIP over TLS.
    Tls,
}

impl std::fmt::Display for G711 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pcma => "pcma",
            Self::Pcmu => "pcmu",
        })
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}
