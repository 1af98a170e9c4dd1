//! The benchmark: how fast `envc` is, and what it may take at most.
//!
//! Everything that talks to a cloud is the real binary on the embedded local cloud, without
//! latency and with 100 ms of it; what has to grow linearly is measured in processes of their own,
//! so that peak memory is theirs alone. Times are the least of several runs, with the median beside
//! it: other work on the machine only ever adds. A missed target is reported and is no failure.

mod check;
mod commands;
mod edge;
mod scale;
mod sql;
mod start;
mod stats;
mod table;
mod watch;

use std::{env, process::ExitCode};

use envc_tests::binary;

use crate::table::Table;

/// What went wrong, in words.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome =
        match words.as_slice() {
            [scale::CHILD, shape, size] => scale::child(shape, size),
            ["check"] => check_alone(),
            ["sql"] => sql_alone(),
            [] => bench(false),
            ["--json"] => bench(true),
            ["edge"] => edge::measure(edge::Effort::FULL, false),
            ["edge", "--json"] => edge::measure(edge::Effort::FULL, true),
            ["edge", "--smoke"] => edge::measure(edge::Effort::SMOKE, false),
            _ => Err("usage: cargo xtask bench [--json | check | sql | edge [--json | --smoke]]"
                .to_owned()),
        };
    match outcome {
        Ok(text) => table::print(&text),
        Err(error) => table::complain(&error),
    }
}

/// The part that takes a moment, for whoever works on the compiler.
fn check_alone() -> Result<String> {
    let mut table = Table::default();
    check::measure(binary(), &mut table)?;
    Ok(table.to_text())
}

/// Large migrations on the local cloud.
fn sql_alone() -> Result<String> {
    let mut table = Table::default();
    sql::measure(&mut table)?;
    Ok(table.to_text())
}

fn bench(json: bool) -> Result<String> {
    let binary = binary();
    let mut table = Table::default();
    commands::measure(&mut table)?;
    start::measure(binary, &mut table)?;
    check::measure(binary, &mut table)?;
    scale::measure(&mut table)?;
    sql::measure(&mut table)?;
    Ok(if json { table.to_json() } else { table.to_text() })
}
