//! The errors of the store.

/// Why a read or write of the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another record has this value of a unique attribute. The text is the attribute's name.
    #[error("`{0}` has already been taken")]
    Taken(String),
    /// The record or document was changed or deleted since it was read. The caller reads it again and repeats its
    /// decision.
    #[error("the record was changed meanwhile")]
    Conflict,
    /// The queue of writes is full.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The queue of long reads is full, for this asker or in total, or the read waited longer than
    /// [`StoreLimits::max_wait`](crate::StoreLimits::max_wait).
    #[error("too many reads are waiting")]
    Crowded,
    /// A read ran longer than [`StoreLimits::time`](crate::StoreLimits::time).
    #[error("a read exceeded its time limit")]
    TooLong,
    /// The result of a read exceeds a limit. The text names the limit.
    #[error("the result of a read would contain {0}")]
    TooLarge(String),
    /// The account has reached its quota of records of a type.
    #[error("the account has {most} {kind}, which is its quota")]
    Quota {
        /// The type name of the records, such as `voice_out_trunks`.
        kind: &'static str,
        /// The number of records that the account may have.
        most: u64,
    },
    /// A part of a job is larger than a job may contain. Nothing was changed.
    #[error("the {what} of a job exceeds {most} bytes")]
    JobTooLarge {
        /// The part: `subject` or `payload`.
        what: &'static str,
        /// Its maximum size in bytes.
        most: usize,
    },
    /// A text that the engines cannot all store. Nothing was changed.
    #[error("`{what}` {flaw}")]
    Unstorable {
        /// The name of the text, such as that of an attribute or of an index key.
        what: &'static str,
        /// What is wrong with it, as the continuation of a sentence that begins with the name.
        flaw: &'static str,
    },
    /// The disk, its quota or a limit on file sizes is full. Nothing was changed.
    #[error("the disk, its quota or a limit on file sizes is full, or the disk cannot be written")]
    Full,
    /// The store accepts no writes until the server is restarted. Nothing was changed.
    #[error(
        "the database accepts no writes until the server is restarted, because its disk or its file failed"
    )]
    Ended,
    /// The database cannot be reached now. Nothing was changed. The engine reconnects by itself.
    #[error("the database cannot be reached")]
    Unavailable,
    /// It is unknown whether the write was committed. An engine on a file then accepts no further writes, and only a
    /// restart of the server shows the outcome; an engine on a server continues, and a read shows it.
    #[error("it is not known whether the write was done; read before you repeat it")]
    Unknown,
    /// The engine failed. The text is for the operator.
    #[error("the database failed: {0}")]
    Failed(String),
    /// Stored data cannot be read. The text is for the operator.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
}
