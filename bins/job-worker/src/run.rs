//! From the settings to a running worker.

use crate::action_type;
use crate::api::Api;
use crate::child::Processes;
use crate::clock::Clock;
use crate::journal::Journal;
use crate::lambda::Runtime;
use crate::request::Variables;
use crate::serve;
use crate::served;
use crate::settings::Checked;
use crate::status;
use crate::worker::{Stopping, Worker};
use action::failure::Failure;
use action::program::{Context, Description, Output};
use aws::session::Session;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout};

/// The variable by which Lambda says where its runtime API is.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// How long a program may take to say what it is.
const DESCRIBES_WITHIN: Duration = Duration::from_secs(20);
/// A worker has no end of its own: its calls to AWS are bounded one by one.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Variables that a program needs to reach AWS, besides those that begin with `AWS_`.
const OF_THE_WAY: [&str; 9] = [
    "HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

pub(crate) async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    // A function's `bootstrap` is started without arguments.
    let in_lambda = context.variable(RUNTIME_API);
    let command = match (context.command.as_deref(), &in_lambda) {
        (None, Some(_)) => "lambda",
        (None, None) => {
            return Err(Failure::refused("no command is given; nothing was touched")
                .hint("job-worker serve, lambda, status or action-type"));
        }
        (Some(command), _) => command,
    };
    match command {
        "status" => {
            let journal = Journal::at(&settings.work_dir);
            let text = status::status(&journal, Clock::start().now(), settings.format);
            Ok(Output::Data(text))
        }
        "action-type" => {
            let program = program_file(&settings)?;
            let described = describe(&program).await?;
            let Some(action_type) = &settings.action_type else {
                return Err(Failure::refused("JOB_WORKER_PROVIDER is not set"));
            };
            let yaml = action_type::yaml(action_type, &described, served::served(&described.name));
            yaml.map(Output::Data).map_err(Failure::refused)
        }
        "lambda" => {
            let Some(address) = in_lambda else {
                return Err(Failure::refused(format!(
                    "{RUNTIME_API} is not set: this is not a Lambda function"
                ))
                .hint("on an instance it is `job-worker serve`"));
            };
            let (worker, tell) = open(&settings, &context, false).await?;
            let runtime = Runtime::at(&address);
            runtime.serve(&worker, &tell, &context.interrupt).await?;
            Ok(Output::Nothing)
        }
        _ => {
            let (worker, tell) = open(&settings, &context, true).await?;
            if context.dry_run {
                return plan(&settings, &context, &worker);
            }
            if let Some(action_type) = &settings.action_type {
                tracing::info!("serving {action_type} with {}", worker.description.name);
            }
            let serving = serve::serve(Rc::new(worker), tell, &context.interrupt);
            LocalSet::new().run_until(serving).await?;
            Ok(Output::Nothing)
        }
    }
}

fn plan(
    settings: &Checked,
    context: &Context,
    worker: &Worker<Processes>,
) -> Result<Output, Failure> {
    let action_type = settings.action_type.as_ref().map(ToString::to_string);
    let action_type = action_type.unwrap_or_default();
    let manner = &settings.manner;
    let text = format!(
        "plan: ask for jobs of {action_type} every {:?}, and run {} {} for them, {} at once, in {}\n",
        manner.poll_every,
        worker.description.name,
        worker.description.version,
        manner.jobs,
        settings.work_dir.display()
    );
    let json = serde_json::json!({
        "actionType": action_type, "program": worker.description.name, "version": worker.description.version,
        "jobs": manner.jobs, "workFolder": settings.work_dir,
    });
    context.show_plan(&text, &json)?;
    Ok(Output::Nothing)
}

async fn open(
    settings: &Checked,
    context: &Context,
    polls: bool,
) -> Result<(Worker<Processes>, watch::Sender<Stopping>), Failure> {
    let session = Session::open(context).await?;
    session.limit.move_to(Instant::now() + FOR_EVER);
    let program = program_file(settings)?;
    let description = describe(&program).await?;
    let journal = match context.dry_run {
        true => Ok(Journal::at(&settings.work_dir)),
        false => Journal::open(&settings.work_dir),
    };
    let journal = journal.map_err(|error| {
        Failure::refused(format!("cannot use {}", settings.work_dir.display()))
            .cause(error)
            .hint("JOB_WORKER_WORK_DIR names a folder that the worker may write to")
    })?;
    let (tell, stopping) = watch::channel(Stopping::No);
    let worker = Worker {
        api: Api::new(&session.config, settings.action_type.as_ref()),
        path_style: session.has_own_endpoint("S3"),
        config: session.config,
        journal,
        programs: Processes,
        program,
        description,
        inherited: inherited(context, &settings.pass),
        manner: settings.manner.clone(),
        timeout: context.timeout,
        clock: Clock::start(),
        stopping,
        polls,
    };
    Ok((worker, tell))
}

/// What every run of the program gets of the worker's own environment.
fn inherited(context: &Context, pass: &[String]) -> Variables {
    let is_passed = |name: &String| {
        let of_aws = name.starts_with("AWS_")
            && !name.starts_with("AWS_LAMBDA_")
            && name != "AWS_EXECUTION_ENV";
        of_aws || OF_THE_WAY.contains(&name.as_str()) || pass.contains(name)
    };
    let names = context.environment.keys().filter(|name| is_passed(name));
    names
        .filter_map(|name| Some((name.clone(), context.variable(name)?)))
        .collect()
}

/// The program's file, with its whole path: it runs in the folder of a job.
fn program_file(settings: &Checked) -> Result<PathBuf, Failure> {
    let name = settings.program.as_deref().unwrap_or_default();
    let folder = match &settings.program_dir {
        Some(folder) => std::path::absolute(folder),
        None => {
            std::env::current_exe().map(|own| own.parent().unwrap_or(Path::new("/")).to_owned())
        }
    };
    let folder = folder
        .map_err(|error| Failure::refused("cannot find out where the programs are").cause(error))?;
    Ok(folder.join(name))
}

/// Asks the program itself what it is: no table of ours can be of another version than it.
async fn describe(program: &Path) -> Result<Description, Failure> {
    let refused = || Failure::refused(format!("cannot ask {} for its settings", program.display()));
    let hint = "JOB_WORKER_PROGRAM and JOB_WORKER_PROGRAM_DIR name a program of this release";
    let asked = Command::new(program)
        .arg("--describe")
        .env_clear()
        .kill_on_drop(true)
        .output();
    let output = timeout(DESCRIBES_WITHIN, asked).await;
    let output = output.map_err(|_| refused().cause("it does not answer").hint(hint))?;
    let output = output.map_err(|error| refused().cause(error).hint(hint))?;
    let described: Description = serde_json::from_slice(&output.stdout).map_err(|error| {
        refused()
            .cause(format!("its answer cannot be read: {error}"))
            .hint(hint)
    })?;
    Ok(described)
}
