//! The actions of a pipeline that run here, a file for each provider. Each gives the variables
//! that it makes.

pub mod cloudformation;
pub mod codebuild;
pub mod s3_source;
