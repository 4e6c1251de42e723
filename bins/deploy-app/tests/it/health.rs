//! An application that is asked in another way than by plain HTTP for a 200.

use crate::world::World;
use harness::Program;
use std::time::Duration;

/// Speaks HTTPS, and answers 204 to who asks for it by its name, as a server of several sites does.
const APP: &str = r#"
import http.server, os, ssl, sys
port, pid_file = int(sys.argv[1]), sys.argv[2]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_named = self.headers.get_all("Host") == ["app.example.com"]
        self.send_response(204 if is_named else 404)
        self.send_header("X-Release-Id", os.environ["RELEASE_ID"])
        self.end_headers()
    def log_message(self, *args):
        pass
class Server(http.server.HTTPServer):
    allow_reuse_address = True
server = Server(("127.0.0.1", port), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.environ["STATE"] + "/identity.pem")
server.socket = tls.wrap_socket(server.socket, server_side=True)
with open(pid_file, "w") as f:
    f.write(str(os.getpid()))
server.serve_forever()
"#;

/// The host with that application, and how it is asked.
fn https() -> Option<(World, Program)> {
    let world = World::start()?;
    world.write("app.py", APP);
    let made = rcgen::generate_simple_self_signed(vec!["app.example.com".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let state = world.state();
    std::fs::write(state.join("identity.pem"), certificate.clone() + &key).unwrap();
    std::fs::write(state.join("ca.pem"), certificate).unwrap();
    let program = world
        .program()
        .env(
            "DEPLOY_APP_HEALTH_URL",
            format!("https://127.0.0.1:{}/", world.port()),
        )
        .env("DEPLOY_APP_HEALTH_STATUS", "200,204")
        .env("DEPLOY_APP_HEALTH_HEADER", "Host: app.example.com")
        .env("DEPLOY_APP_HEALTH_CA", state.join("ca.pem"))
        .limit(Duration::from_secs(60));
    Some((world, program))
}

#[test]
fn health_is_asked_by_https_with_a_host_and_by_status() {
    let Some((world, program)) = https() else {
        return;
    };
    program.run().assert_code(0);
    let first = world.current().unwrap();
    // With any certificate it is the same application.
    let unverified = program.clone().env("DEPLOY_APP_HEALTH_CA", "none");
    unverified
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
    // What comes back is asked as it was when it was proven, whatever the deployment that failed was told.
    program
        .clone()
        .env("DEPLOY_APP_START", "exit 3")
        .env("DEPLOY_APP_HEALTH_URL", "none")
        .env_remove("DEPLOY_APP_HEALTH_STATUS")
        .env_remove("DEPLOY_APP_HEALTH_HEADER")
        .env_remove("DEPLOY_APP_HEALTH_CA")
        .run()
        .assert_code(1)
        .assert_stderr(&format!(
            "rolled back: release {first} runs again and is healthy"
        ));
}

#[test]
fn what_is_missing_for_https_is_said() {
    let Some((_world, program)) = https() else {
        return;
    };
    let program = program.env("DEPLOY_APP_HEALTH_TIMEOUT", "1s");
    program
        .clone()
        .env_remove("DEPLOY_APP_HEALTH_CA")
        .run()
        .assert_code(1)
        .assert_stderr("TLS: ");
    program
        .clone()
        .env_remove("DEPLOY_APP_HEALTH_HEADER")
        .run()
        .assert_code(1)
        .assert_stderr("it answers 404");
    program
        .env("DEPLOY_APP_HEALTH_STATUS", "301-399")
        .run()
        .assert_code(1)
        .assert_stderr("it answers 204");
}

#[test]
fn settings_of_health_without_health_are_refused() {
    Program::new(env!("CARGO_BIN_EXE_deploy-app"))
        .env("INSTANCE_ID", crate::aws::ID)
        .env("DEPLOY_APP_RUNTIME", "none")
        .env("DEPLOY_APP_HEALTH_CA", "/nonexistent/ca.pem")
        .env("DEPLOY_APP_HEALTH_HEADER", "Host: x")
        .env("DEPLOY_APP_OLLAMA_URL", "https://127.0.0.1/")
        .run()
        .assert_code(2)
        .assert_stderr("DEPLOY_APP_HEALTH_CA: cannot read `/nonexistent/ca.pem`")
        .assert_stderr("DEPLOY_APP_HEALTH_HEADER: there is no health URL to use it for")
        .assert_stderr("DEPLOY_APP_OLLAMA_URL: Ollama is asked over http://");
}
