//! `package-template`: an archive in a versioned bucket; what it makes are versions.

use harness::Program;

use super::{Job, World, bucket, unless_is, versions};

const TEMPLATE: &str = "Parameters:
  AMIId: {Type: AWS::EC2::Image::Id}
Resources:
  Lt:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {ImageId: !Ref AMIId}}
";

/// The bucket holds nothing; with `again` the same archive; with `change` another one.
pub(super) fn prepare<'a>(way: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let World { server, name, .. } = *world;
    bucket(server, name);
    let template = world.folder.path().join("app.yml");
    let program = Program::of_workspace("package-template")?
        .dir(world.folder.path())
        .args(["app.yml", "--bucket", name]);
    let stored = |content: &str| {
        std::fs::write(&template, content).unwrap();
        program.clone().envs(server.env()).run().assert_code(0);
    };
    match way {
        "again" => stored(TEMPLATE),
        "change" => stored(&format!("{TEMPLATE}# before\n")),
        _ => {}
    }
    std::fs::write(&template, TEMPLATE).unwrap();
    let before = versions(server, name);
    let changed = if way == "again" { "0" } else { "1" };
    Some(Job {
        program,
        wrong: Box::new(move |exports| {
            let newest = versions(server, name).remove(0);
            unless_is(exports, "TEMPLATE_VERSION_ID", &newest)
                .or_else(|| unless_is(exports, "TEMPLATE_CHANGED", changed))
        }),
        made: Box::new(move || {
            let mut found = versions(server, name);
            found.retain(|version| !before.contains(version));
            found
        }),
    })
}
