//! CodePipeline's job API for custom actions, and the artifacts of its jobs in S3.
//!
//! What AWS documents is kept; where nobody here has seen an account, the harder of two behaviours is the
//! default: a second acknowledgement is refused even with the nonce of the first, and a job that was offered and not
//! acknowledged is offered again at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::fake_aws::{FakeAws, Reply, Request};

/// The bucket of every artifact.
pub const BUCKET: &str = "artifacts";

/// A shared job API; clones are the same one.
#[derive(Clone, Default)]
pub struct Jobs(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    actions: Vec<Action>,
    jobs: Vec<Job>,
    /// Objects of the bucket: their bytes and the key that they were written with.
    objects: BTreeMap<String, Object>,
    nonces: u64,
    /// How many generations of credentials there were.
    credentials: u64,
    /// Whether the same nonce is taken twice, and given out once.
    forgiving: bool,
    /// Calls that broke a rule of the API, which no worker may.
    offences: Vec<String>,
}

/// An object of the artifact bucket.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// `aws:kms`, `AES256` or nothing.
    pub encryption: Option<String>,
    /// The KMS key that the writer named.
    pub key: Option<String>,
}

/// An action of a pipeline.
#[derive(Debug, Clone)]
pub struct Action {
    /// The action's name, which is also the pipeline's execution's.
    pub name: String,
    /// Its configuration.
    pub configuration: BTreeMap<String, String>,
    /// Names of input artifacts; their objects are `NAME.zip`.
    pub inputs: Vec<String>,
    /// Names of output artifacts; their objects are `out/NAME.zip`.
    pub outputs: Vec<String>,
    /// The pipeline's KMS key.
    pub key: Option<String>,
    /// Whether the job's credentials may not use that key.
    pub key_denied: bool,
}

impl Action {
    /// An action with this configuration.
    pub fn new(name: &str, configuration: &[(&str, &str)]) -> Self {
        let pairs = configuration.iter();
        Self {
            name: name.to_owned(),
            configuration: pairs
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            key: None,
            key_denied: false,
        }
    }
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Offered to whoever polls.
    Queued,
    /// Acknowledged.
    InProgress,
    /// Reported well; with a continuation token another job follows.
    Succeeded,
    /// Reported as failed.
    Failed,
    /// Given up by CodePipeline.
    TimedOut,
}

/// A job of an action.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The action, by its index.
    pub action: usize,
    /// Where it is.
    pub status: Status,
    /// The token that it came with.
    pub token: Option<String>,
    /// What was reported.
    pub report: Option<Value>,
    /// How often a report was accepted.
    pub reports: u32,
    nonce: String,
    /// The numbers of the credentials that were given out for it, and up to which they have expired.
    credentials: Vec<u64>,
    expired: u64,
}

impl Jobs {
    /// No jobs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a second acknowledgement with the nonce of the first for the same one; each offer then has a nonce of its own,
    /// and only the newest counts.
    pub fn forgive_second_acknowledgement(&self) {
        self.state().forgiving = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Starts an action: its first job is queued. Gives the action's index.
    pub fn start(&self, action: Action) -> usize {
        let mut state = self.state();
        state.actions.push(action);
        let index = state.actions.len() - 1;
        state.queue(index, None);
        index
    }

    /// The event with which an invoke action calls a Lambda function for the action's next job; such a job needs no
    /// acknowledgement. Nothing when no job is queued.
    pub fn event(&self, action: usize) -> Option<Value> {
        let mut state = self.state();
        let mut jobs = state.jobs.iter();
        let index = jobs.position(|job| job.action == action && job.status == Status::Queued)?;
        state.jobs[index].status = Status::InProgress;
        let mut data = state.data(index);
        let settings = data["actionConfiguration"]["configuration"].to_string();
        data["actionConfiguration"]["configuration"] =
            json!({ "FunctionName": "f", "UserParameters": settings });
        if let Some(data) = data.as_object_mut() {
            data.remove("pipelineContext");
            data.remove("actionTypeId");
        }
        let id = state.jobs[index].id.clone();
        Some(json!({ "CodePipeline.job": { "id": id, "accountId": "123456789012", "data": data } }))
    }

    /// Puts an object into the artifact bucket.
    pub fn put_object(&self, key: &str, bytes: Vec<u8>) {
        let object = Object {
            bytes,
            ..Object::default()
        };
        self.state().objects.insert(key.to_owned(), object);
    }

    /// An object of the bucket.
    pub fn object(&self, key: &str) -> Option<Object> {
        self.state().objects.get(key).cloned()
    }

    /// Every job, in order.
    pub fn all(&self) -> Vec<Job> {
        self.state().jobs.clone()
    }

    /// The last job of an action.
    ///
    /// # Panics
    /// When there is no such action.
    pub fn last(&self, action: usize) -> Job {
        let state = self.state();
        let mut of_it = state.jobs.iter().rev();
        of_it.find(|job| job.action == action).unwrap().clone()
    }

    /// Whether the action's last job has ended, and no other follows.
    pub fn is_over(&self, action: usize) -> bool {
        !matches!(
            self.last(action).status,
            Status::Queued | Status::InProgress
        )
    }

    /// Gives up the action: its last job has run out of time.
    pub fn time_out(&self, action: usize) {
        let mut state = self.state();
        let mut of_it = state.jobs.iter_mut().rev();
        let job = of_it.find(|job| job.action == action).unwrap();
        if matches!(job.status, Status::Queued | Status::InProgress) {
            job.status = Status::TimedOut;
        }
    }

    /// Lets the credentials that were given out expire; GetJobDetails and PollForJobs give new ones.
    pub fn expire_credentials(&self) {
        let mut state = self.state();
        let newest = state.credentials;
        for job in &mut state.jobs {
            job.expired = newest;
        }
    }

    /// Calls that broke a rule of the API.
    pub fn offences(&self) -> Vec<String> {
        self.state().offences.clone()
    }

    /// Answers the job API and the artifact bucket of `fake`.
    pub fn install(&self, fake: &FakeAws) {
        let on = |operation: &str, answer: fn(&mut State, &Request) -> Result<Reply, Reply>| {
            let jobs = self.clone();
            fake.on_call(operation, move |request| {
                answer(&mut jobs.state(), request).unwrap_or_else(|error| error)
            });
        };
        on("codepipeline:PollForJobs", |state, request| {
            Ok(state.poll(request))
        });
        on("codepipeline:AcknowledgeJob", State::acknowledge);
        on("codepipeline:GetJobDetails", State::details);
        on("codepipeline:PutJobSuccessResult", |state, request| {
            state.report(request, Status::Succeeded)
        });
        on("codepipeline:PutJobFailureResult", |state, request| {
            state.report(request, Status::Failed)
        });
        on("s3:GetObject", State::get_object);
        on("s3:PutObject", State::put);
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}

fn error(code: &str, message: &str) -> Reply {
    Reply::error(400, code, message)
}

impl State {
    fn queue(&mut self, action: usize, token: Option<String>) {
        let number = self.jobs.len() + 1;
        self.jobs.push(Job {
            id: format!("{number:08x}-0000-4000-8000-000000000000"),
            action,
            status: Status::Queued,
            token,
            report: None,
            reports: 0,
            nonce: String::new(),
            credentials: Vec::new(),
            expired: 0,
        });
    }

    fn poll(&mut self, request: &Request) -> Reply {
        let asked = body(request);
        if asked["actionTypeId"]["owner"] != "Custom" {
            self.offences
                .push("polled for a type that is not Custom".to_owned());
        }
        let most = asked["maxBatchSize"].as_u64().unwrap_or(1);
        let mut offered = Vec::new();
        for index in 0..self.jobs.len() {
            if self.jobs[index].status != Status::Queued || offered.len() as u64 >= most {
                continue;
            }
            if self.jobs[index].nonce.is_empty() || self.forgiving {
                self.nonces += 1;
                self.jobs[index].nonce = self.nonces.to_string();
            }
            let mut job = json!({ "id": self.jobs[index].id, "nonce": self.jobs[index].nonce, "accountId": "123456789012" });
            job["data"] = self.data(index);
            offered.push(job);
        }
        Reply::json(&json!({ "jobs": offered }))
    }

    fn data(&mut self, index: usize) -> Value {
        self.credentials += 1;
        let job = &mut self.jobs[index];
        job.credentials.push(self.credentials);
        let action = &self.actions[job.action];
        let artifact = |name: &String, object: String| {
            json!({
                "name": name,
                "location": { "type": "S3", "s3Location": { "bucketName": BUCKET, "objectKey": object } },
            })
        };
        let inputs = action
            .inputs
            .iter()
            .map(|name| artifact(name, format!("{name}.zip")));
        let outputs = action
            .outputs
            .iter()
            .map(|name| artifact(name, format!("out/{name}.zip")));
        let mut data = json!({
            "actionTypeId": { "category": "Build", "owner": "Custom", "provider": "MakeAmi", "version": "1" },
            "actionConfiguration": { "configuration": action.configuration },
            "pipelineContext": {
                "pipelineName": "app", "stage": { "name": "AMI" },
                "action": { "name": action.name, "actionExecutionId": format!("a-{}", action.name) },
                "pipelineExecutionId": format!("e-{}", action.name),
            },
            "inputArtifacts": inputs.collect::<Vec<_>>(),
            "outputArtifacts": outputs.collect::<Vec<_>>(),
            "artifactCredentials": {
                "accessKeyId": format!("ASIAJOB{}", self.credentials),
                "secretAccessKey": "job-secret-that-nobody-may-read",
                "sessionToken": "job-session-that-nobody-may-read",
            },
        });
        if let Some(token) = &job.token {
            data["continuationToken"] = json!(token);
        }
        if let Some(key) = &action.key {
            data["encryptionKey"] = json!({ "id": key, "type": "KMS" });
        }
        data
    }

    fn find(&mut self, request: &Request) -> Result<usize, Reply> {
        let id = body(request)["jobId"].clone();
        let found = self.jobs.iter().position(|job| id == job.id.as_str());
        found.ok_or_else(|| error("JobNotFoundException", "The job could not be found."))
    }

    fn acknowledge(&mut self, request: &Request) -> Result<Reply, Reply> {
        let index = self.find(request)?;
        let forgiving = self.forgiving;
        let job = &mut self.jobs[index];
        let is_nonce = body(request)["nonce"] == job.nonce.as_str();
        let again = job.status == Status::InProgress && forgiving;
        let invalid = || error("InvalidNonceException", "The nonce is not valid.");
        match job.status {
            Status::Queued | Status::InProgress if !is_nonce => Err(invalid()),
            Status::InProgress if !again => Err(invalid()),
            Status::Queued | Status::InProgress => {
                job.status = Status::InProgress;
                Ok(Reply::json(&json!({ "status": "InProgress" })))
            }
            Status::TimedOut => Ok(Reply::json(&json!({ "status": "TimedOut" }))),
            Status::Succeeded | Status::Failed => Err(invalid()),
        }
    }

    fn details(&mut self, request: &Request) -> Result<Reply, Reply> {
        let index = self.find(request)?;
        if self.jobs[index].status != Status::InProgress {
            return Err(error("JobNotFoundException", "The job could not be found."));
        }
        let id = self.jobs[index].id.clone();
        let data = self.data(index);
        Ok(Reply::json(
            &json!({ "jobDetails": { "id": id, "data": data, "accountId": "123456789012" } }),
        ))
    }

    fn report(&mut self, request: &Request, status: Status) -> Result<Reply, Reply> {
        let index = self.find(request)?;
        let said = body(request);
        if self.jobs[index].status != Status::InProgress {
            if self.jobs[index].status == Status::Queued {
                self.offences
                    .push("reported a job that was not acknowledged".to_owned());
            }
            return Err(error("InvalidJobStateException", "The job has ended."));
        }
        let token = said["continuationToken"].as_str().map(str::to_owned);
        let variables = said["outputVariables"].as_object();
        if token.is_some() && variables.is_some_and(|all| !all.is_empty()) {
            let text = "outputVariables are not accepted together with a continuation token";
            self.offences.push(text.to_owned());
            return Err(error("ValidationException", text));
        }
        let size =
            |(name, value): (&String, &Value)| name.len() + value.as_str().map_or(0, str::len);
        if variables.is_some_and(|all| all.iter().map(size).sum::<usize>() > 122_880) {
            self.offences.push("too many output variables".to_owned());
            let text = "The output variables are too large.";
            return Err(error("OutputVariablesSizeExceededException", text));
        }
        for (text, longest) in [
            (&said["continuationToken"], 2048),
            (&said["executionDetails"]["summary"], 2048),
            (&said["executionDetails"]["externalExecutionId"], 1500),
            (&said["failureDetails"]["message"], 5000),
            (&said["failureDetails"]["externalExecutionId"], 1500),
        ] {
            let Some(text) = text.as_str() else { continue };
            if !(1..=longest).contains(&text.chars().count()) {
                self.offences
                    .push(format!("a text of {} characters", text.len()));
                return Err(error(
                    "ValidationException",
                    "Member must have length less than or equal",
                ));
            }
        }
        let job = &mut self.jobs[index];
        job.status = status;
        job.reports += 1;
        job.report = Some(said);
        let action = job.action;
        if let Some(token) = token {
            self.queue(action, Some(token));
        }
        Ok(Reply::empty(200).header("content-type", "application/x-amz-json-1.1"))
    }

    /// The job whose credentials signed a request.
    fn signer(&self, request: &Request) -> Result<&Job, Reply> {
        let denied = || Reply::error(403, "AccessDenied", "Access Denied");
        let header = request.header("authorization").unwrap_or_default();
        let number = header.split_once("Credential=ASIAJOB");
        let number = number.and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
        let number: u64 = number.ok_or_else(denied)?;
        let job = self
            .jobs
            .iter()
            .find(|job| job.credentials.contains(&number));
        let job = job.ok_or_else(denied)?;
        match number <= job.expired {
            true => Err(error("ExpiredToken", "The provided token has expired.")),
            false => Ok(job),
        }
    }

    fn get_object(&mut self, request: &Request) -> Result<Reply, Reply> {
        self.signer(request)?;
        let key = request
            .path
            .trim_start_matches(&format!("/{BUCKET}/"))
            .to_owned();
        let object = self.objects.get(&key);
        let object = object
            .ok_or_else(|| Reply::error(404, "NoSuchKey", "The specified key does not exist."))?;
        Ok(Reply::bytes(object.bytes.clone()))
    }

    fn put(&mut self, request: &Request) -> Result<Reply, Reply> {
        let action = self.signer(request)?.action;
        let header = |name: &str| request.header(name).map(str::to_owned);
        let object = Object {
            bytes: request.body.clone(),
            encryption: header("x-amz-server-side-encryption"),
            key: header("x-amz-server-side-encryption-aws-kms-key-id"),
        };
        if self.actions[action].key_denied && object.encryption.as_deref() == Some("aws:kms") {
            let text = "User is not authorized to perform: kms:GenerateDataKey on this resource";
            return Err(Reply::error(403, "AccessDenied", text));
        }
        let key = request
            .path
            .trim_start_matches(&format!("/{BUCKET}/"))
            .to_owned();
        self.objects.insert(key, object);
        Ok(Reply::empty(200).header("etag", "\"0\""))
    }
}
