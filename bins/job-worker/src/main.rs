//! The `job-worker` binary.

fn main() -> std::process::ExitCode {
    job_worker::main()
}
