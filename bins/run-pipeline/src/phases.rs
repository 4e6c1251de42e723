//! Which phase follows which. Source: CodeBuild user guide, "Build phase transitions".

use contract::buildspec::{OnFailure, PhaseName};

/// What comes after a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// This phase.
    Phase(PhaseName),
    /// The artifacts, whether the build succeeded or not.
    Artifacts,
    /// Nothing: the build is over.
    End,
}

/// What follows a phase that has just ended.
///
/// A failed `build` is followed by `post_build` and by the artifacts all the same; that is
/// CodeBuild's rule, and why programs look at `CODEBUILD_BUILD_SUCCEEDING`. A failed `install`
/// or `pre_build` ends the build.
pub(crate) fn next(phase: PhaseName, failed: bool, on_failure: OnFailure) -> Next {
    let following = match phase {
        PhaseName::Install => Next::Phase(PhaseName::PreBuild),
        PhaseName::PreBuild => Next::Phase(PhaseName::Build),
        PhaseName::Build => Next::Phase(PhaseName::PostBuild),
        PhaseName::PostBuild => Next::Artifacts,
    };
    match (failed, on_failure) {
        (false, _) | (true, OnFailure::Continue) => following,
        (true, OnFailure::Abort) => Next::End,
        (true, OnFailure::Default) => match phase {
            PhaseName::Install | PhaseName::PreBuild => Next::End,
            PhaseName::Build | PhaseName::PostBuild => following,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OnFailure::{Abort, Continue, Default};
    use PhaseName::{Build, Install, PostBuild, PreBuild};

    #[test]
    fn success_goes_on() {
        for rule in [Default, Abort, Continue] {
            assert_eq!(next(Install, false, rule), Next::Phase(PreBuild));
            assert_eq!(next(PreBuild, false, rule), Next::Phase(Build));
            assert_eq!(next(Build, false, rule), Next::Phase(PostBuild));
            assert_eq!(next(PostBuild, false, rule), Next::Artifacts);
        }
    }

    #[test]
    fn failure_follows_the_table() {
        let table = [
            (Install, Default, Next::End),
            (PreBuild, Default, Next::End),
            (Build, Default, Next::Phase(PostBuild)),
            (PostBuild, Default, Next::Artifacts),
            (Install, Continue, Next::Phase(PreBuild)),
            (PreBuild, Continue, Next::Phase(Build)),
            (Build, Continue, Next::Phase(PostBuild)),
            (PostBuild, Continue, Next::Artifacts),
            (Install, Abort, Next::End),
            (PreBuild, Abort, Next::End),
            (Build, Abort, Next::End),
            (PostBuild, Abort, Next::End),
        ];
        for (phase, rule, expected) in table {
            assert_eq!(next(phase, true, rule), expected, "{phase:?} {rule:?}");
        }
    }
}
