//! What the exit code of the process says.

use std::fmt;

/// Every exit code of envc. Scripts depend on them: a code never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Done, or nothing to do.
    Done,
    /// Failed, or not approved, or a destroy that left something.
    Failed,
    /// With `plan --detailed-exitcode`: there are changes. With `migrate check`: a file is pending,
    /// edited or missing.
    Changes,
    /// Nothing knows that environment.
    UnknownEnvironment,
    /// The command line is wrong.
    Usage,
    /// The spec is wrong.
    Spec,
    /// Locked, the pool is empty, or another machine was at work on it: try again.
    TryAgain,
    /// Interrupted.
    Interrupted,
}

impl ExitCode {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Changes,
        Self::UnknownEnvironment,
        Self::Usage,
        Self::Spec,
        Self::TryAgain,
        Self::Interrupted,
    ];

    /// The number that the process ends with.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::UnknownEnvironment => 3,
            Self::Usage => 64,
            Self::Spec => 65,
            Self::TryAgain => 75,
            Self::Interrupted => 130,
        }
    }

    /// What it says, for the documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Failed => "failed, or not approved, or a destroy that left something",
            Self::Changes => {
                "with `plan --detailed-exitcode`: there are changes; with `migrate check`: a migration is \
                 pending, edited or missing"
            }
            Self::UnknownEnvironment => "nothing knows that environment",
            Self::Usage => "the command line is wrong",
            Self::Spec => "the spec is wrong",
            Self::TryAgain => {
                "locked, the pool is empty, or another machine was at work on it: try again"
            }
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_documented_ones_in_order() {
        let numbers: Vec<u8> = ExitCode::ALL.into_iter().map(ExitCode::number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 64, 65, 75, 130]);
    }
}
