//! A badge: an environment's name and whether it answers.

use envc_edge_api::{EnvironmentStatus, Name, Reachability};

use super::html::Html;
use crate::http::Response;

/// `GET /badge/{id}.svg`. An environment that was not reported gets a badge that says so, because
/// a broken picture says less.
pub fn badge(id: &Name, environment: Option<&EnvironmentStatus>) -> Response {
    let (word, colour) = match environment {
        None => ("not there", "#6b7280"),
        Some(it) if it.is_past_ttl => ("expired", "#a16207"),
        Some(it) => match it.health {
            Reachability::Up => ("up", "#15803d"),
            Reachability::Down => ("down", "#b91c1c"),
            Reachability::Unknown => ("unknown", "#6b7280"),
        },
    };
    let name = id.as_str();
    let (left, right) = (width(name), width(word));
    let mut svg = Html::default();
    svg.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" height=\"20\" width=\"");
    svg.text(left + right).raw("\" aria-label=\"").text(name).raw(": ").text(word);
    svg.raw("\"><title>").text(name).raw(": ").text(word).raw("</title>");
    svg.raw("<clipPath id=\"r\"><rect rx=\"3\" height=\"20\" width=\"").text(left + right);
    svg.raw(
        "\"/></clipPath><g clip-path=\"url(#r)\"><rect height=\"20\" fill=\"#374151\" width=\"",
    );
    svg.text(left).raw("\"/><rect height=\"20\" x=\"").text(left).raw("\" width=\"").text(right);
    svg.raw("\" fill=\"").text(colour).raw("\"/></g>");
    svg.raw("<g fill=\"#fff\" text-anchor=\"middle\" font-size=\"11\" ");
    svg.raw("font-family=\"Verdana,DejaVu Sans,sans-serif\">");
    for (middle, text) in [(left / 2, name), (left + right / 2, word)] {
        svg.raw("<text y=\"14\" x=\"").text(middle).raw("\">").text(text).raw("</text>");
    }
    svg.raw("</g></svg>");
    Response::text("image/svg+xml", svg.finish())
}

/// How wide a text of so many characters is, in pixels, with room at its sides.
fn width(text: &str) -> usize {
    text.chars().count() * 7 + 12
}
