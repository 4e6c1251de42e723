//! The `signal-health` binary.

fn main() -> std::process::ExitCode {
    signal_health::main()
}
