//! The tree of stages and actions below the log, on a terminal only.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use action::log;
use action::program::Context;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run_plan::RunPlan;

/// How often what runs is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// How an action came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Failed,
    /// It did not run.
    Passed,
}

/// A tree that is drawn. Without a terminal there is none.
#[derive(Debug)]
pub(crate) struct Tree {
    all: MultiProgress,
    /// The stages. A row is drawn for as long as somebody has it.
    heads: Vec<ProgressBar>,
    /// By `Stage/Action`.
    rows: BTreeMap<String, ProgressBar>,
    /// How many actions are over.
    total: ProgressBar,
    has_colours: bool,
}

impl Tree {
    /// That of a plan, with every action that is to run.
    pub(crate) fn of(plan: &RunPlan<'_>, context: &Context) -> Option<Self> {
        let is_dumb = context.variable("TERM").is_none_or(|term| term == "dumb");
        let is_json = log::format() == log::Format::Json;
        if is_dumb || is_json || !std::io::stderr().is_terminal() {
            return None;
        }
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let (mut heads, mut rows) = (Vec::new(), BTreeMap::new());
        for stage in &plan.stages {
            let head = all.add(ProgressBar::new_spinner());
            head.set_style(style("{msg}"));
            head.set_message(stage.stage.name.clone());
            head.tick();
            heads.push(head);
            for planned in stage.groups.iter().flatten() {
                let row = all.add(ProgressBar::new_spinner());
                row.set_style(style("  · {msg}"));
                row.set_message(planned.action.name.clone());
                row.tick();
                rows.insert(format!("{}/{}", stage.stage.name, planned.action.name), row);
            }
        }
        let total = all.add(ProgressBar::new(rows.len() as u64));
        total.set_style(style("{pos} of {len} actions, {elapsed}"));
        total.enable_steady_tick(TICK);
        let drawn = all.clone();
        log::set_aside(Some(Box::new(move |write| drawn.suspend(write))));
        Some(Self {
            all,
            heads,
            rows,
            total,
            has_colours: context.variable("NO_COLOR").is_none(),
        })
    }

    /// An action begins, or begins again.
    pub(crate) fn begins(&self, stage: &str, action: &str) {
        let Some(row) = self.rows.get(&format!("{stage}/{action}")) else {
            return;
        };
        row.reset();
        row.set_style(style(match self.has_colours {
            true => "  {spinner:.cyan} {msg} {elapsed}",
            false => "  {spinner} {msg} {elapsed}",
        }));
        row.enable_steady_tick(TICK);
    }

    /// An action is over.
    pub(crate) fn ended(&self, stage: &str, action: &str, mark: Mark) {
        let Some(row) = self.rows.get(&format!("{stage}/{action}")) else {
            return;
        };
        let (sign, colour) = match mark {
            Mark::Good => ("✓", 32),
            Mark::Failed => ("✗", 31),
            Mark::Passed => ("-", 33),
        };
        let sign = match self.has_colours {
            true => format!("\u{1b}[{colour}m{sign}\u{1b}[0m"),
            false => sign.to_owned(),
        };
        row.disable_steady_tick();
        row.set_style(style(&format!("  {sign} {{msg}} {{elapsed}}")));
        row.abandon();
        let over = self.rows.values().filter(|row| row.is_finished());
        self.total.set_position(over.count() as u64);
    }

    /// Takes the drawing away, for a question on the terminal.
    pub(crate) fn hide(&self) {
        drop(self.all.clear());
        self.all.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Draws again after a question.
    pub(crate) fn show(&self) {
        self.all.set_draw_target(ProgressDrawTarget::stderr());
    }

    /// Takes the tree away for good.
    pub(crate) fn close(self) {
        log::set_aside(None);
        self.total.disable_steady_tick();
        for row in self.rows.values() {
            row.disable_steady_tick();
        }
        // A terminal that is gone needs no clearing.
        drop(self.all.clear());
        drop(self.heads);
    }
}

/// A template of ours; one that cannot be read would show the row plainly.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
