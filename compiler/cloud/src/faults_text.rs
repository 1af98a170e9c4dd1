//! The text form of faults: reads it.

use crate::faults::{CrashWhen, Faults};
use crate::products::words;

impl Faults {
    /// Reads the text form. An empty text is no faults.
    ///
    /// The text form, for a command-line flag or a variable: `key=value` pairs with commas between.
    ///
    /// | key | value | meaning |
    /// |---|---|---|
    /// | `latency` | ms | every answer takes at least this much longer |
    /// | `error-rate` | 0–1 | this share of calls answers 500 with HTML, without effect |
    /// | `error-on` | n, or n+n+… | that call answers 500 with HTML, without effect |
    /// | `lose-response-on` | n+n | the effect happens, the connection closes without an answer |
    /// | `drop-request-on` | n+n | the connection closes before any effect |
    /// | `throttle-on` | n+n | 429, `Retry-After: 1`, code 971 |
    /// | `null-body-on` | n+n | 429, `Retry-After: 1`, and the body `null` |
    /// | `html-on` | n+n | 200 with an HTML challenge page (`cf-mitigated: challenge`) |
    /// | `crash-on` | n:before, n:after | the process aborts before or after the call's effect |
    /// | `fail` (or `fail-path`) | METHOD:part of the path:status:code:text | every such call fails so |
    /// | `deny` | d1+kv+…, a product's word each | the token lacks these permissions |
    /// | `rate-limit` | n | more than n calls in 5 minutes: refused for 5 minutes |
    /// | `seed` | n | of `error-rate` |
    /// | `list-lag` | ms | new objects appear in lists only after this |
    /// | `bare-conflict` | true, false | R2's "not empty" comes without its code |
    /// | `unreachable-origin` | true, false | making or changing a Hyperdrive config: 2015 |
    /// | `unicode-zones` | true, false | names of zones and records come in Unicode |
    pub fn parse(spec: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for pair in spec.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| format!("`{pair}` is not key=value"))?;
            faults.set(key.trim(), value.trim())?;
        }
        Ok(faults)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "latency" => self.latency_ms = number(key, value)?,
            "error-rate" => self.error_rate = rate(value)?,
            "error-on" => self.error_on = calls(key, value)?,
            "lose-response-on" => self.lose_response_on = calls(key, value)?,
            "drop-request-on" => self.drop_request_on = calls(key, value)?,
            "throttle-on" => self.throttle_on = calls(key, value)?,
            "null-body-on" => self.null_body_on = calls(key, value)?,
            "html-on" => self.html_on = calls(key, value)?,
            "crash-on" => self.crash_on = Some(crash(value)?),
            "fail" | "fail-path" => self.fail_path = Some(fail(value)?),
            "deny" => self.deny = products(value)?,
            "rate-limit" => self.rate_limit = Some(number(key, value)?),
            "seed" => self.seed = number(key, value)?,
            "list-lag" => self.list_lag_ms = number(key, value)?,
            "bare-conflict" => self.bare_conflict = number(key, value)?,
            "unreachable-origin" => self.unreachable_origin = number(key, value)?,
            "unicode-zones" => self.unicode_zones = number(key, value)?,
            _ => return Err(format!("unknown fault `{key}`")),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{key}={value}`: cannot read the value"))
}

fn rate(value: &str) -> Result<f64, String> {
    let rate: f64 = number("error-rate", value)?;
    if (0.0..=1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("`error-rate={value}`: must be between 0 and 1"))
    }
}

fn calls(key: &str, value: &str) -> Result<Vec<u64>, String> {
    value
        .split('+')
        .map(|n| match number(key, n.trim())? {
            0 => Err(format!("`{key}={value}`: calls count from 1")),
            n => Ok(n),
        })
        .collect()
}

fn crash(value: &str) -> Result<(u64, CrashWhen), String> {
    let (call, when) = value.split_once(':').unwrap_or((value, "before"));
    let when = match when {
        "before" => CrashWhen::Before,
        "after" => CrashWhen::After,
        _ => return Err(format!("`crash-on={value}`: `before` or `after`")),
    };
    Ok((number("crash-on", call)?, when))
}

fn fail(value: &str) -> Result<(String, String, u16, i64, String), String> {
    let mut parts = value.splitn(5, ':');
    let mut next = || {
        parts.next().ok_or_else(|| format!("`fail={value}`: wants METHOD:path:status:code:text"))
    };
    let (method, path) = (next()?.to_ascii_uppercase(), next()?.to_owned());
    let (status, code) = (number("fail", next()?)?, number("fail", next()?)?);
    Ok((method, path, status, code, next()?.to_owned()))
}

fn products(value: &str) -> Result<Vec<String>, String> {
    let known = |name: &str| {
        if words().any(|word| word == name) {
            Ok(name.to_owned())
        } else {
            let words: Vec<&str> = words().collect();
            Err(format!("`deny={value}`: no product `{name}`, there are {}", words.join(", ")))
        }
    };
    value.split('+').map(|name| known(name.trim())).collect()
}
