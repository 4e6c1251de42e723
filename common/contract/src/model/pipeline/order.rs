//! When each action of a pipeline runs, and what then uses what others made.

use std::collections::BTreeMap;

use crate::model::evaluate::is_unknown;
use crate::model::pipeline::{Action, Moment, Pipeline, StageRule, Text};

/// Where an action runs: its stage's position and its run order.
pub(crate) type Position = (usize, u32);

/// An action with its stage.
pub(crate) struct Placed<'a> {
    pub(crate) stage: &'a str,
    pub(crate) position: Position,
    pub(crate) action: &'a Action,
}

/// Who uses what others made, and when that runs.
pub(crate) struct Consumer {
    pub(crate) name: String,
    pub(crate) position: Position,
}

impl Placed<'_> {
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.stage, self.action.name)
    }

    pub(crate) fn consumer(&self) -> Consumer {
        Consumer {
            name: self.name(),
            position: self.position,
        }
    }

    /// Whether it does not run before another; unknown orders inside a stage are no fault.
    pub(crate) fn is_not_before(&self, other: Position, pipeline: &Pipeline) -> bool {
        let unknown = pipeline.open && self.position.0 == other.0;
        self.position >= other && !unknown
    }
}

/// The actions in the order of the file.
pub(crate) fn placed(pipeline: &Pipeline) -> impl Iterator<Item = Placed<'_>> {
    let stages = pipeline.stages.iter().enumerate();
    stages.flat_map(|(index, stage)| {
        stage.actions.iter().map(move |action| Placed {
            stage: &stage.name,
            position: (index, action.run_order),
            action,
        })
    })
}

/// The rules of the stages' conditions, and when each is asked.
pub(crate) fn rules(pipeline: &Pipeline) -> impl Iterator<Item = (Consumer, &StageRule)> {
    let stages = pipeline.stages.iter().enumerate();
    stages.flat_map(|(index, stage)| {
        stage.rules.iter().map(move |rule| {
            let consumer = Consumer {
                name: format!("{}/{} ({})", stage.name, rule.name, rule.moment.field()),
                // Before the stage's own actions, or after all of them.
                position: match rule.moment {
                    Moment::BeforeEntry => (index, 0),
                    Moment::OnSuccess | Moment::OnFailure => (index, u32::MAX),
                },
            };
            (consumer, rule)
        })
    })
}

/// The actions that have a namespace whose name is known.
pub(crate) fn namespaces(pipeline: &Pipeline) -> impl Iterator<Item = (Placed<'_>, &Text)> {
    placed(pipeline).filter_map(|one| {
        let namespace = one.action.namespace.as_ref();
        let known = namespace.filter(|text| !is_unknown(&text.text))?;
        Some((one, known))
    })
}

/// The action that makes each artifact: the last one of several.
pub(crate) fn makers(pipeline: &Pipeline) -> BTreeMap<&str, Placed<'_>> {
    let mut makers = BTreeMap::new();
    for one in placed(pipeline) {
        for output in one.action.outputs.iter().map(|text| text.text.as_str()) {
            if !is_unknown(output) {
                makers.insert(output, Placed { ..one });
            }
        }
    }
    makers
}

/// The artifacts that actions and rules read.
pub(crate) fn inputs(pipeline: &Pipeline) -> impl Iterator<Item = (Consumer, &Text)> {
    let actions = placed(pipeline).flat_map(|one| {
        let inputs = one.action.inputs.iter();
        inputs.map(move |input| (one.consumer(), input))
    });
    let rules = rules(pipeline).flat_map(|(consumer, rule)| {
        let Consumer { name, position } = consumer;
        rule.inputs.iter().map(move |input| {
            let consumer = Consumer {
                name: name.clone(),
                position,
            };
            (consumer, input)
        })
    });
    actions.chain(rules)
}
