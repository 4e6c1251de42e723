//! The `make-ami` binary.

fn main() -> std::process::ExitCode {
    make_ami::main()
}
