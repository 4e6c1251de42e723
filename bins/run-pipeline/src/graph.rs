//! The pipeline as a picture: its stages and actions, with artifacts and variables on the arrows.

use std::collections::BTreeMap;
use std::str::FromStr;

use contract::pipeline::{Action, Pipeline};
use contract::variables;

use crate::record::escaped;

/// The form of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Drawing {
    #[default]
    Mermaid,
    Svg,
}

impl FromStr for Drawing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mermaid" => Ok(Self::Mermaid),
            "svg" => Ok(Self::Svg),
            other => Err(format!(
                "{other:?} is not a format of a picture; use mermaid or svg"
            )),
        }
    }
}

/// An arrow from one action to another, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrow {
    from: usize,
    to: usize,
    label: String,
    /// Whether it carries variables rather than an artifact.
    is_variables: bool,
}

/// Draws the pipeline.
pub(crate) fn draw(pipeline: &Pipeline, drawing: Drawing) -> String {
    match drawing {
        Drawing::Mermaid => mermaid(pipeline),
        Drawing::Svg => svg(pipeline),
    }
}

fn arrows(pipeline: &Pipeline) -> Vec<Arrow> {
    let actions: Vec<&Action> = pipeline.actions().collect();
    let mut arrows = Vec::new();
    for (to, action) in actions.iter().enumerate() {
        for input in &action.inputs {
            let from = actions
                .iter()
                .position(|one| one.outputs.iter().any(|output| output.text == input.text));
            if let Some(from) = from {
                arrows.push(Arrow {
                    from,
                    to,
                    label: input.text.clone(),
                    is_variables: false,
                });
            }
        }
        let mut used: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        let values = action.configuration.iter().chain(&action.environment);
        for (_, value) in values {
            for reference in variables::references(&value.text).unwrap_or_default() {
                let from = actions.iter().position(|one| {
                    let namespace = one.namespace.as_ref().map(|one| &one.text);
                    namespace == Some(&reference.namespace)
                });
                let Some(from) = from else { continue };
                let keys = used.entry(from).or_default();
                if !keys.contains(&reference.key) {
                    keys.push(reference.key);
                }
            }
        }
        arrows.extend(used.into_iter().map(|(from, keys)| Arrow {
            from,
            to,
            label: keys.join(", "),
            is_variables: true,
        }));
    }
    arrows
}

fn mermaid(pipeline: &Pipeline) -> String {
    // Mermaid reads HTML's entities in quoted texts.
    let quoted = |text: &str| escaped(text).replace('\n', " ");
    let mut text = "flowchart LR\n".to_owned();
    let mut number = 0;
    for (index, stage) in pipeline.stages.iter().enumerate() {
        text.push_str(&format!(
            "  subgraph s{index}[\"{}\"]\n",
            quoted(&stage.name)
        ));
        for action in &stage.actions {
            text.push_str(&format!(
                "    a{number}[\"{}<br/>{}\"]\n",
                quoted(&action.name),
                quoted(&action.provider)
            ));
            number += 1;
        }
        text.push_str("  end\n");
    }
    for index in 1..pipeline.stages.len() {
        text.push_str(&format!("  s{} ~~~ s{index}\n", index - 1));
    }
    for arrow in arrows(pipeline) {
        let line = if arrow.is_variables { "-.->" } else { "-->" };
        text.push_str(&format!(
            "  a{} {line}|\"{}\"| a{}\n",
            arrow.from,
            quoted(&arrow.label),
            arrow.to
        ));
    }
    text
}

/// The measures of the SVG, in pixels.
const BOX: (usize, usize) = (170, 44);
const GAP: (usize, usize) = (130, 26);
const EDGE: usize = 24;
const TITLE: usize = 28;
/// Between two arrows that pass below the boxes.
const LANE: usize = 18;

/// The column of each action: the number of its stage.
fn columns(pipeline: &Pipeline) -> Vec<usize> {
    let stages = pipeline.stages.iter().enumerate();
    stages
        .flat_map(|(column, stage)| stage.actions.iter().map(move |_| column))
        .collect()
}

fn svg(pipeline: &Pipeline) -> String {
    let rows = pipeline.stages.iter().map(|one| one.actions.len()).max();
    let width = 2 * EDGE + pipeline.stages.len() * (BOX.0 + GAP.0)
        - GAP.0.min(pipeline.stages.len() * GAP.0);
    let arrows = arrows(pipeline);
    let column_of = columns(pipeline);
    let passes_a_stage = |arrow: &Arrow| column_of[arrow.to] > column_of[arrow.from] + 1;
    let lanes = arrows.iter().filter(|arrow| passes_a_stage(arrow)).count();
    let below_the_boxes = EDGE + TITLE + rows.unwrap_or(0) * (BOX.1 + GAP.1);
    let height = below_the_boxes + lanes * LANE + EDGE;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n  <title>{}</title>\n  <defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" \
         refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#555\"/></marker></defs>\n  \
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(&pipeline.name)
    );
    let mut places = Vec::new();
    for (column, stage) in pipeline.stages.iter().enumerate() {
        let x = EDGE + column * (BOX.0 + GAP.0);
        text.push_str(&format!(
            "  <text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{}</text>\n",
            EDGE + 8,
            escaped(&stage.name)
        ));
        for (row, action) in stage.actions.iter().enumerate() {
            let y = EDGE + TITLE + row * (BOX.1 + GAP.1);
            places.push((x, y));
            text.push_str(&format!(
                "  <rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"#eef3fb\" stroke=\"#4a6fa5\"/>\n  \
                 <text x=\"{}\" y=\"{}\">{}</text>\n  <text x=\"{}\" y=\"{}\" fill=\"#555\">{}</text>\n",
                BOX.0,
                BOX.1,
                x + 8,
                y + 18,
                escaped(&action.name),
                x + 8,
                y + 35,
                escaped(&action.provider)
            ));
        }
    }
    let mut lane = below_the_boxes;
    for arrow in &arrows {
        let (Some(from), Some(to)) = (places.get(arrow.from), places.get(arrow.to)) else {
            continue;
        };
        // Artifacts leave and arrive in the upper half of a box, variables in the lower.
        let dy = if arrow.is_variables { 34 } else { 12 };
        let (x1, y1, y2) = (from.0 + BOX.0, from.1 + dy, to.1 + dy);
        // Of two actions of one stage, the arrow goes around on the right.
        let x2 = if to.0 > from.0 { to.0 } else { to.0 + BOX.0 };
        let bend = if to.0 > from.0 { GAP.0 / 2 } else { GAP.0 / 3 };
        let back = if to.0 > from.0 { x2 - bend } else { x2 + bend };
        let dashes = if arrow.is_variables {
            " stroke-dasharray=\"4 3\""
        } else {
            ""
        };
        let (path, label) = if passes_a_stage(arrow) {
            // Below the boxes: down behind the first, up again before the last.
            let (down, up, y) = (x1 + 18, x2 - 18, lane);
            lane += LANE;
            let path = format!("M{x1} {y1} H{down} V{y} H{up} V{y2} H{x2}");
            (path, (up - 6, y - 3))
        } else {
            let path = format!("M{x1} {y1} C{} {y1} {back} {y2} {x2} {y2}", x1 + bend);
            let end = if to.0 > from.0 {
                x2 - 24
            } else {
                x2 + GAP.0 - 6
            };
            (path, (end, y2 - 3))
        };
        text.push_str(&format!(
            "  <path d=\"{path}\" fill=\"none\" stroke=\"#555\" stroke-linejoin=\"round\"{dashes} marker-end=\"url(#end)\"/>\n  \
             <text x=\"{}\" y=\"{}\" font-size=\"10\" text-anchor=\"end\" fill=\"#333\">{}</text>\n",
            label.0,
            label.1,
            escaped(&arrow.label)
        ));
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const PIPELINE: &str = r##"{"pipeline": {"name": "a & b", "stages": [
        {"name": "Source", "actions": [{"name": "App", "namespace": "Src", "outputArtifacts": [{"name": "Out"}],
            "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}}]},
        {"name": "Build", "actions": [
            {"name": "Make", "inputArtifacts": [{"name": "Out"}], "configuration": {"ProjectName": "p-#{Src.VersionId}"},
             "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"}},
            {"name": "Ask", "runOrder": 2,
             "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}]}
    ]}}"##;

    #[test]
    fn arrows_carry_artifacts_and_variables() {
        let pipeline = Pipeline::parse_definition("p.json", PIPELINE.as_bytes()).unwrap();
        assert_eq!(
            draw(&pipeline, Drawing::Mermaid),
            "flowchart LR
  subgraph s0[\"Source\"]
    a0[\"App<br/>S3\"]
  end
  subgraph s1[\"Build\"]
    a1[\"Make<br/>CodeBuild\"]
    a2[\"Ask<br/>Manual\"]
  end
  s0 ~~~ s1
  a0 -->|\"Out\"| a1
  a0 -.->|\"VersionId\"| a1
"
        );
        let picture = draw(&pipeline, Drawing::Svg);
        assert!(picture.contains("<title>a &amp; b</title>"));
        assert_eq!(picture.matches("<path d=\"M").count(), 3, "{picture}");
        // A whole XML document.
        let tokens: Result<Vec<_>, _> = xmlparser::Tokenizer::from(picture.as_str()).collect();
        tokens.unwrap();
    }

    #[test]
    fn an_arrow_that_passes_a_stage_goes_below_its_box() {
        let definition = PIPELINE.replace(
            r##"{"name": "Build", "actions"##,
            r##"{"name": "Between", "actions": [{"name": "Ask",
             "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}]},
        {"name": "Build", "actions"##,
        );
        let pipeline = Pipeline::parse_definition("p.json", definition.as_bytes()).unwrap();
        let picture = draw(&pipeline, Drawing::Svg);
        let boxes_end = EDGE + TITLE + 2 * (BOX.1 + GAP.1) - GAP.1;
        for lane in [boxes_end + GAP.1, boxes_end + GAP.1 + LANE] {
            assert!(picture.contains(&format!(" V{lane} ")), "{picture}");
        }
        let height = boxes_end + GAP.1 + 2 * LANE + EDGE;
        assert!(
            picture.contains(&format!("height=\"{height}\"")),
            "{picture}"
        );
    }
}
