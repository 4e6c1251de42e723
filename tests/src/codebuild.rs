//! CodeBuild as far as a program asks about its own build: BatchGetBuilds.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::fake_aws::{FakeAws, Reply, Request};

/// A shared CodeBuild; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct CodeBuild(Arc<Mutex<Vec<Build>>>);

/// A build.
#[derive(Debug, Clone)]
pub struct Build {
    /// `project:uuid`, as `CODEBUILD_BUILD_ID` has it.
    pub id: String,
    /// When it began.
    pub started: SystemTime,
    /// Its limit; nothing on Lambda compute, which has no such property.
    pub timeout_in_minutes: Option<u32>,
    /// The id of the build that it retries by itself.
    pub retried: Option<String>,
    /// `IN_PROGRESS`, `SUCCEEDED`, `FAILED`, `FAULT`, `TIMED_OUT` or `STOPPED`.
    pub status: String,
    /// The project's variables: name and type, such as `PARAMETER_STORE`.
    pub variables: Vec<(String, String)>,
    /// The group and the stream of its log in CloudWatch Logs.
    pub log: Option<(String, String)>,
}

impl Build {
    /// A build that runs since `started`, with CodeBuild's default limit of an hour.
    pub fn running(id: &str, started: SystemTime) -> Self {
        Self {
            id: id.to_owned(),
            started,
            timeout_in_minutes: Some(60),
            retried: None,
            status: "IN_PROGRESS".to_owned(),
            variables: Vec::new(),
            log: None,
        }
    }

    /// Says where its log is.
    #[must_use]
    pub fn logs(mut self, group: &str, stream: &str) -> Self {
        self.log = Some((group.to_owned(), stream.to_owned()));
        self
    }

    /// Changes the limit.
    #[must_use]
    pub fn timeout_in_minutes(mut self, minutes: Option<u32>) -> Self {
        self.timeout_in_minutes = minutes;
        self
    }

    /// Makes it an automatic retry of another build.
    #[must_use]
    pub fn retry_of(mut self, id: &str) -> Self {
        self.retried = Some(id.to_owned());
        self
    }

    /// Adds a variable of the project, of type `PLAINTEXT`, `PARAMETER_STORE` or `SECRETS_MANAGER`.
    #[must_use]
    pub fn variable(mut self, name: &str, kind: &str) -> Self {
        self.variables.push((name.to_owned(), kind.to_owned()));
        self
    }

    /// Changes the status.
    #[must_use]
    pub fn status(mut self, status: &str) -> Self {
        self.status = status.to_owned();
        self
    }

    fn json(&self) -> Value {
        let is_complete = self.status != "IN_PROGRESS";
        let project = self.id.split(':').next().unwrap_or("");
        let mut build = json!({
            "id": self.id,
            "arn": format!("arn:aws:codebuild:eu-west-1:123456789012:build/{}", self.id),
            "buildNumber": 1,
            "startTime": seconds(self.started),
            "currentPhase": if is_complete { "COMPLETED" } else { "BUILD" },
            "buildStatus": self.status,
            "projectName": project,
            "queuedTimeoutInMinutes": 480,
            "buildComplete": is_complete,
        });
        let variables = self.variables.iter();
        let variables: Vec<Value> = variables
            .map(|(name, kind)| json!({"name": name, "value": format!("/of/{name}"), "type": kind}))
            .collect();
        build["environment"] = json!({"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL", "environmentVariables": variables});
        if let Some((group, stream)) = &self.log {
            build["logs"] = json!({"groupName": group, "streamName": stream});
        }
        if let Some(id) = &self.retried {
            let arn = format!("arn:aws:codebuild:eu-west-1:123456789012:build/{id}");
            build["autoRetryConfig"] = json!({"autoRetryLimit": 2, "previousAutoRetry": arn});
        }
        if let Some(minutes) = self.timeout_in_minutes {
            build["timeoutInMinutes"] = minutes.into();
        }
        if is_complete {
            build["endTime"] = seconds(self.started + Duration::from_secs(1)).into();
        }
        build
    }
}

/// Seconds since 1970 with their fraction, as the JSON services write a time.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a time after 1970").as_secs_f64()
}

impl CodeBuild {
    /// A CodeBuild with these builds.
    pub fn with(builds: impl IntoIterator<Item = Build>) -> Self {
        Self(Arc::new(Mutex::new(builds.into_iter().collect())))
    }

    /// Changes a build in the middle of a test.
    ///
    /// # Panics
    /// When there is no such build.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Build)) {
        let mut builds = self.0.lock().unwrap();
        let found = builds.iter_mut().find(|build| build.id == id);
        change(found.expect("a build of the fake"));
    }

    /// Makes `fake` answer `codebuild:BatchGetBuilds`.
    pub fn serve(&self, fake: &FakeAws) {
        let this = self.clone();
        fake.on_call("codebuild:BatchGetBuilds", move |request| {
            this.batch_get_builds(request)
        });
    }

    fn batch_get_builds(&self, request: &Request) -> Reply {
        let asked = request.json();
        let ids: Vec<&str> = asked["ids"].as_array().map_or_else(Vec::new, |ids| {
            ids.iter().filter_map(Value::as_str).collect()
        });
        if !(1..=100).contains(&ids.len()) {
            let message = "1 to 100 build ids must be given";
            return Reply::error(400, "InvalidInputException", message);
        }
        let builds = self.0.lock().unwrap();
        // A build is named by its id or by its ARN.
        let find = |id: &str| {
            let id = id.rsplit_once("build/").map_or(id, |(_, id)| id);
            builds.iter().find(|build| build.id == id)
        };
        let found: Vec<Value> = ids
            .iter()
            .filter_map(|id| find(id))
            .map(Build::json)
            .collect();
        let absent: Vec<&&str> = ids.iter().filter(|id| find(id).is_none()).collect();
        Reply::json(&json!({"builds": found, "buildsNotFound": absent}))
    }
}
