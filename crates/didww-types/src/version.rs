//! The dated versions of the API, and the rule that selects the version of a request.

use std::fmt;
use std::str::FromStr;

/// A dated version of the API. A newer version compares greater than an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ApiVersion {
    /// 2017-09-18, the first version, without outbound trunks.
    V2017_09_18,
    /// 2021-04-19. It adds `billing_cycles_count` to DIDs.
    V2021_04_19,
    /// 2021-12-15. It adds outbound trunks, with the attributes `allowed_sip_ips`, `username` and `password`.
    V2021_12_15,
    /// 2022-05-10. Outbound trunks and DIDs are the same as in 2021-12-15.
    V2022_05_10,
    /// 2026-04-16. It adds `authentication_method`, which replaces those attributes, and emergency settings.
    V2026_04_16,
    /// 2026-11-19. Its requests carry tokens, and several filters take one value instead of a list. Its form is the
    /// canonical one in this crate.
    V2026_11_19,
}

impl ApiVersion {
    /// All versions that this crate knows, oldest first.
    pub const ALL: [Self; 6] = [
        Self::V2017_09_18,
        Self::V2021_04_19,
        Self::V2021_12_15,
        Self::V2022_05_10,
        Self::V2026_04_16,
        Self::V2026_11_19,
    ];

    /// The newest version. Its form is the canonical one in this crate.
    pub const NEWEST: Self = Self::V2026_11_19;

    /// The date as it is written on the wire, such as `2026-04-16`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2017_09_18 => "2017-09-18",
            Self::V2021_04_19 => "2021-04-19",
            Self::V2021_12_15 => "2021-12-15",
            Self::V2022_05_10 => "2022-05-10",
            Self::V2026_04_16 => "2026-04-16",
            Self::V2026_11_19 => "2026-11-19",
        }
    }

    /// Whether the rules of DIDWW's corrected document of 2026-04-16 hold, among them pages of at most 100 records.
    /// Older versions keep the rules of their own documents.
    #[must_use]
    pub fn has_corrected_rules(self) -> bool {
        self >= Self::V2026_04_16
    }

    /// Whether requests of the version authenticate with an access token, and no longer with an API key.
    #[must_use]
    pub fn uses_tokens(self) -> bool {
        self >= Self::V2026_11_19
    }

    /// The version that serves a request. `self` is the version assigned to the account, and `header` the
    /// value of the [`VERSION_HEADER`](crate::VERSION_HEADER), which can only select a newer version.
    ///
    /// An older, unknown or malformed header value is ignored without an error, as DIDWW documents.
    ///
    /// ```
    /// # use didww_types as didww_client;
    /// use didww_client::ApiVersion;
    /// let account = ApiVersion::V2022_05_10;
    /// assert_eq!(account.serving(Some("2026-04-16")), ApiVersion::V2026_04_16);
    /// assert_eq!(account.serving(Some("2021-12-15")), account);
    /// assert_eq!(account.serving(Some("banana")), account);
    /// ```
    #[must_use]
    pub fn serving(self, header: Option<&str>) -> Self {
        header.and_then(|text| text.parse().ok()).map_or(self, |requested: Self| requested.max(self))
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not an API version that this crate knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an API version; known are 2017-09-18, 2021-04-19, 2021-12-15, 2022-05-10, 2026-04-16, 2026-11-19"
)]
pub struct UnknownVersion(String);

impl FromStr for ApiVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|v| v.as_str() == text).ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}
