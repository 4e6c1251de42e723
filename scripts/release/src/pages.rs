//! Man pages and completions, from what the programs declare.

use std::io;
use std::path::Path;

use action::program::{self, Program};
use clap::{Args, Command};
use clap_complete::Shell;

/// Where completions go in an archive, and for which shells.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash"),
    (Shell::Zsh, "zsh"),
    (Shell::Fish, "fish"),
];

/// The command line of every program that ships.
#[must_use]
pub fn commands() -> Vec<Command> {
    vec![
        command::<deploy_app::settings::Raw>(&deploy_app::PROGRAM),
        command::<export_vars::settings::Raw>(&export_vars::PROGRAM),
        command::<make_ami::settings::Raw>(&make_ami::PROGRAM),
        command::<package_template::settings::Raw>(&package_template::PROGRAM),
        command::<run_pipeline::settings::Raw>(&run_pipeline::PROGRAM),
        command::<signal_health::settings::Raw>(&signal_health::PROGRAM),
    ]
}

fn command<S: Args>(program: &Program) -> Command {
    program::command::<S>(program)
}

/// Writes `man/NAME.1` and `completions/NAME.SHELL` for a program below `folder`.
///
/// # Errors
/// What the file system says.
pub fn write(command: &Command, folder: &Path) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    std::fs::write(man.join(format!("{name}.1")), page)?;
    for (shell, ending) in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), name.clone(), &mut text);
        std::fs::write(completions.join(format!("{name}.{ending}")), text)?;
    }
    Ok(())
}
