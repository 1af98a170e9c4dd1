//! Schedules of Workers: what they may be, and the one way to write each.
//!
//! Five fields in UTC: minute, hour, day of the month, month, weekday, which begins with Sunday as 1.
//! Besides numbers, `*`, lists, ranges and steps there are names of months and days, and Quartz's `L`
//! (last), `W` (the nearest working day) and `#` (the n-th). A small reader of our own: the local
//! cloud reads schedules with a crate, so that neither is the other's only witness.
//! Source: Cloudflare's documentation of cron triggers, checked November 2026.

use std::collections::BTreeSet;

use crate::normal;

/// One of the five fields.
struct Field {
    noun: &'static str,
    first: u8,
    last: u8,
    /// Names of the values, from the first on.
    names: &'static [&'static str],
    /// A `*` here is not the same as all values: it says that the other of day and weekday decides.
    star_counts: bool,
}

const fn field(noun: &'static str, first: u8, last: u8) -> Field {
    Field { noun, first, last, names: &[], star_counts: false }
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    field("minute", 0, 59),
    field("hour", 0, 23),
    Field { star_counts: true, ..field("day", 1, 31) },
    Field { names: MONTHS, ..field("month", 1, 12) },
    Field { names: DAYS, star_counts: true, ..field("weekday", 1, 7) },
];

/// The one way to write a schedule, or what is wrong with it, as a clause.
pub fn form(text: &str) -> Result<String, String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_ascii_uppercase).collect();
    if words.len() != FIELDS.len() {
        return Err(format!("{} of the 5 fields of a schedule", words.len()));
    }
    let forms: Option<Vec<String>> =
        FIELDS.iter().zip(&words).map(|(field, word)| field.form(word)).collect();
    forms.map(|forms| forms.join(" ")).ok_or_else(|| {
        let wrong = FIELDS.iter().zip(&words).find(|(field, word)| field.form(word).is_none());
        let (noun, word) =
            wrong.map(|(field, word)| (field.noun, word.as_str())).unwrap_or_default();
        format!("`{}` is not possible as {noun}", word.to_ascii_lowercase())
    })
}

/// The form of a list of schedules, whose order and repetitions say nothing.
pub(crate) fn forms(
    value: &serde_json::Value,
    beside: &crate::Fields<serde_json::Value>,
) -> serde_json::Value {
    let one = |cron: &serde_json::Value| {
        normal::text(cron, |text| form(text).unwrap_or_else(|_| text.to_owned()))
    };
    let all = value.as_array().map(|crons| crons.iter().map(one).collect());
    normal::set(all.as_ref().unwrap_or(value), beside)
}

impl Field {
    fn form(&self, word: &str) -> Option<String> {
        let (mut star, mut numbers, mut others) = (false, BTreeSet::new(), BTreeSet::new());
        for item in word.split(',') {
            if let Some(special) = self.special(item) {
                others.insert(special);
                continue;
            }
            let (base, step) = match item.split_once('/') {
                Some((base, step)) => (base, Some(number(step).filter(|step| *step > 0)?)),
                None => (item, None),
            };
            star |= base == "*";
            let (from, to) = match base.split_once('-') {
                _ if base == "*" => (self.first, self.last),
                Some((from, to)) => (self.value(from)?, self.value(to)?),
                // A step goes over a range: nothing says that Cloudflare takes one from a number on.
                None if step.is_some() => return None,
                None => (self.value(base)?, self.value(base)?),
            };
            if from > to || step.is_some_and(|step| step > self.last) {
                return None;
            }
            numbers.extend((from..=to).step_by(usize::from(step.unwrap_or(1))));
        }
        let all = numbers.len() == usize::from(self.last - self.first) + 1;
        let mut parts: Vec<String> = Vec::new();
        if all && (star || !self.star_counts) {
            parts.push("*".to_owned());
        } else {
            parts.extend((star && self.star_counts).then(|| "*/".to_owned()));
            parts.extend(numbers.iter().map(ToString::to_string));
        }
        parts.extend(others);
        Some(parts.join(","))
    }

    /// What only days and weekdays may be.
    fn special(&self, item: &str) -> Option<String> {
        match self.noun {
            "day" => {
                let good = matches!(item, "L" | "LW")
                    || item.strip_suffix('W').is_some_and(|day| self.value(day).is_some());
                good.then(|| item.to_owned())
            }
            "weekday" if item == "L" => Some(item.to_owned()),
            "weekday" => match item.split_once('#') {
                Some((day, nth)) => {
                    let nth = number(nth).filter(|nth| (1..=5).contains(nth))?;
                    Some(format!("{}#{nth}", self.value(day)?))
                }
                None => Some(format!("{}L", self.value(item.strip_suffix('L')?)?)),
            },
            _ => None,
        }
    }

    fn value(&self, word: &str) -> Option<u8> {
        let named = self.names.iter().position(|name| *name == word);
        let value = match named {
            Some(at) => u8::try_from(at).ok()?.checked_add(self.first)?,
            None => number(word)?,
        };
        (self.first..=self.last).contains(&value).then_some(value)
    }
}

/// One or two digits.
fn number(word: &str) -> Option<u8> {
    let good = (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_at_the_same_times_is_one_schedule() {
        for same in [
            ["*/5 * * * *", "*/5  *\t* * *", " 0-59/5 */1 * 1-12 *"],
            ["0 6 * * mon-fri", "0 6 * jan-dec 2-6", "00 06 * * MON,TUE,wed,4-5,fri"],
            ["30 18 * * SAT", "30 18 * * 7", "30 18 * * sat,7"],
            ["0 0 L * *", "0 0 l * *", "0 0 L,L */1 *"],
            ["0 0 * * fri#2", "0 0 * * 6#2", "0 0 * * FRI#2,6#2"],
            ["0 0 15w * *", "0 0 15W * *", "0 0 15W jan-dec *"],
            ["0 0 * * 6L", "0 0 * * FRIL", "0 0 * * fril"],
        ] {
            let forms = same.map(|text| form(text).unwrap());
            assert_eq!(forms[0], forms[1], "{same:?}");
            assert_eq!(forms[0], forms[2], "{same:?}");
        }
        for (one, other) in [
            ("*/5 * * * *", "*/6 * * * *"),
            ("0 0 1 * 2", "0 0 * * 2"),
            // By some rules a `*` leaves the choice to the other field.
            ("0 0 * * 2", "0 0 1-31 * 2"),
            ("0 0 */2 * 2", "0 0 1-31/2 * 2"),
            ("0 0 L * *", "0 0 LW * *"),
            ("0 0 * * 6L", "0 0 * * 6"),
        ] {
            assert_ne!(form(one), form(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_told_by_its_field() {
        for (text, why) in [
            ("", "0 of the 5 fields of a schedule"),
            ("* * * *", "4 of the 5 fields of a schedule"),
            ("@daily", "1 of the 5 fields of a schedule"),
            ("61 * * * *", "`61` is not possible as minute"),
            ("* 24 * * *", "`24` is not possible as hour"),
            ("* * 0 * *", "`0` is not possible as day"),
            ("* * 32W * *", "`32w` is not possible as day"),
            ("* * L-3 * *", "`l-3` is not possible as day"),
            ("* * * Foo *", "`foo` is not possible as month"),
            ("* * * * 0", "`0` is not possible as weekday"),
            ("* * * * fri-mon", "`fri-mon` is not possible as weekday"),
            ("* * * * MON#6", "`mon#6` is not possible as weekday"),
            ("*/0 * * * *", "`*/0` is not possible as minute"),
            ("5/10 * * * *", "`5/10` is not possible as minute"),
            ("1, * * * *", "`1,` is not possible as minute"),
            ("1-2-3 * * * *", "`1-2-3` is not possible as minute"),
            ("L * * * *", "`l` is not possible as minute"),
            ("+1 * * * *", "`+1` is not possible as minute"),
        ] {
            assert_eq!(form(text), Err(why.to_owned()), "{text}");
        }
    }
}
