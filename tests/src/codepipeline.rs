//! CodePipeline as far as a program follows an execution, with the logs of its builds. An execution is a list of frames:
//! each look at it shows the next one, and the last one stays.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::fake_aws::{FakeAws, Reply, Request};

/// A shared CodePipeline with one pipeline; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct CodePipeline(Arc<Mutex<World>>);

#[derive(Debug, Default)]
struct World {
    /// The declaration of the pipeline.
    definition: Value,
    /// The oldest first.
    executions: Vec<Execution>,
    /// What StartPipelineExecution shows.
    next: Option<Execution>,
    /// By stream: batches of lines. An empty one is a read that finds nothing new.
    logs: BTreeMap<String, VecDeque<Vec<String>>>,
}

/// An execution of the pipeline.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// Further fields of GetPipelineExecution and of the summaries, such as `executionType`.
    pub more: Value,
    /// What is seen of it, one look after the other.
    pub frames: Vec<Frame>,
    looks: usize,
}

/// What is seen of an execution at a time.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Such as `InProgress`.
    pub status: &'static str,
    /// Its `actionExecutionDetails`, the oldest first.
    pub actions: Vec<Value>,
}

impl Execution {
    /// An execution that shows these frames.
    pub fn new(id: &str, frames: Vec<Frame>) -> Self {
        Self {
            id: id.to_owned(),
            more: json!({}),
            frames,
            looks: 0,
        }
    }

    /// Adds further fields.
    #[must_use]
    pub fn with(mut self, more: Value) -> Self {
        self.more = more;
        self
    }

    fn frame(&self) -> &Frame {
        let at = self.looks.saturating_sub(1).min(self.frames.len() - 1);
        &self.frames[at]
    }

    fn summary(&self) -> Value {
        let mut one = json!({"pipelineExecutionId": self.id, "status": self.frame().status});
        for (key, value) in self.more.as_object().expect("an object") {
            one[key] = value.clone();
        }
        one
    }
}

impl CodePipeline {
    /// A pipeline with these executions, the oldest first.
    pub fn with(definition: Value, executions: impl IntoIterator<Item = Execution>) -> Self {
        Self(Arc::new(Mutex::new(World {
            definition,
            executions: executions.into_iter().collect(),
            ..World::default()
        })))
    }

    /// What StartPipelineExecution begins.
    pub fn starts(&self, execution: Execution) {
        self.0.lock().unwrap().next = Some(execution);
    }

    /// A log stream, in batches; an empty batch is a read that finds nothing new.
    pub fn log(&self, stream: &str, batches: &[&[&str]]) {
        let lines = |batch: &&[&str]| batch.iter().map(|&line| line.to_owned()).collect();
        let batches = batches.iter().map(lines).collect();
        self.0
            .lock()
            .unwrap()
            .logs
            .insert(stream.to_owned(), batches);
    }

    /// Makes `fake` answer for it.
    pub fn serve(&self, fake: &FakeAws) {
        type Answer = fn(&mut World, &Value) -> Reply;
        let answers: [(&str, Answer); 6] = [
            ("codepipeline:GetPipeline", World::get),
            ("codepipeline:StartPipelineExecution", World::start),
            ("codepipeline:ListPipelineExecutions", World::list),
            ("codepipeline:GetPipelineExecution", World::execution),
            ("codepipeline:ListActionExecutions", World::actions),
            ("logs:GetLogEvents", World::events),
        ];
        for (operation, answer) in answers {
            let world = Arc::clone(&self.0);
            fake.on_call(operation, move |request: &Request| {
                answer(&mut world.lock().unwrap(), &request.json())
            });
        }
    }
}

impl World {
    fn get(&mut self, asked: &Value) -> Reply {
        if asked["name"] != self.definition["name"] {
            return Reply::error(400, "PipelineNotFoundException", "no such pipeline");
        }
        Reply::json(&json!({"pipeline": self.definition}))
    }

    fn start(&mut self, _: &Value) -> Reply {
        let Some(next) = self.next.take() else {
            return Reply::error(400, "ConflictException", "it was started already");
        };
        let id = next.id.clone();
        self.executions.push(next);
        Reply::json(&json!({"pipelineExecutionId": id}))
    }

    fn list(&mut self, asked: &Value) -> Reply {
        let most = asked["maxResults"].as_u64().unwrap_or(100);
        let newest = self.executions.iter().rev().map(Execution::summary);
        let newest: Vec<Value> = newest.take(usize::try_from(most).unwrap()).collect();
        Reply::json(&json!({"pipelineExecutionSummaries": newest}))
    }

    fn execution(&mut self, asked: &Value) -> Reply {
        let id = &asked["pipelineExecutionId"];
        let Some(found) = self.executions.iter_mut().find(|one| id == &one.id) else {
            let message = "there is no such execution";
            return Reply::error(400, "PipelineExecutionNotFoundException", message);
        };
        found.looks += 1;
        Reply::json(&json!({"pipelineExecution": found.summary()}))
    }

    /// Two a page, the newest first.
    fn actions(&mut self, asked: &Value) -> Reply {
        let id = &asked["filter"]["pipelineExecutionId"];
        let found = self.executions.iter().find(|one| id == &one.id);
        let actions = found.map_or(&[][..], |one| &one.frame().actions);
        let from = asked["nextToken"]
            .as_str()
            .map_or(0, |token| token.parse().unwrap());
        let page: Vec<&Value> = actions.iter().rev().skip(from).take(2).collect();
        let mut answer = json!({"actionExecutionDetails": page});
        if from + 2 < actions.len() {
            answer["nextToken"] = (from + 2).to_string().into();
        }
        Reply::json(&answer)
    }

    fn events(&mut self, asked: &Value) -> Reply {
        let stream = asked["logStreamName"].as_str().unwrap_or_default();
        let Some(batches) = self.logs.get_mut(stream) else {
            let message = "The specified log stream does not exist.";
            return Reply::error(400, "ResourceNotFoundException", message);
        };
        let token = asked["nextToken"].as_str().unwrap_or("f/0");
        let number: usize = token.trim_start_matches("f/").parse().unwrap();
        let batch = batches.pop_front().unwrap_or_default();
        let next = number + usize::from(!batch.is_empty());
        let event = |text: &String| json!({"timestamp": 1, "message": format!("{text}\n"), "ingestionTime": 1});
        let events: Vec<Value> = batch.iter().map(event).collect();
        Reply::json(
            &json!({"events": events, "nextForwardToken": format!("f/{next}"), "nextBackwardToken": "b/0"}),
        )
    }
}
