//! The `run-pipeline` binary.

fn main() -> std::process::ExitCode {
    run_pipeline::main()
}
