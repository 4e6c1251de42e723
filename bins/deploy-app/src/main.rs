//! The `deploy-app` binary.

fn main() -> std::process::ExitCode {
    deploy_app::main()
}
