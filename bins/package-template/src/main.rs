//! Packages a CloudFormation template for an S3 source action.

use std::process::ExitCode;

fn main() -> ExitCode {
    package_template::main()
}
