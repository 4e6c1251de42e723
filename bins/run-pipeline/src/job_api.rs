//! CodePipeline's side of one action: its jobs, one after the other, and what was reported of them. Pure.
//!
//! Source: the API's reference of PollForJobs, AcknowledgeJob, GetJobDetails, PutJobSuccessResult and
//! PutJobFailureResult, and the event of a Lambda invoke action. Nobody here has seen these calls on an account.

use serde_json::{Map, Value, json};

/// What CodePipeline's own client sends in `X-Amz-Target` before the name of a call.
const TARGET: &str = "CodePipeline_20150709.";

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reported {
    Succeeded {
        /// The output variables, in the order of their names.
        variables: Vec<(String, String)>,
    },
    Failed {
        /// `ConfigurationError`, `JobFailed` and so on.
        kind: String,
        message: String,
        /// What the worker calls the work, such as an image's id.
        external_id: Option<String>,
    },
}

/// A call that is refused: the code of the error, and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str, pub(crate) String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Queued,
    InProgress,
    /// Reported, or given up.
    Over,
}

/// The jobs of one action: each is followed by another one as long as it is reported with a continuation token.
#[derive(Debug)]
pub(crate) struct JobApi {
    /// What every job says of the action.
    data: Value,
    number: u32,
    status: Status,
    token: Option<String>,
    is_given_up: bool,
}

impl JobApi {
    /// The API with the first job; `data` is the job's, without a token.
    pub(crate) fn new(data: Value) -> Self {
        Self {
            data,
            number: 1,
            status: Status::Queued,
            token: None,
            is_given_up: false,
        }
    }

    /// The execution stops: the job is no longer in progress.
    pub(crate) fn give_up(&mut self) {
        self.is_given_up = true;
        self.status = Status::Over;
    }

    /// Answers a call, by its `X-Amz-Target`; what ends the action comes beside the answer.
    pub(crate) fn call(
        &mut self,
        target: &str,
        body: &[u8],
    ) -> Result<(Value, Option<Reported>), Refused> {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let answer = match target.strip_prefix(TARGET).unwrap_or(target) {
            "PollForJobs" => return Ok((self.poll(&said), None)),
            "AcknowledgeJob" => self.acknowledge(&said),
            "GetJobDetails" => self.details(&said),
            "PutJobSuccessResult" => return self.succeeded(&said),
            "PutJobFailureResult" => return self.failed(&said),
            other => Err(Refused(
                "AccessDeniedException",
                format!("run-pipeline serves only the calls of a job worker, not {other}"),
            )),
        };
        answer.map(|answer| (answer, None))
    }

    /// The event of a Lambda function, for a job that is queued. Its function need not acknowledge it.
    pub(crate) fn invoke(&mut self) -> Option<(String, Value)> {
        if self.status != Status::Queued {
            return None;
        }
        self.status = Status::InProgress;
        let mut data = self.job_data();
        if let Some(data) = data.as_object_mut() {
            data.remove("pipelineContext");
            data.remove("actionTypeId");
        }
        let id = self.id();
        let job = json!({ "id": id, "accountId": "000000000000", "data": data });
        Some((id, json!({ "CodePipeline.job": job })))
    }

    /// Whether a job is in a worker's hands.
    pub(crate) fn is_in_progress(&self) -> bool {
        self.status == Status::InProgress
    }

    fn id(&self) -> String {
        format!("{:08x}-0000-4000-8000-000000000000", self.number)
    }

    fn job_data(&self) -> Value {
        let mut data = self.data.clone();
        if let Some(token) = &self.token {
            data["continuationToken"] = token.as_str().into();
        }
        data
    }

    fn poll(&self, said: &Value) -> Value {
        let is_ours = said["actionTypeId"] == self.data["actionTypeId"];
        if !is_ours || self.status != Status::Queued {
            return json!({ "jobs": [] });
        }
        let nonce = self.number.to_string();
        let job = json!({ "id": self.id(), "nonce": nonce, "accountId": "000000000000", "data": self.job_data() });
        json!({ "jobs": [job] })
    }

    fn find(&self, said: &Value) -> Result<(), Refused> {
        match said["jobId"].as_str() {
            Some(id) if id == self.id() => Ok(()),
            _ => Err(Refused(
                "JobNotFoundException",
                "The job could not be found.".to_owned(),
            )),
        }
    }

    fn acknowledge(&mut self, said: &Value) -> Result<Value, Refused> {
        self.find(said)?;
        if self.is_given_up {
            return Ok(json!({ "status": "TimedOut" }));
        }
        let is_nonce = said["nonce"].as_str() == Some(&self.number.to_string());
        if self.status != Status::Queued || !is_nonce {
            let text = "The nonce is not that of a job that waits.";
            return Err(Refused("InvalidNonceException", text.to_owned()));
        }
        self.status = Status::InProgress;
        Ok(json!({ "status": "InProgress" }))
    }

    fn in_progress(&self, said: &Value) -> Result<(), Refused> {
        self.find(said)?;
        match self.status {
            Status::InProgress => Ok(()),
            _ => Err(Refused(
                "InvalidJobStateException",
                "The job is not in progress.".to_owned(),
            )),
        }
    }

    fn details(&self, said: &Value) -> Result<Value, Refused> {
        self.find(said)?;
        if self.status != Status::InProgress {
            let text = "The job is not in progress.".to_owned();
            return Err(Refused("JobNotFoundException", text));
        }
        Ok(
            json!({ "jobDetails": { "id": self.id(), "accountId": "000000000000", "data": self.job_data() } }),
        )
    }

    fn succeeded(&mut self, said: &Value) -> Result<(Value, Option<Reported>), Refused> {
        self.in_progress(said)?;
        if let Some(token) = said["continuationToken"].as_str() {
            self.token = Some(token.to_owned());
            self.number += 1;
            self.status = Status::Queued;
            return Ok((json!({}), None));
        }
        let nothing = Map::new();
        let variables = said["outputVariables"].as_object().unwrap_or(&nothing);
        let variables = variables.iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let variables = variables.map(|(name, value)| (name.clone(), text(value)));
        let mut variables: Vec<_> = variables.collect();
        variables.sort();
        self.status = Status::Over;
        Ok((json!({}), Some(Reported::Succeeded { variables })))
    }

    fn failed(&mut self, said: &Value) -> Result<(Value, Option<Reported>), Refused> {
        self.in_progress(said)?;
        let details = &said["failureDetails"];
        let text = |name: &str| details[name].as_str().map(str::to_owned);
        self.status = Status::Over;
        let failed = Reported::Failed {
            kind: text("type").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            external_id: text("externalExecutionId"),
        };
        Ok((json!({}), Some(failed)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{JobApi, Refused, Reported};
    use serde_json::{Value, json};

    fn kind() -> Value {
        json!({"category": "Build", "owner": "Custom", "provider": "Bake", "version": "1"})
    }

    fn api() -> JobApi {
        JobApi::new(json!({ "actionTypeId": kind(), "actionConfiguration": {"configuration": {}} }))
    }

    fn call(
        api: &mut JobApi,
        name: &str,
        body: &Value,
    ) -> Result<(Value, Option<Reported>), Refused> {
        api.call(
            &format!("CodePipeline_20150709.{name}"),
            body.to_string().as_bytes(),
        )
    }

    /// The job that is offered.
    fn poll(api: &mut JobApi) -> Option<Value> {
        let (answer, _) = call(api, "PollForJobs", &json!({"actionTypeId": kind()})).unwrap();
        answer["jobs"].get(0).cloned()
    }

    fn code(answer: Result<(Value, Option<Reported>), Refused>) -> &'static str {
        answer.unwrap_err().0
    }

    #[test]
    fn a_token_comes_back_with_the_next_job_and_each_job_is_reported_once() {
        let mut api = api();
        let other = json!({"actionTypeId": {"category": "Build", "owner": "Custom", "provider": "Other", "version": "1"}});
        assert_eq!(
            call(&mut api, "PollForJobs", &other).unwrap().0["jobs"],
            json!([])
        );
        let first = poll(&mut api).unwrap();
        assert_eq!(
            poll(&mut api).unwrap(),
            first,
            "offered until it is acknowledged"
        );
        let done = json!({"jobId": first["id"], "continuationToken": "t"});
        assert_eq!(
            code(call(&mut api, "PutJobSuccessResult", &done)),
            "InvalidJobStateException"
        );
        let wrong = json!({"jobId": first["id"], "nonce": "7"});
        assert_eq!(
            code(call(&mut api, "AcknowledgeJob", &wrong)),
            "InvalidNonceException"
        );
        let right = json!({"jobId": first["id"], "nonce": first["nonce"]});
        call(&mut api, "AcknowledgeJob", &right).unwrap();
        assert_eq!(
            code(call(&mut api, "AcknowledgeJob", &right)),
            "InvalidNonceException"
        );
        assert_eq!(poll(&mut api), None);
        assert_eq!(
            call(&mut api, "PutJobSuccessResult", &done).unwrap().1,
            None
        );
        let second = poll(&mut api).unwrap();
        assert_ne!(second["id"], first["id"]);
        assert_eq!(second["data"]["continuationToken"], "t");
        assert_eq!(
            code(call(&mut api, "PutJobSuccessResult", &done)),
            "JobNotFoundException"
        );
        let right = json!({"jobId": second["id"], "nonce": second["nonce"]});
        call(&mut api, "AcknowledgeJob", &right).unwrap();
        let done = json!({"jobId": second["id"], "outputVariables": {"B": "2", "A": "1"}});
        let (_, reported) = call(&mut api, "PutJobSuccessResult", &done).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = vec![pair("A", "1"), pair("B", "2")];
        assert_eq!(reported, Some(Reported::Succeeded { variables }));
        assert_eq!(
            code(call(&mut api, "PutJobSuccessResult", &done)),
            "InvalidJobStateException"
        );
    }

    #[test]
    fn a_job_that_was_given_up_is_known_to_nobody() {
        let mut api = api();
        let (id, event) = api.invoke().unwrap();
        assert_eq!(event["CodePipeline.job"]["id"], id.as_str());
        assert!(api.invoke().is_none());
        assert!(call(&mut api, "GetJobDetails", &json!({"jobId": id})).is_ok());
        api.give_up();
        assert_eq!(
            code(call(&mut api, "GetJobDetails", &json!({"jobId": id}))),
            "JobNotFoundException"
        );
        let failed = json!({"jobId": id, "failureDetails": {"type": "JobFailed", "message": "m"}});
        assert_eq!(
            code(call(&mut api, "PutJobFailureResult", &failed)),
            "InvalidJobStateException"
        );
        assert_eq!(
            code(call(&mut api, "DeletePipeline", &json!({}))),
            "AccessDeniedException"
        );
    }
}
