//! Systems Manager as far as the programs use it: commands on instances, and parameters.

mod commands;
mod parameters;

use std::sync::{Arc, Mutex};

use self::commands::Commands;
pub use self::commands::{Invocation, Sent};
use self::parameters::Parameters;
pub use self::parameters::{ImageCheck, Parameter};
use crate::fake_aws::{FakeAws, Reply, Request};

/// A shared Systems Manager; clones are the same one.
#[derive(Clone, Default)]
pub struct Ssm(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    commands: Commands,
    parameters: Parameters,
}

/// The answer, or the error.
type Answer = Result<Reply, Reply>;

/// What an operation does to the state.
type Operation = fn(&mut State, &Request) -> Answer;

const OPERATIONS: [(&str, Operation); 6] = [
    ("SendCommand", |state, request| state.commands.send(request)),
    ("GetCommandInvocation", |state, request| {
        state.commands.invocation(request)
    }),
    ("CancelCommand", |state, request| {
        state.commands.cancel(request)
    }),
    ("DescribeInstanceInformation", |state, request| {
        Ok(state.commands.instance_information(request))
    }),
    ("PutParameter", |state, request| {
        state.parameters.put(request)
    }),
    ("GetParameter", |state, request| {
        state.parameters.get(request)
    }),
];

impl Ssm {
    /// A Systems Manager without parameters, where every instance has an agent and every command
    /// succeeds without output.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs what is sent from now on: `run` gets the lines of the shell script, joined, and the
    /// instance; it gives the exit code, standard output and standard error, or an
    /// [`Invocation`]. It runs when the command is sent, and must not ask this value.
    pub fn on_command<I: Into<Invocation>>(
        &self,
        mut run: impl FnMut(&str, &str) -> I + Send + 'static,
    ) {
        let run = move |script: &str, instance: &str| run(script, instance).into();
        self.0.lock().unwrap().commands.run = Some(Box::new(run));
    }

    /// Leaves an instance without an agent: commands to it are refused with `InvalidInstanceId`.
    pub fn without_agent(&self, instance: &str) {
        let mut state = self.0.lock().unwrap();
        state.commands.agentless.insert(instance.to_owned());
    }

    /// How many readings of a command are answered with `InvocationDoesNotExist` (1 at first), then
    /// with `Pending`, then with `InProgress`.
    pub fn slow_commands(&self, absent: u32, pending: u32, in_progress: u32) {
        self.0.lock().unwrap().commands.readings = [absent, pending, in_progress];
    }

    /// Every command sent so far, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.0.lock().unwrap().commands.sent.clone()
    }

    /// Adds a parameter as it is, or the next version of one.
    pub fn add_parameter(&self, name: &str, kind: &str, data_type: &str, value: &str) {
        let mut state = self.0.lock().unwrap();
        state.parameters.add(name, kind, data_type, value, 0);
    }

    /// What the check does to values of the type `aws:ec2:image` that are put from now on; they
    /// are valid at once otherwise.
    pub fn image_check(&self, check: ImageCheck) {
        self.0.lock().unwrap().parameters.check = check;
    }

    /// The newest visible version of a parameter.
    pub fn parameter(&self, name: &str) -> Option<Parameter> {
        self.0.lock().unwrap().parameters.visible(name)
    }

    /// Makes `fake` answer the operations out of this state.
    pub fn serve(&self, fake: &FakeAws) {
        for (name, operation) in OPERATIONS {
            let this = self.clone();
            fake.on_call(&format!("ssm:{name}"), move |request| {
                let mut state = this.0.lock().unwrap();
                operation(&mut state, request).unwrap_or_else(|refusal| refusal)
            });
        }
    }
}

/// The texts of a list in a request.
fn texts(list: &serde_json::Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
