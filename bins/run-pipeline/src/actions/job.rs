//! A custom action, or a Lambda function that is invoked: `job-worker` itself works on its job, over a job API and a
//! bucket that are served here.

use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;
use crate::ids::random_id;
use crate::job_api::{JobApi, Reported};
use crate::job_programs::{JobProgram, Manner};
use crate::job_server::{BUCKET, JobServer, Served};
use crate::process::{self, Ended, Groups};

/// Settings of the worker that suit a run on one machine, unless the environment says otherwise.
const SUITABLE: [(&str, &str); 3] = [
    ("JOB_WORKER_POLL_EVERY", "1s"),
    ("JOB_WORKER_CHECK_EVERY", "1s"),
    // Half of it is for the program; both fit into the time that a process has to clean up.
    ("JOB_WORKER_STOP_WITHIN", "50s"),
];

/// Before the names of variables that are the program's and not the worker's.
const FOR_PROGRAM: &str = "RUN_PIPELINE_FOR_PROGRAM_";

/// Runs the worker until the job is reported.
pub(super) async fn run(
    input: &ActionInput<'_>,
    job: &JobProgram,
) -> Result<ActionOutput, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::failed(format!("cannot run {} here", input.name())).cause(error)
    };
    let place = Place::make(input).map_err(cannot)?;
    let keys = Keys::random().map_err(cannot)?;
    let server = JobServer::bind(served(input, job, &place, &keys)?).await;
    let server = server.map_err(cannot)?;
    let address = server.address().map_err(cannot)?;
    let environment = Environment::of(input, address);
    environment.write_program(&place, job).map_err(cannot)?;
    let (command, _alive) = worker(input, job, &place, &keys, &environment).map_err(cannot)?;

    let mut groups = Groups::default();
    let ended = {
        let ending = async { server.give_up() };
        let done = server.reported();
        let prefix = &input.action.name;
        let running = process::run_until(command, prefix, &input.limits, &mut groups, ending, done);
        tokio::select! {
            ended = running => ended,
            never = server.serve() => match never {},
        }
    };
    groups.end().await;
    let failure = match ended.map_err(cannot)? {
        Err(Reported::Succeeded { variables }) => {
            let artifacts = place.made(input);
            return Ok(ActionOutput {
                variables,
                artifacts,
            });
        }
        Err(Reported::Failed {
            kind,
            message,
            external_id,
        }) => {
            // The console shows the type and the message; the execution's id beside it.
            let failure = Failure::failed(format!("the action {} failed: {kind}", input.name()));
            let failure = failure.cause(message.trim_end().replace('\n', "\n    "));
            match external_id {
                Some(id) => failure.detail(format!("external execution id: {id}")),
                None => failure,
            }
        }
        Ok(Ended::Interrupted(signal)) => {
            Failure::interrupted(signal, format!("{} ended", input.name()))
        }
        Ok(Ended::Late) => Failure::new(
            Exit::Deadline,
            format!("the deadline passed while {} ran", input.name()),
        ),
        Ok(Ended::Status(status)) => Failure::failed(format!(
            "the worker of {} ended with {status} before its job did",
            input.name()
        )),
    };
    Err(left(job, &place)
        .await
        .into_iter()
        .fold(failure, Failure::detail))
}

/// The folders of the action.
struct Place {
    /// The worker's own.
    work: PathBuf,
    /// The program, as the worker finds it.
    program: PathBuf,
    outputs: PathBuf,
}

impl Place {
    fn make(input: &ActionInput<'_>) -> std::io::Result<Self> {
        let folder = |name: &str| {
            let folder = std::path::absolute(input.folder.join(name))?;
            std::fs::create_dir_all(&folder)?;
            Ok::<_, std::io::Error>(folder)
        };
        Ok(Self {
            work: folder("worker")?,
            program: folder("program")?,
            outputs: folder("outputs")?,
        })
    }

    fn output(&self, name: &str) -> PathBuf {
        self.outputs.join(format!("{name}.zip"))
    }

    /// The output artifacts that the worker has uploaded.
    fn made(&self, input: &ActionInput<'_>) -> Vec<Artifact> {
        let names = input.action.outputs.iter();
        let all = names.map(|name| Artifact {
            name: name.text.clone(),
            zip: self.output(&name.text),
            revision: None,
        });
        all.filter(|one| one.zip.is_file()).collect()
    }
}

/// Access key ids that nobody else on this machine knows.
struct Keys {
    worker: String,
    job: String,
}

impl Keys {
    fn random() -> std::io::Result<Self> {
        let key = || random_id().map(|id| format!("ASIA{}", id.replace('-', "").to_uppercase()));
        Ok(Self {
            worker: key()?,
            job: key()?,
        })
    }
}

fn served(
    input: &ActionInput<'_>,
    job: &JobProgram,
    place: &Place,
    keys: &Keys,
) -> Result<Served, Failure> {
    let action = input.action;
    let mut inputs = BTreeMap::new();
    for name in &action.inputs {
        let artifact = input.artifact("InputArtifacts", &name.text)?;
        inputs.insert(format!("in/{}.zip", name.text), artifact.zip.clone());
    }
    let outputs = action.outputs.iter().map(|name| &name.text);
    let outputs = outputs.map(|name| (format!("out/{name}.zip"), place.output(name)));
    let artifact = |name: &str, key: String| {
        json!({
            "name": name,
            "location": {"type": "S3", "s3Location": {"bucketName": BUCKET, "objectKey": key}},
        })
    };
    let names = |folder: &str, all: &[contract::pipeline::Text]| -> Vec<Value> {
        let all = all.iter().map(|one| &one.text);
        all.map(|name| artifact(name, format!("{folder}/{name}.zip")))
            .collect()
    };
    let data = json!({
        "actionTypeId": {
            "category": action.category, "owner": action.owner, "provider": action.provider,
            "version": action.version.as_deref().unwrap_or("1"),
        },
        "actionConfiguration": {"configuration": input.configuration},
        "pipelineContext": {
            "pipelineName": input.definition.pipeline.name,
            "stage": {"name": input.stage},
            "action": {"name": action.name, "actionExecutionId": input.execution},
            "pipelineExecutionId": input.execution,
        },
        "inputArtifacts": names("in", &action.inputs),
        "outputArtifacts": names("out", &action.outputs),
        "artifactCredentials": {
            "accessKeyId": keys.job, "secretAccessKey": keys.job, "sessionToken": keys.job,
        },
    });
    Ok(Served {
        api: JobApi::new(data),
        worker_key: keys.worker.clone(),
        job_key: keys.job.clone(),
        inputs,
        outputs: outputs.collect(),
        is_function: job.manner == Manner::Invoked,
    })
}

/// What is passed on to the worker, and by it to the program.
struct Environment {
    /// The worker's own, without what only the job needs.
    worker: BTreeMap<String, String>,
    /// The `AWS_` variables of the program: those around us.
    program: BTreeMap<String, String>,
    address: SocketAddr,
    region: String,
}

impl Environment {
    fn of(input: &ActionInput<'_>, address: SocketAddr) -> Self {
        let around = input.context.environment.keys();
        let around: BTreeMap<String, String> = around
            .filter_map(|name| Some((name.clone(), input.context.variable(name)?)))
            .collect();
        let is_aws = |name: &str| name.starts_with("AWS_");
        let (mut program, mut worker): (BTreeMap<_, _>, BTreeMap<_, _>) =
            around.into_iter().partition(|(name, _)| is_aws(name));
        // This run's settings, and the build that it may be part of, are none of the worker's.
        worker.retain(|name, _| {
            !name.starts_with("RUN_PIPELINE_") && !name.starts_with("CODEBUILD_")
        });
        if let Some(region) = &input.action.region {
            program.insert("AWS_REGION".to_owned(), region.clone());
            program.remove("AWS_DEFAULT_REGION");
        }
        if !input.settings.allow_aws {
            // What no emulator answers meets a closed door.
            let endpoint = program.entry("AWS_ENDPOINT_URL".to_owned());
            endpoint.or_insert_with(|| format!("http://{address}"));
            let ignore = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS".to_owned();
            program.insert(ignore, "false".to_owned());
        }
        Self {
            worker,
            program,
            address,
            region: input.region(),
        }
    }

    /// The variables of the worker: AWS is the server here, and what is the program's passes under other names.
    fn variables(
        &self,
        job: &JobProgram,
        input: &ActionInput<'_>,
        place: &Place,
        keys: &Keys,
    ) -> BTreeMap<String, String> {
        let mut all = self.worker.clone();
        for (name, value) in SUITABLE {
            all.entry(name.to_owned()).or_insert(value.to_owned());
        }
        let mut passed = all.remove("JOB_WORKER_PASS").unwrap_or_default();
        for (name, value) in &self.program {
            let name = format!("{FOR_PROGRAM}{name}");
            passed.push_str(&format!("\n{name}"));
            all.insert(name, value.clone());
        }
        let region = match self.region.as_str() {
            "" => "us-east-1",
            region => region,
        };
        let mut set = |name: &str, value: &str| all.insert(name.to_owned(), value.to_owned());
        set("JOB_WORKER_PASS", passed.trim_start());
        set("JOB_WORKER_PROGRAM", &program_name(&job.program));
        set("JOB_WORKER_PROGRAM_DIR", &place.program.to_string_lossy());
        set("JOB_WORKER_WORK_DIR", &place.work.to_string_lossy());
        set("JOB_WORKER_CATEGORY", &input.action.category);
        set("JOB_WORKER_PROVIDER", &input.action.provider);
        let version = input.action.version.as_deref().unwrap_or("1");
        set("JOB_WORKER_ACTION_VERSION", version);
        set("AWS_ENDPOINT_URL", &format!("http://{}", self.address));
        set("AWS_ACCESS_KEY_ID", &keys.worker);
        set("AWS_SECRET_ACCESS_KEY", &keys.worker);
        set("AWS_REGION", region);
        set("AWS_EC2_METADATA_DISABLED", "true");
        // No endpoint or profile of a file may take the worker elsewhere.
        set("AWS_CONFIG_FILE", "/dev/null");
        set("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        if job.manner == Manner::Invoked {
            set("AWS_LAMBDA_RUNTIME_API", &self.address.to_string());
        }
        for name in ["NO_PROXY", "no_proxy"] {
            let own = self.address.ip().to_string();
            let before = self.worker.get("no_proxy").or(self.worker.get("NO_PROXY"));
            let both = before.map_or(own.clone(), |before| format!("{before},{own}"));
            all.insert(name.to_owned(), both);
        }
        all
    }

    /// The program as the worker runs it: in an environment whose `AWS_` variables are those around us again. The file
    /// holds names alone.
    fn write_program(&self, place: &Place, job: &JobProgram) -> std::io::Result<()> {
        let mut script = "#!/bin/sh\nunset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION \\\n  AWS_EC2_METADATA_DISABLED AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE\n".to_owned();
        for name in self.program.keys() {
            let passed = format!("{FOR_PROGRAM}{name}");
            script.push_str(&format!(
                "[ -z \"${{{passed}-}}\" ] || export {name}=\"${passed}\"\nunset {passed}\n"
            ));
        }
        let whole = job.program.to_string_lossy().replace('\'', r"'\''");
        script.push_str(&format!("exec '{whole}' \"$@\"\n"));
        let file = place.program.join(program_name(&job.program));
        std::fs::write(&file, script)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))
    }
}

fn program_name(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Tells the worker to stop when the other end of its standard input is closed: when this program ends in any way.
const ALIVE: &str = "exec 3<&0\n{ read -r _ <&3; kill -TERM $$; } &\nexec \"$@\" 3<&- </dev/null";

/// The worker as a command. It runs as long as what comes with it is kept.
fn worker(
    input: &ActionInput<'_>,
    job: &JobProgram,
    place: &Place,
    keys: &Keys,
    environment: &Environment,
) -> std::io::Result<(Command, PipeWriter)> {
    let (read, alive) = std::io::pipe()?;
    let mut command = Command::new("sh");
    command
        .args(["-c", ALIVE, "sh"])
        .arg(&job.worker)
        .arg(match job.manner {
            Manner::Polled => "serve",
            Manner::Invoked => "lambda",
        })
        .env_clear()
        .envs(environment.variables(job, input, place, keys))
        .current_dir(&place.work)
        .stdin(read);
    Ok((command, alive))
}

/// What the worker has written down as not removed, in lines.
async fn left(job: &JobProgram, place: &Place) -> Vec<String> {
    let asked = Command::new(&job.worker)
        .args(["status", "--format", "json", "--work-dir"])
        .arg(&place.work)
        .env_clear()
        .kill_on_drop(true)
        .output();
    let Ok(Ok(output)) = timeout(Duration::from_secs(20), asked).await else {
        return Vec::new();
    };
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let notes = ["waiting", "left"].map(|kind| said[kind].as_array().cloned());
    let notes = notes.into_iter().flatten().flatten();
    notes
        .map(|note| {
            let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
            format!("remains: {}\n    {}", text("work"), text("command"))
        })
        .collect()
}
