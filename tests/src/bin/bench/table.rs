//! What was measured, beside what it may be.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
};

use serde_json::{Value as Json, json};

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was done, such as `plan, nothing to do`.
    pub(crate) what: String,
    /// What of it was measured, such as `requests`.
    pub(crate) figure: &'static str,
    /// The figure.
    pub(crate) value: f64,
    /// The middle of all runs, where there were several.
    pub(crate) median: Option<f64>,
    /// `ms`, `MB` …, or nothing for a count.
    pub(crate) unit: &'static str,
    /// The most that it may be.
    pub(crate) limit: Option<f64>,
    /// What else there is to say.
    pub(crate) note: String,
}

/// All figures.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Row {
    /// A figure without a limit.
    pub(crate) fn new(what: &str, figure: &'static str, value: f64, unit: &'static str) -> Self {
        let what = what.to_owned();
        Self { what, figure, value, median: None, unit, limit: None, note: String::new() }
    }

    /// With the middle of all runs.
    pub(crate) fn median(self, median: f64) -> Self {
        Self { median: Some(median), ..self }
    }

    /// With the most that it may be.
    pub(crate) fn limit(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// With something to say.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn verdict(&self) -> &'static str {
        match self.limit {
            None => "",
            Some(limit) if self.value <= limit => "ok",
            Some(_) => "MISSED",
        }
    }
}

impl Table {
    /// Adds a figure.
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let heads = ["what", "figure", "least", "median", "limit", "", ""];
        let mut lines = vec![heads.map(str::to_owned)];
        let mut last = "";
        for row in &self.rows {
            let what = if row.what == last { "" } else { row.what.as_str() };
            last = &row.what;
            let number =
                |value: f64| format!("{} {}", short(value), row.unit).trim_end().to_owned();
            lines.push([
                what.to_owned(),
                row.figure.to_owned(),
                number(row.value),
                row.median.map(number).unwrap_or_default(),
                row.limit.map(|limit| format!("≤ {}", number(limit))).unwrap_or_default(),
                row.verdict().to_owned(),
                row.note.clone(),
            ]);
        }
        let mut widths = [0; 7];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for line in &lines {
            let mut out = String::new();
            for (column, (width, cell)) in widths.iter().zip(line).enumerate() {
                let pad = width.saturating_sub(cell.chars().count());
                let (before, after) = if (2..5).contains(&column) { (pad, 0) } else { (0, pad) };
                out.extend(std::iter::repeat_n(' ', before));
                out.push_str(cell);
                out.extend(std::iter::repeat_n(' ', after + 2));
            }
            text.push_str(out.trim_end());
            text.push('\n');
        }
        let missed = self.rows.iter().filter(|row| row.verdict() == "MISSED").count();
        let targets = self.rows.iter().filter(|row| row.limit.is_some()).count();
        // Writing to a string cannot fail.
        let _written = write!(text, "\n{} of {targets} targets met", targets - missed);
        text
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> String {
        let rows: Vec<Json> = self
            .rows
            .iter()
            .map(|row| {
                let Row { what, figure, value, median, unit, limit, note } = row;
                json!({
                    "what": what, "figure": figure, "value": value, "median": median,
                    "unit": unit, "limit": limit, "met": limit.map(|limit| *value <= limit),
                    "note": note,
                })
            })
            .collect();
        Json::Array(rows).to_string()
    }
}

/// Counts as they are, measurements with one digit, small ones with two.
fn short(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

/// The result.
pub(crate) fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What did not work.
pub(crate) fn complain(error: &str) -> ExitCode {
    // There is nobody left to tell when this fails.
    let _written = writeln!(io::stderr(), "the benchmark cannot go on: {error}");
    ExitCode::FAILURE
}
