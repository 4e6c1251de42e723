//! The `export-vars` binary.

fn main() -> std::process::ExitCode {
    export_vars::main()
}
