//! microburst, a proxy by other people that spoils the answers of an emulator in AWS's own words.
//!
//! One serves many tests at once: a rule that names `authorization` in `headers` holds only for the
//! access key in it. What it cannot do is lose an answer without a body, such as S3's to a
//! PutObject, and send a shortened body with a length that fits: [`crate::FakeAws::before`] does.

use std::process::Command;

use serde_json::{Value, json};

use crate::server::{Server, Start, installed, signed};

/// A running `microburst`; dropping it stops it.
pub struct Microburst(Server);

impl Microburst {
    /// Starts `microburst` on a free port, before `upstream`. `None`, after [`crate::missing()`],
    /// when it is not installed.
    ///
    /// The program is the one named by `MICROBURST`, or `venv-faults/bin/microburst` in the build
    /// folder (`BUILD_DIR`, or `build` in the workspace).
    ///
    /// # Panics
    /// When it is installed but does not start.
    pub fn before(upstream: &Server) -> Option<Self> {
        let program = installed("MICROBURST", "venv-faults/bin/microburst")?;
        let upstream = upstream.url();
        Some(Self(Server::start(&Start {
            name: "microburst",
            command: &|port, _| {
                let mut command = Command::new(&program);
                command.args(["--upstream", &upstream]).args([
                    "--host",
                    "127.0.0.1",
                    "--port",
                    &port.to_string(),
                ]);
                command
            },
            ready: "/_microburst/health",
        })))
    }

    /// Has it read all that it will need to know of these services, and the upstream too. Both do so at the
    /// first call of each, which takes seconds of a processor, and meanwhile nobody is answered.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn warm_up<'a>(&self, services: impl IntoIterator<Item = &'a str>) {
        for service in services {
            let said = json!({"code": "Throttling", "message": "warm-up"});
            self.rule(&json!({"service": service, "headers": {"x-warm-up": ""}, "times": 1, "error": said}));
            for _ in 0..2 {
                let headers = [("x-warm-up", "1".to_owned()), signed(service)];
                self.0.request("GET", "/", &headers, b"");
            }
        }
    }

    /// The endpoint for programs.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Adds a rule after those that are there, in microburst's own words, and gives its id. The
    /// first rule that matches a request has its way.
    ///
    /// # Panics
    /// When microburst refuses it.
    pub fn rule(&self, rule: &Value) -> u64 {
        let body = json!([rule]).to_string();
        let added = self.control("PATCH", "/_microburst/rules", &body);
        added[0]["id"].as_u64().expect("a rule has an id")
    }

    /// How often the rule `id` has had its way.
    ///
    /// # Panics
    /// When there is no such rule.
    pub fn fired(&self, id: u64) -> u64 {
        let rules = self.control("GET", "/_microburst/rules", "");
        let rules = rules.as_array().expect("rules are a list");
        let rule = rules.iter().find(|rule| rule["id"].as_u64() == Some(id));
        let count = rule.and_then(|rule| rule["fired_count"].as_u64());
        count.expect("the rule is there")
    }

    fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let kind = [("content-type", "application/json".to_owned())];
        let (status, answer) = self.0.request(method, path, &kind, body.as_bytes());
        assert_eq!(status, 200, "microburst refuses {body}: {answer}");
        serde_json::from_str(&answer).expect("microburst answers in JSON")
    }
}
