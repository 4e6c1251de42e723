//! Man pages and completions, from what the programs declare.

use std::io;
use std::path::Path;

use action::{exit, program};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, roman};

/// Where completions go in an archive, and for which shells.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash"),
    (Shell::Zsh, "zsh"),
    (Shell::Fish, "fish"),
];

/// What a function of [`program`] makes of every program that ships.
macro_rules! of_every_program {
    ($of:ident) => {
        vec![
            program::$of::<deploy_app::Raw>(&deploy_app::PROGRAM),
            program::$of::<export_vars::Raw>(&export_vars::PROGRAM),
            program::$of::<job_worker::Raw>(&job_worker::PROGRAM),
            program::$of::<make_ami::Raw>(&make_ami::PROGRAM),
            program::$of::<package_template::Raw>(&package_template::PROGRAM),
            program::$of::<run_pipeline::settings::Raw>(&run_pipeline::PROGRAM),
            program::$of::<signal_health::Raw>(&signal_health::PROGRAM),
        ]
    };
}

/// The command line of every program that ships.
#[must_use]
pub fn commands() -> Vec<Command> {
    of_every_program!(command)
}

/// What `-h` says, of every program that ships.
#[must_use]
pub fn overviews() -> Vec<String> {
    of_every_program!(overview)
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
    exit_status().to_writer(&mut page)?;
    std::fs::write(man.join(format!("{name}.1")), page)?;
    for (shell, ending) in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), name.clone(), &mut text);
        std::fs::write(completions.join(format!("{name}.{ending}")), text)?;
    }
    Ok(())
}

/// The section of a man page with the exit codes, which are those of every program.
fn exit_status() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for exit in exit::ALL {
        section.control("TP", []);
        section.text([roman(exit.code().to_string())]);
        section.text([roman(exit.meaning())]);
    }
    section
}
