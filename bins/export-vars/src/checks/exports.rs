//! The variables as exports, under the rules of who reads them.

use crate::settings::{Checked, Format};
use crate::table;
use crate::variable::Variable;
use action::export::name::NameFault;
use action::export::{ExportFault, Exports, Reader};
use action::failure::Failure;

/// The variables as exports.
pub(crate) fn exports(variables: &[Variable], settings: &Checked) -> Result<Exports, Failure> {
    let mut exports = Exports::read_by(reader(settings), &settings.allow_name);
    for variable in variables {
        export(&mut exports, variable).map_err(|fault| {
            Failure::refused("a variable cannot be exported; nothing was exported")
                .detail(told(&fault))
        })?;
    }
    Ok(exports)
}

/// Who reads what is written: limits of output variables are none of a file's.
pub(crate) fn reader(settings: &Checked) -> Reader {
    let for_pipeline = settings.buildspec.is_some()
        || settings.parameter_overrides.is_some()
        || !settings.consumers.is_empty();
    match settings.format {
        Format::Sh => Reader::Shell,
        Format::Job => Reader::Pipeline,
        _ if for_pipeline => Reader::Pipeline,
        _ => Reader::File,
    }
}

pub(crate) fn export(exports: &mut Exports, variable: &Variable) -> Result<(), ExportFault> {
    if variable.passed_on {
        exports.pass_on(&variable.name, &variable.value)
    } else {
        exports.add(&variable.name, &variable.value)
    }
}

pub(crate) fn told(fault: &ExportFault) -> String {
    match fault {
        ExportFault::Name(
            NameFault::Steering(name) | NameFault::Aws(name) | NameFault::OfShell(name),
        ) => {
            format!("{fault}; use --allow-name {name}")
        }
        ExportFault::Name(NameFault::NotAnIdentifier(name)) => fault
            .to_string()
            .replace(&format!("{name:?}"), &table::name(name)),
        _ => fault.to_string(),
    }
}
