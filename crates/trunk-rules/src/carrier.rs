//! Admission of outbound calls on SIP: whether a provisioned trunk may make a call.
//!
//! [`admit`] takes the trunks ([`TrunkIndex`]), the state at the time of the call ([`Snapshot`]) and the
//! parts of an INVITE as received ([`Attempt`]), and returns a [`Verdict`]: admit, challenge or refuse, with
//! the reason. It opens no sockets, uses no SIP library, reads no clock, draws no random numbers and has no
//! store: the caller of the function supplies the time, the randomness and the raw header bytes, and acts on
//! the verdict.
//!
//! The checks run in one fixed order, [`Check`]. No DIDWW page states the response code of a refusal, so each
//! code is a member of [`Settings`]; its default is inferred from the switch that DIDWW's traffic suggests.
//!
//! Not modelled: account balance and calls per second.

mod account_dids;
mod admit;
mod attempt;
mod authorization;
mod callers;
mod capacity;
mod cause;
mod challenge;
mod check;
mod cli;
mod destination;
mod did_facts;
mod digest;
mod digest_response;
mod digits;
mod dtmf;
mod emergency;
mod in_dialog;
mod index;
mod media;
mod media_address;
mod media_facts;
mod network;
mod no_audio;
mod nonce;
mod number;
mod offer_summary;
mod policy;
mod rating;
mod reception;
mod recording;
mod rtp;
mod rtp_packet;
mod sdp;
mod sentence;
mod settings;
mod slot_table;
mod source_table;
mod spending;
mod split;
mod srtp_authentication;
mod subnet_set;
mod terms;
mod threshold;
mod uri;
mod verdict;
mod warning;

pub use account_dids::AccountDids;
pub use admit::{Funds, Rates, Snapshot, admit, admit_and_hold, identify};
pub use attempt::{Attempt, Flaw};
pub use authorization::{Credentials, HeaderFlaw, Parameter};
pub use callers::CallerSet;
pub use capacity::{Channel, Channels, Full, has_room};
pub use cause::{Cause, reason_phrase};
pub use challenge::{ChallengeFlaw, DigestChallenge};
pub use check::{Check, Checks};
pub use cli::{Caller, Cli, CliAction, CliRefusal, CliRule, presentation_is_restricted};
pub use destination::{DestinationRefusal, DestinationRule, PrefixSet};
pub use did_facts::DidFacts;
pub use digest::{
    Authenticated, DigestFailure, DigestRefusal, Qop, SentDigest, SignedRequest, verify_digest,
};
pub use digest_response::{Algorithm, PasswordHash};
pub use digits::Digits;
pub use dtmf::{DTMF_MEDIA_TYPES, Dtmf, InfoError, Signal, info_signal};
pub use emergency::{EmergencyCall, EmergencyCountry, EmergencyNumbers};
pub use in_dialog::{InDialog, admit_in_dialog};
pub use index::{IndexError, TrunkIndex};
pub use media::{
    Agreed, Media, MediaRefusal, OFFERED_SUITE, OwnOffer, Protection, Removed, negotiate, taken_out,
};
pub use media_address::no_media_to;
pub use media_facts::{AgreedMedia, Dropped, Encryption, Flow, MediaFacts};
pub use no_audio::{no_audio, no_audio_with};
pub use nonce::{NonceKey, NonceState, Nonces, NoncesAt};
pub use number::{NumberError, normalise};
pub use policy::TrunkPolicy;
pub use rating::{Charge, Rate, RateCard};
pub use reception::Reception;
pub use recording::Recording;
pub use rtp::{Heard, RtpPath, RtpTerms, ping_packet};
pub use rtp_packet::{RtpHeader, is_rtcp, rtp_payload};
pub use sdp::{Codec, Direction, MediaHost, Profile, SdpError, Setup};
pub use sentence::sentence;
pub use settings::{CliHeader, Settings, SettingsError};
pub use spending::{Meter, Spending, charge_of_lost};
pub use srtp_authentication::SrtpAuthentication;
pub use terms::{Authentication, TermsError, TrunkLinks, TrunkTerms};
pub use threshold::{BlockChange, BlockState, SpendEvent, SpendWindow, decide_block_change};
pub use uri::{address_uri, user_part};
pub use verdict::{Admitted, Challenge, Identified, Refusal, Verdict};
pub use warning::Warning;
