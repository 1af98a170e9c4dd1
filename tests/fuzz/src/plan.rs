//! A saved plan.
//!
//! What is read is written, and read again as the same; what a newer envc wrote is refused and not dropped. A
//! plan that can be read can be checked and shown, whoever wrote it, and nothing that is shown of it steers
//! a terminal.

use envc_plan::{Palette, Plan, RenderOptions, check as look, plan_json};
use envc_plan::{render_draft, render_plan, render_refused};

use crate::law::{self, Form};

/// One of the ways to show a plan.
type Render = fn(&Plan, &Palette, RenderOptions) -> String;

pub(crate) fn check(data: &[u8]) {
    let plan = match Plan::parse(data) {
        Ok(plan) => plan,
        Err(error) => {
            assert!(!error.is_empty());
            return;
        }
    };
    let form = Form { version: "format", read: &Plan::parse, write: &written, told: &Clone::clone };
    law::document(&plan, &form);
    is_shown(&plan);
    if let Err(unsound) = look(plan) {
        assert!(!unsound.findings.is_empty());
    }
}

/// Its document gives it again.
pub(crate) fn survives(plan: &Plan) {
    match Plan::parse(&written(plan)) {
        Ok(again) => assert_eq!(again, *plan, "read again it is another one"),
        Err(error) => panic!("what was written is refused: {error}"),
    }
}

fn written(plan: &Plan) -> Vec<u8> {
    match plan.to_bytes() {
        Ok(bytes) => bytes,
        Err(error) => panic!("{error}: {plan:#?}"),
    }
}

/// It can be shown to people, at length and in short, and to programs.
pub(crate) fn is_shown(plan: &Plan) {
    let all = [(render_plan as Render, true), (render_refused, false), (render_draft, false)];
    for (render, verbose) in all {
        let text = render(plan, &Palette::plain(), RenderOptions { verbose });
        law::plain(&text);
        assert!(text.ends_with('\n'), "{text:?}");
    }
    if let Err(error) = plan_json(plan) {
        panic!("{error}: {plan:#?}");
    }
}
