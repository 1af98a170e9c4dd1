//! The text form of faults: reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::faults::{CrashWhen, Failure, Faults, Flag, Lag};
use crate::moods::lag;
use crate::products::words;
use crate::throttle::{Block, LimitHeaders, RefusalBody, RetryAfter};

/// The window of the rate limit, which a scale makes shorter.
const WINDOW_MS: u64 = 300_000;
/// What the real API takes for an answer, about.
const LATENCY_MS: u64 = 150;
/// For how long lists have been seen not to have what was just made.
const LIST_LAG_MS: u64 = 5_000;
/// How often a call is refused in passing, on the real API: less often than here, where few calls
/// have to show it.
const PASSING: f64 = 0.03;

impl Faults {
    /// Reads the text form. An empty text is no faults.
    ///
    /// The text form, for a command-line flag or a variable: `key=value` pairs with commas between. A
    /// colon may stand for the first equals sign. Where `true` is a value, the key alone says it.
    ///
    /// | key | value | meaning |
    /// |---|---|---|
    /// | `reality` | a scale: 1, 0.02, 1/50 | all moods that are normal on the real API, every duration times this; what stands behind it changes it |
    /// | `latency` | ms | every answer takes at least this much longer |
    /// | `error-rate` | 0–1 | this share of calls answers 500 with HTML, without effect |
    /// | `error-on` | n, or n+n+… | that call answers 500 with HTML, without effect |
    /// | `lose-response-on` | n+n | the effect happens, the connection closes without an answer |
    /// | `drop-request-on` | n+n | the connection closes before any effect |
    /// | `throttle-on` | n+n | 429, `Retry-After: 1`, code 971 |
    /// | `null-body-on` | n+n | 429, `Retry-After: 1`, and the body `null` |
    /// | `html-on` | n+n | 200 with an HTML challenge page (`cf-mitigated: challenge`) |
    /// | `crash-on` | n:before, n:after | the process aborts before or after the call's effect |
    /// | `fail` (or `fail-path`) | METHOD:part of the path:status:code:text | every such call fails so; code 0 is none |
    /// | `fail-once` | the same | the first such call fails so; may stand several times |
    /// | `deny` | d1+kv+…, a product's word each | the token lacks these permissions |
    /// | `rate-limit` | n | more than n calls in 5 minutes: refused for 5 minutes |
    /// | `limit-headers` | recorded, counted, none | what `Ratelimit` says: what was recorded (it does not count), what is left of `rate-limit`, or nothing |
    /// | `block` | n:ms:none, seconds or date:971, 10429, another code, null, text or page | from call n on, every call is 429 for that long, with or without `Retry-After`, with this body |
    /// | `seed` | n | of whatever is drawn |
    /// | `list-lag` | ms | new objects appear in lists only after this |
    /// | `lag` | ms, or pair:ms+pair:ms | what was just made is not seen by another product for this long; the pairs stand in `moods/lag.rs` |
    /// | `lag-tries` | n, or pair:n+pair:n | nor by the first n calls that ask for it |
    /// | `upload-404` | n | the first n uploads of each new script answer 404 without a code |
    /// | `passing-auth` | 0–1 | this share of calls is refused once with 401 or 403, then served |
    /// | `d1-again` | 0–1 | this share of statements is answered once with a text of D1's that asks to try again, with their effect or without |
    /// | `open-uploads` | n | each new R2 bucket has n open multipart uploads |
    /// | `split-sql` | true, false | `/query` of D1 cuts a text at semicolons, also in triggers |
    /// | `one-upload` | true, false | an upload of a script that comes while another one is under way answers 500 with 10013, without effect; so does a domain beside a domain |
    /// | `kept-objects` | true, false | R2's bulk deletion says that objects are gone, and they stay |
    /// | `bare-failures` | true, false | failures have neither `result` nor `messages` |
    /// | `null-arrays` | true, false | `errors` and `messages` of lists are null |
    /// | `bare-validation` | true, false | a DNS validation failure is its cause, without 1004 |
    /// | `coded-conflict` | true, false | R2's "not empty" comes with its code |
    /// | `unreachable-origin` | true, false | making or changing a Hyperdrive config: 2015 |
    /// | `unicode-zones` | true, false | names of zones and records come in Unicode |
    pub fn parse(spec: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for pair in spec.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = match pair.split_once(['=', ':']) {
                Some((key, value)) => (key.trim(), Some(value.trim())),
                None => (pair, None),
            };
            match (Flag::ALL.iter().find(|(word, _)| *word == key), value) {
                (Some((_, flag)), value) => faults.turn(key, *flag, value.unwrap_or("true"))?,
                (None, None) if key == "reality" => faults.be_real(1.0),
                (None, Some(value)) => faults.set(key, value)?,
                (None, None) => return Err(format!("`{pair}` is not key=value")),
            }
        }
        Ok(faults)
    }

    fn turn(&mut self, key: &str, flag: Flag, value: &str) -> Result<(), String> {
        if number(key, value)? {
            self.flags.insert(flag);
        } else {
            self.flags.remove(&flag);
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "reality" => self.be_real(scale(value)?),
            "latency" => self.latency_ms = number(key, value)?,
            "error-rate" => self.error_rate = share(key, value)?,
            "error-on" => self.error_on = calls(key, value)?,
            "lose-response-on" => self.lose_response_on = calls(key, value)?,
            "drop-request-on" => self.drop_request_on = calls(key, value)?,
            "throttle-on" => self.throttle_on = calls(key, value)?,
            "null-body-on" => self.null_body_on = calls(key, value)?,
            "html-on" => self.html_on = calls(key, value)?,
            "crash-on" => self.crash_on = Some(crash(value)?),
            "fail" | "fail-path" => self.fail_path = Some(fail(key, value)?),
            "fail-once" => self.fail_once.push(fail(key, value)?),
            "deny" => self.deny = products(value)?,
            "rate-limit" => self.rate_limit = Some(number(key, value)?),
            "limit-headers" => self.limit_headers = limit_headers(value)?,
            "block" => self.block = Some(block(value)?),
            "seed" => self.seed = number(key, value)?,
            "list-lag" => self.list_lag_ms = number(key, value)?,
            "lag" => set_lags(&mut self.lags, key, value, |lag, ms| lag.ms = ms)?,
            "lag-tries" => set_lags(&mut self.lags, key, value, |lag, n| {
                lag.tries = u32::try_from(n).unwrap_or(u32::MAX);
            })?,
            "upload-404" => self.upload_404 = number(key, value)?,
            "passing-auth" => self.passing_auth = share(key, value)?,
            "d1-again" => self.d1_again = share(key, value)?,
            "open-uploads" => self.open_uploads = number(key, value)?,
            _ => return Err(format!("unknown fault `{key}`")),
        }
        Ok(())
    }

    /// Takes the moods of the real API. Open uploads and objects that stay are none: they are somebody's
    /// doing, and end by nothing that a client does.
    fn be_real(&mut self, scale: f64) {
        let times = |ms: u64| {
            let scaled = Duration::from_millis(ms).mul_f64(scale);
            u64::try_from(scaled.as_millis()).unwrap_or(u64::MAX)
        };
        self.latency_ms = times(LATENCY_MS);
        self.list_lag_ms = times(LIST_LAG_MS);
        self.lags_vary = true;
        for (pair, ms) in lag::usual() {
            self.lags.insert(pair, Lag { ms: times(ms), tries: 0 });
        }
        (self.rate_limit, self.limit_window_ms) = (Some(1200), Some(times(WINDOW_MS).max(1)));
        self.upload_404 = 1;
        (self.passing_auth, self.d1_again) = (PASSING, PASSING);
        self.flags.extend([Flag::SplitSql, Flag::BareValidation, Flag::UnicodeZones]);
    }
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{key}={value}`: cannot read the value"))
}

fn share(key: &str, value: &str) -> Result<f64, String> {
    let share: f64 = number(key, value)?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("`{key}={value}`: must be between 0 and 1"))
    }
}

/// A factor of durations: `1`, `0.02`, `1/50`.
fn scale(value: &str) -> Result<f64, String> {
    let read = |text: &str| text.trim().parse::<f64>().ok();
    let scale = match value.split_once('/') {
        Some((one, many)) => read(one).zip(read(many)).map(|(one, many)| one / many),
        None => read(value),
    };
    // A day for a second is nobody's rehearsal.
    scale
        .filter(|scale| (0.0..=100.0).contains(scale))
        .ok_or_else(|| format!("`reality={value}`: a scale such as 1, 0.02 or 1/50"))
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

fn fail(key: &str, value: &str) -> Result<Failure, String> {
    let mut parts = value.splitn(5, ':');
    let mut next = || {
        parts.next().ok_or_else(|| format!("`{key}={value}`: wants METHOD:path:status:code:text"))
    };
    let (method, part) = (next()?.to_ascii_uppercase(), next()?.to_owned());
    let (status, code) = (number(key, next()?)?, number(key, next()?)?);
    Ok(Failure { method, part, status, code, text: next()?.to_owned() })
}

fn limit_headers(value: &str) -> Result<LimitHeaders, String> {
    match value {
        "recorded" => Ok(LimitHeaders::Recorded),
        "counted" => Ok(LimitHeaders::Counted),
        "none" => Ok(LimitHeaders::Absent),
        _ => Err(format!("`limit-headers={value}`: `recorded`, `counted` or `none`")),
    }
}

fn block(value: &str) -> Result<Block, String> {
    let wrong = || {
        format!(
            "`block={value}`: wants n:ms:header:body, with `none`, `seconds` or `date`, and a code, \
             `null`, `text` or `page`"
        )
    };
    let parts: Vec<&str> = value.split(':').collect();
    let [from, ms, header, body] = parts.as_slice() else { return Err(wrong()) };
    let header = match *header {
        "none" => RetryAfter::Absent,
        "seconds" => RetryAfter::Seconds,
        "date" => RetryAfter::Date,
        _ => return Err(wrong()),
    };
    let body = match *body {
        "null" => RefusalBody::Null,
        "text" => RefusalBody::Text,
        "page" => RefusalBody::Page,
        code => RefusalBody::Code(code.parse().map_err(|_| wrong())?),
    };
    Ok(Block { from: number("block", from)?, ms: number("block", ms)?, header, body })
}

/// One number for all pairs, or for each its own.
fn set_lags(
    lags: &mut BTreeMap<&'static str, Lag>,
    key: &str,
    value: &str,
    set: impl Fn(&mut Lag, u64),
) -> Result<(), String> {
    if let Ok(all) = value.parse() {
        for (pair, _) in lag::usual() {
            set(lags.entry(pair).or_default(), all);
        }
        return Ok(());
    }
    for item in value.split('+') {
        let (word, n) = item
            .split_once(':')
            .ok_or_else(|| format!("`{key}={value}`: wants a number, or pair:number"))?;
        let known = lag::usual().map(|(pair, _)| pair).find(|pair| *pair == word.trim());
        let pair = known.ok_or_else(|| {
            let words: Vec<&str> = lag::usual().map(|(pair, _)| pair).collect();
            format!("`{key}={value}`: no pair `{word}`, there are {}", words.join(", "))
        })?;
        set(lags.entry(pair).or_default(), number(key, n.trim())?);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reality_takes_a_scale_and_may_be_changed_behind_it() {
        let whole = Faults::parse("reality").unwrap();
        assert_eq!(Faults::parse("reality=1"), Ok(whole.clone()));
        assert!(whole.lags.values().all(|lag| (1_000..=30_000).contains(&lag.ms)), "{whole:?}");
        let short = Faults::parse("reality=1/50").unwrap();
        assert_eq!(Faults::parse("reality:0.02"), Ok(short.clone()));
        assert_eq!(short.latency_ms, LATENCY_MS / 50);
        for (pair, lag) in &whole.lags {
            assert_eq!(short.lags[pair].ms, lag.ms / 50, "{pair}");
        }
        let less = Faults::parse("reality=1/50,split-sql=false,lag=routes:0,latency=0").unwrap();
        assert!(!less.has(Flag::SplitSql) && less.has(Flag::BareValidation));
        assert_eq!((less.lags["routes"].ms, less.latency_ms), (0, 0));
        for wrong in ["reality=fast", "reality=1/0", "reality=-1", "reality=1e9"] {
            assert!(Faults::parse(wrong).unwrap_err().contains("1/50"), "{wrong}");
        }
    }

    #[test]
    fn lags_are_said_for_all_pairs_or_for_each() {
        let faults = Faults::parse("lag=kv:200+routes:30,lag-tries=2").unwrap();
        assert_eq!(faults.lags["kv"], Lag { ms: 200, tries: 2 });
        assert_eq!(faults.lags["domains"], Lag { ms: 0, tries: 2 });
        let unknown = Faults::parse("lag=kvs:1").unwrap_err();
        assert!(unknown.contains("no pair `kvs`") && unknown.contains("routes"), "{unknown}");
    }

    #[test]
    fn a_block_and_failures_that_pass() {
        let faults = Faults::parse(
            "block=3:2000:date:null,fail-once=GET:/d1:401:10000:no,fail-once=put:/x:404:0:gone",
        )
        .unwrap();
        let block = Block { from: 3, ms: 2000, header: RetryAfter::Date, body: RefusalBody::Null };
        assert_eq!(faults.block, Some(block));
        assert_eq!(faults.fail_once.len(), 2);
        for wrong in ["block=1:2", "block=1:2:soon:971", "block=1:2:none:loud", "limit-headers=x"] {
            assert!(Faults::parse(wrong).is_err(), "{wrong}");
        }
    }
}
