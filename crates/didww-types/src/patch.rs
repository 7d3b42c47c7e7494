//! Changes to nullable attributes.

/// The effect of an update on a nullable attribute: leave it unchanged, set it to null, or set a value.
///
/// ```
/// # use didww_types as didww_client;
/// use didww_client::Patch;
/// let limit: Patch<u16> = Some(7).into();
/// assert_eq!(limit, Patch::Set(7));
/// assert_eq!(Patch::<u16>::from(None), Patch::Clear);
/// assert_eq!(Patch::<u16>::default(), Patch::Keep);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The attribute is not sent and keeps its value.
    #[default]
    Keep,
    /// The attribute is sent as `null`.
    Clear,
    /// The attribute is sent with this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether the attribute is left unchanged.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The value to send: `None` sends nothing, `Some(None)` sends `null`.
    pub const fn as_sent(&self) -> Option<Option<&T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }
}

impl<T> From<Option<T>> for Patch<T> {
    /// `None` becomes [`Clear`](Self::Clear), not [`Keep`](Self::Keep).
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}
