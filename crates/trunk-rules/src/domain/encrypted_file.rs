//! The rules of encrypted files.

use std::time::Duration;

use didww_types::DecodeError;
use didww_types::resources::EncryptedFile;

use super::draft::Draft;
use super::{Rules, WriteContext};

/// The time for which a file is kept. A file to which a record refers is kept longer, but its time does not change.
pub const FILE_LIFE: Duration = Duration::from_hours(24);

impl Rules for EncryptedFile {
    fn write(context: &WriteContext<'_>, draft: &mut Draft<Self>) -> Result<(), DecodeError> {
        draft.changes.expires_at = Some(context.now.after(FILE_LIFE));
        Ok(())
    }
}
