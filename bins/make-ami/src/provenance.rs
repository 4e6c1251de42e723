//! What proves where an image comes from: its ancestry, its watermarks, a statement of how it was made.

pub(crate) mod ancestry;
pub(crate) mod envelope;
pub(crate) mod proof;
pub(crate) mod statement;
pub(crate) mod statement_file;
pub(crate) mod watermark;
