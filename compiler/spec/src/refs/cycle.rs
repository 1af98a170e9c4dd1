//! References that lead back to where they began.

use envc_core::{Diagnostic, Span};
use envc_syntax::{Scalar, ScalarValue};

use crate::{
    codes,
    interpolate::{Segment, place, segments},
    refs::CHAIN_MAX,
    resolver::{Resolved, Resolver},
};

/// Most steps of a cycle that are drawn.
const STEPS_MAX: usize = 12;

impl Resolver<'_> {
    /// Reports a cycle: its way in words, and each step at its place.
    pub(crate) fn cycle(&mut self, kind: &str, name: &str, span: Span) -> Option<Resolved> {
        let from = self.stack.iter().position(|step| *step == (kind, name)).unwrap_or(0);
        let steps: Vec<(&str, &str)> = self.stack.iter().skip(from).copied().collect();
        let next = || steps.iter().cycle().skip(1);
        let mut way: Vec<String> =
            steps.iter().map(|(kind, name)| format!("{kind}.{name}")).collect();
        way.extend(way.first().cloned());
        if way.len() > STEPS_MAX {
            let left = way.len() - STEPS_MAX;
            way.splice(STEPS_MAX / 2..STEPS_MAX / 2 + left, [format!("({left} more)")]);
        }
        let message = format!("`{{{kind}.{name}}}` refers to itself: {}", way.join(" → "));
        let mut error = Diagnostic::error(codes::LET_CYCLE, span, message).at("closes the cycle");
        for (step, next) in steps.iter().zip(next()).take(STEPS_MAX) {
            let Some(place) = self.step_at(*step, *next).filter(|place| *place != span) else {
                continue;
            };
            error =
                error.label(place, format!("{}.{} needs {}.{}", step.0, step.1, next.0, next.1));
        }
        self.error(error.help("write one of them without a reference to the next"));
        None
    }

    /// Where a step of a cycle refers to the next one.
    fn step_at(&self, step: (&str, &str), next: (&str, &str)) -> Option<Span> {
        let scalar: &Scalar = match step.0 {
            "let" => self.given.merged.get("let", step.1)?.args.get(1)?,
            _ => self.hosts.get(step.1)?.0.scalar()?,
        };
        let ScalarValue::Text { text, raw: false, .. } = &scalar.value else { return None };
        segments(text).into_iter().find_map(|segment| {
            let Segment::Reference(path, start, end) = segment else { return None };
            let (kind, name) = path.split_once('.')?;
            let kind = if kind == "url" { "host" } else { kind };
            ((kind, name) == next).then(|| place(scalar, start, end))
        })
    }

    /// Reports a chain of `let`s that is too long to follow.
    pub(super) fn chain(&mut self, span: Span) -> Option<Resolved> {
        let message = format!("`let`s refer to one another more than {CHAIN_MAX} deep");
        self.error(
            Diagnostic::error(codes::LET_CYCLE, span, message)
                .at("goes on from here")
                .help("write one of them without a reference to the next"),
        );
        None
    }
}
