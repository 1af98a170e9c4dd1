//! The status page: one document without any other, which works without its script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use envc_edge_api::{Day, EnvironmentStatus, Outcome, PoolStats, Reachability, Status, UrlStatus};
use sha2::{Digest as _, Sha256};

use super::html::Html;
use crate::http::Response;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const DAY_MS: u64 = 86_400_000;
/// How many days are drawn.
const DAYS: u32 = 90;

/// `GET /status`
pub fn page(status: &Status) -> Response {
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"robots\" content=\"noindex\"><title>").text(headline(status));
    html.raw("</title><style>").raw(STYLE).raw("</style></head><body><main>");
    html.raw("<h1>Preview environments</h1><p role=\"status\" class=\"banner ");
    html.raw(banner(status)).raw("\">").text(headline(status)).raw("</p>");
    html.raw("<h2>Environments</h2>");
    if status.environments.is_empty() {
        html.raw("<p>None is registered.</p>");
    }
    for environment in &status.environments {
        write_environment(&mut html, environment, status.at_ms);
    }
    if !status.pools.is_empty() {
        html.raw("<h2>Pools of preview IDs</h2>");
    }
    for pool in &status.pools {
        write_pool(&mut html, pool);
    }
    html.raw("<footer>Put together at ").text(clock(status.at_ms)).raw(" UTC.</footer></main>");
    html.raw("<script>").raw(SCRIPT).raw("</script></body></html>");
    let mut response = Response::text("text/html; charset=utf-8", html.finish());
    response.headers.push(("content-security-policy", policy()));
    response.headers.push(("referrer-policy", "no-referrer".to_owned()));
    response
}

/// Only what stands in the page itself runs and shows, and it may ask this Worker alone.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

const fn class(health: Reachability) -> &'static str {
    match health {
        Reachability::Up => "up",
        Reachability::Down => "down",
        Reachability::Unknown => "unknown",
    }
}

/// What is worse shows.
const fn banner(status: &Status) -> &'static str {
    match status.health {
        Reachability::Up | Reachability::Unknown if status.counts.expired > 0 => "expired",
        health => class(health),
    }
}

fn headline(status: &Status) -> String {
    let health = match (status.health, status.counts.down) {
        (Reachability::Up, _) => "All probed environments answer".to_owned(),
        (Reachability::Down, 1) => "1 environment does not answer".to_owned(),
        (Reachability::Down, down) => format!("{down} environments do not answer"),
        (Reachability::Unknown, _) => "Nothing is probed yet".to_owned(),
    };
    match status.counts.expired {
        0 => health,
        1 => format!("{health}, 1 is past its time"),
        expired => format!("{health}, {expired} are past their time"),
    }
}

fn write_environment(html: &mut Html, it: &EnvironmentStatus, now_ms: u64) {
    html.raw("<article><div class=\"head\"><h3>").text(&it.id).raw("</h3><span class=\"state ");
    if it.is_past_ttl {
        html.raw("expired\">past its time");
    } else {
        html.raw(class(it.health)).raw("\">").raw(match it.health {
            Reachability::Up => "answers",
            Reachability::Down => "does not answer",
            Reachability::Unknown => "not probed",
        });
    }
    html.raw("</span></div><ul class=\"facts\"><li>").text(&it.project).raw(", type ");
    html.text(&it.environment_type).raw("</li><li>owner ").text(&it.owner).raw("</li>");
    if let Some(branch) = &it.branch {
        html.raw("<li>branch ").text(branch).raw("</li>");
    }
    html.raw("<li>").text(span(now_ms.saturating_sub(it.created_at_ms))).raw(" old</li>");
    if let Some(at_ms) = it.expires_at_ms {
        let (left_ms, over_ms) = (at_ms.saturating_sub(now_ms), now_ms.saturating_sub(at_ms));
        if it.is_past_ttl {
            html.raw("<li>its time ended ").text(span(over_ms)).raw(" ago</li>");
        } else {
            html.raw("<li>").text(span(left_ms)).raw(" left</li>");
        }
    }
    let resources: u32 = it.resources.values().fold(0, |sum, count| sum.saturating_add(*count));
    if resources > 0 {
        html.raw("<li>").text(counted(u64::from(resources), "resource")).raw("</li>");
    }
    html.raw(match it.outcome {
        Outcome::Applied => "",
        Outcome::ApplyFailed => "<li class=\"bad\">the last apply failed</li>",
        Outcome::DestroyFailed => "<li class=\"bad\">the last destroy failed</li>",
    });
    html.raw("</ul>");
    if !it.urls.is_empty() {
        html.raw("<ul class=\"urls\">");
        it.urls.iter().for_each(|url| write_url(html, url));
        html.raw("</ul>");
    }
    write_days(html, &it.days, now_ms);
    html.raw("</article>");
}

fn write_url(html: &mut Html, it: &UrlStatus) {
    // What was registered is http or https, so no script can stand in the address.
    html.raw("<li>").text(&it.name).raw(": <a rel=\"noreferrer\" href=\"").text(&it.url);
    html.raw("\">").text(&it.url).raw("</a> ");
    match (&it.last, it.is_probed) {
        (Some(last), _) => {
            match last.status {
                Some(status) => html.text(status).raw(" in "),
                None => html.raw("no answer after "),
            };
            html.text(last.latency_ms).raw(" ms");
        }
        (None, true) => drop(html.raw("not asked yet")),
        (None, false) => drop(html.raw("not probed: its host is in no listed zone")),
    }
    html.raw("</li>");
}

/// The last 90 days as bars, each with its numbers for whoever points at it.
fn write_days(html: &mut Html, days: &[Day], now_ms: u64) {
    let today = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
    let (up, all) = days.iter().fold((0_u64, 0_u64), |(up, all), day| {
        (up + u64::from(day.up), all + u64::from(day.up) + u64::from(day.down))
    });
    let uptime = percent(up, all);
    html.raw(
        "<svg class=\"bars\" viewBox=\"0 0 360 24\" preserveAspectRatio=\"none\" role=\"img\" ",
    );
    html.raw("aria-label=\"The last 90 days: ").text(&uptime).raw("\">");
    for back in (0..DAYS).rev() {
        let Some(number) = today.checked_sub(back) else { continue };
        let day = days.iter().find(|day| day.day == number);
        html.raw("<rect y=\"0\" width=\"3\" height=\"24\" x=\"").text((DAYS - 1 - back) * 4);
        html.raw("\" class=\"").raw(match day {
            None => "none",
            Some(day) if day.down == 0 => "up",
            Some(day) if day.up == 0 => "down",
            Some(_) => "part",
        });
        html.raw("\"><title>").text(date(number)).raw(": ");
        match day {
            None => html.raw("not probed"),
            Some(day) => {
                let all = u64::from(day.up) + u64::from(day.down);
                let mean_ms = day.latency_ms_sum.checked_div(u64::from(day.up)).unwrap_or(0);
                html.text(percent(u64::from(day.up), all)).raw(", ").text(mean_ms).raw(" ms")
            }
        };
        html.raw("</title></rect>");
    }
    html.raw("</svg><div class=\"legend\"><span>90 days ago</span><span>").text(uptime);
    html.raw("</span><span>today</span></div>");
}

fn write_pool(html: &mut Html, it: &PoolStats) {
    html.raw("<article><div class=\"head\"><h3>").text(&it.pool).raw("</h3><span class=\"state\">");
    html.text(it.free).raw(" of ").text(it.size).raw(" free</span></div><ul class=\"facts\"><li>");
    html.text(it.leased).raw(" leased</li><li>").text(it.cooling).raw(" cooling</li><li>");
    html.text(it.draining).raw(" draining</li><li>").text(it.queue).raw(" waiting</li></ul>");
    let size = it.size.max(1);
    html.raw("<svg class=\"meter\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
    html.text(it.leased).raw(" of ").text(it.size).raw(" leased\" viewBox=\"0 0 ").text(size);
    html.raw(" 1\"><rect class=\"none\" height=\"1\" width=\"").text(size);
    html.raw("\"/><rect class=\"used\" height=\"1\" width=\"").text(it.leased.min(size));
    html.raw("\"/></svg></article>");
}

/// `99.95 % up`, rounded down so that 100 means all of them.
fn percent(part: u64, whole: u64) -> String {
    match part.saturating_mul(10_000).checked_div(whole) {
        None => "not probed".to_owned(),
        Some(10_000) => "100 % up".to_owned(),
        Some(hundredths) => format!("{}.{:02} % up", hundredths / 100, hundredths % 100),
    }
}

/// A length of time in its largest unit.
fn span(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (count, unit) = match minutes {
        0 => return "less than a minute".to_owned(),
        1..=59 => (minutes, "minute"),
        60..=1_439 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    counted(count, unit)
}

fn counted(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// `2026-11-22`, out of days since 1970-01-01; Howard Hinnant's `civil_from_days`.
pub(super) fn date(day: u32) -> String {
    let shifted = u64::from(day) + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn clock(at_ms: u64) -> String {
    let day = u32::try_from(at_ms / DAY_MS).unwrap_or(u32::MAX);
    let seconds = at_ms % DAY_MS / 1_000;
    format!("{} {:02}:{:02}:{:02}", date(day), seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
