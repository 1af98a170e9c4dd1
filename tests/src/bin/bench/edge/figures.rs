//! What the edge's calls took, beside what the least of a call takes.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value as Json, json};

use super::Call;

/// A lease may take so many times what a trivial call does.
const LIMIT: f64 = 2.0;

/// Everything that was measured: by clients at once, then by what was asked.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<usize, BTreeMap<Row, Measured>>);

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    call: Call,
    is_release: bool,
}

#[derive(Debug, Default)]
struct Measured {
    ms: Vec<f64>,
    seconds: f64,
}

/// Calls for each second, and how long the middle one and the hundredth took, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Figure {
    per_second: f64,
    p50: f64,
    p99: f64,
}

impl Row {
    const fn words(self) -> &'static str {
        match self.call {
            Call::Nothing => "trivial object, answers from memory",
            Call::Write => "trivial object, writes a row",
            Call::PlainNothing => "the same from memory, plain JavaScript",
            Call::PlainWrite => "the same with a row, plain JavaScript",
            Call::LeaseAndRelease if self.is_release => "release",
            Call::LeaseAndRelease => "lease, new",
            Call::LeaseAgain => "lease, held already",
            Call::Renew => "renew",
            Call::List => "list of leases",
            Call::StatusJson => "/v1/status",
            Call::StatusPage => "/status",
        }
    }

    /// Which trivial call does as much to the disk; none for the yardsticks themselves.
    const fn yardstick(self) -> Option<Call> {
        match self.call {
            Call::Nothing | Call::Write | Call::PlainNothing | Call::PlainWrite => None,
            Call::LeaseAndRelease => Some(Call::Write),
            Call::LeaseAgain | Call::Renew | Call::List | Call::StatusJson | Call::StatusPage => {
                Some(Call::Nothing)
            }
        }
    }

    const fn has_target(self) -> bool {
        matches!(self.call, Call::LeaseAndRelease | Call::LeaseAgain) && !self.is_release
    }
}

impl Measured {
    fn figure(&self) -> Figure {
        let mut ms = self.ms.clone();
        ms.sort_by(f64::total_cmp);
        let at = |hundredths: usize| {
            let last = ms.len().saturating_sub(1);
            ms.get(last * hundredths / 100).copied().unwrap_or(f64::NAN)
        };
        #[expect(clippy::cast_precision_loss, reason = "not that many calls")]
        let per_second = ms.len() as f64 / self.seconds;
        Figure { per_second, p50: at(50), p99: at(99) }
    }
}

impl Figures {
    /// Takes in what one turn gave.
    pub(crate) fn add(
        &mut self,
        clients: usize,
        call: Call,
        seconds: f64,
        (first, second): (Vec<f64>, Vec<f64>),
    ) {
        let rows = self.0.entry(clients).or_default();
        for (is_release, ms) in [(false, first), (true, second)] {
            if !ms.is_empty() {
                let measured = rows.entry(Row { call, is_release }).or_default();
                measured.ms.extend(ms);
                measured.seconds += seconds;
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = (usize, Row, Figure, [Option<Figure>; 2])> {
        self.0.iter().flat_map(|(clients, rows)| {
            let trivial = [Call::Nothing, Call::Write]
                .map(|call| rows.get(&Row { call, is_release: false }).map(Measured::figure));
            rows.iter().map(move |(row, measured)| (*clients, *row, measured.figure(), trivial))
        })
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let mut last = 0;
        for (clients, row, figure, trivial) in self.rows() {
            if clients != last {
                last = clients;
                let heading = if clients == 1 { "1 client" } else { &format!("{clients} clients") };
                line(
                    &mut text,
                    [heading, "per second", "p50 ms", "p99 ms", "× memory", "", "× write", "", ""],
                );
            }
            let Figure { per_second, p50, p99 } = figure;
            let mut cells = vec![
                row.words().to_owned(),
                format!("{per_second:.0}"),
                format!("{p50:.2}"),
                format!("{p99:.2}"),
            ];
            for beside in trivial {
                let ratio = |mine: f64, its: fn(&Figure) -> f64| {
                    let its = beside.as_ref().filter(|_| row.yardstick().is_some()).map(its);
                    its.map_or_else(String::new, |its| format!("{:.2}", mine / its))
                };
                cells.extend([ratio(p50, |it| it.p50), ratio(p99, |it| it.p99)]);
            }
            cells.push(verdict(row, figure, trivial).unwrap_or_default());
            let mut cells = cells.iter().map(String::as_str);
            line(&mut text, std::array::from_fn(|_| cells.next().unwrap_or_default()));
        }
        text.push_str(
            "\nRatios are p50 and p99 beside those of the trivial object that answers from memory, and of \
             the one that writes.\nA lease is to stay within 2 of the one that does as it does: a new \
             one writes, one that is held does not.",
        );
        text
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> String {
        let rows = self.rows().map(|(clients, row, figure, trivial)| {
            let Figure { per_second, p50, p99 } = figure;
            let beside = ratios(row, figure, trivial);
            json!({
                "clients": clients, "what": row.words(), "per_second": per_second,
                "p50_ms": p50, "p99_ms": p99, "p50_ratio": beside.map(|it| it.0),
                "p99_ratio": beside.map(|it| it.1),
                "limit": row.has_target().then_some(LIMIT),
            })
        });
        Json::Array(rows.collect()).to_string()
    }
}

/// How many times as long as the trivial call that does as much to the disk.
fn ratios(row: Row, figure: Figure, [nothing, write]: [Option<Figure>; 2]) -> Option<(f64, f64)> {
    let its = match row.yardstick()? {
        Call::Write => write?,
        _ => nothing?,
    };
    Some((figure.p50 / its.p50, figure.p99 / its.p99))
}

fn verdict(row: Row, figure: Figure, trivial: [Option<Figure>; 2]) -> Option<String> {
    let (p50, p99) = ratios(row, figure, trivial).filter(|_| row.has_target())?;
    let word = if p50.max(p99) <= LIMIT { "ok" } else { "MISSED" };
    Some(format!("≤ {LIMIT:.0} {word}"))
}

fn line(text: &mut String, cells: [&str; 9]) {
    let widths = [40, 11, 8, 8, 9, 6, 8, 6, 0];
    let mut out = String::new();
    for (column, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
        // Writing to a string cannot fail.
        let _written = match column {
            0 => write!(out, "{cell:<width$}"),
            8 => write!(out, "  {cell}"),
            _ => write!(out, "{cell:>width$}"),
        };
    }
    text.push_str(out.trim_end());
    text.push('\n');
}
