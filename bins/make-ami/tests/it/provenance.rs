//! What proves where an image comes from: watermarks, ancestry, the statement; and how an image that differs from its
//! instance is asked for.

mod ancestry;
mod creation;
mod statement;
mod watermark;
