//! How cloudflared reaches the service behind an ingress: the `originRequest` of a rule.
//!
//! What an ingress leaves out is Cloudflare's default. The `originRequest` of the whole configuration,
//! which no spec sets, stands in for what a rule leaves out, so that a default is written out in the
//! rule where that one says something else. Times are whole numbers of seconds over the API. An option
//! that does nothing for the service is a mistake: cloudflared takes it in silence.
//! Source: cloudflared's `ingress/config.go`, `ingress/origin_service.go` and
//! `ingress/origin_proxy.go`, and Cloudflare's OpenAPI document, checked November 2026.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Span, Value};
use envc_syntax::{Node, Prop, Scalar};
use serde_json::{Map, Value as Json, json};

use super::service::{self, Behind};
use crate::{Lower, api, normal};

/// The field of a rule that holds them.
pub(super) const FIELD: &str = "originRequest";
const CONFLICT: &str = "envc::spec::conflict";
/// A host name, a colon and a port.
const HOST_HEADER_CHARS_MAX: usize = 259;

/// One of them.
struct OriginOption {
    /// The spec's word: a flag or a property of `ingress`.
    word: &'static str,
    /// The API's field.
    field: &'static str,
    /// What it takes, and what holds without it.
    takes: Takes,
    /// What it does something for.
    on: &'static Services,
}

/// Services, and how such a one is written.
struct Services(&'static [Behind], &'static str);

/// What an option takes.
#[derive(Clone, Copy)]
enum Takes {
    /// A flag; without it false.
    Flag,
    /// A number; without it this one.
    Number(i64),
    /// A text that may refer to anything; without it none.
    Text,
    /// A text that is known before anything exists; without it none.
    Name,
}

static WITH_TLS: Services = Services(&[Behind::Https, Behind::TlsSocket], "https:// or unix+tls:");
static WITH_HOST: Services = Services(&[Behind::Http, Behind::Https], "http:// or https://");
static HTTP: Services = Services(
    &[Behind::Http, Behind::Https, Behind::Socket, Behind::TlsSocket],
    "http://, https://, unix: or unix+tls:",
);
static WITH_ADDRESS: Services =
    Services(&[Behind::Http, Behind::Https, Behind::Stream], "http://, https:// or tcp://");
static CONNECTED: Services = Services(
    &[Behind::Http, Behind::Https, Behind::Socket, Behind::TlsSocket, Behind::Stream],
    "http://, https://, unix:, unix+tls: or tcp://",
);

const fn option(
    word: &'static str,
    field: &'static str,
    takes: Takes,
    on: &'static Services,
) -> OriginOption {
    OriginOption { word, field, takes, on }
}

/// The word of the option beside which a certificate's authority is not looked at.
const NO_TLS_VERIFY: &str = "no-tls-verify";

/// All of them. Their rules stand in the grammar of `ingress`, with these defaults.
static OPTIONS: &[OriginOption] = &[
    option(NO_TLS_VERIFY, "noTLSVerify", Takes::Flag, &WITH_TLS),
    option("http2", "http2Origin", Takes::Flag, &WITH_TLS),
    option("no-chunked-encoding", "disableChunkedEncoding", Takes::Flag, &HTTP),
    option("host-header", "httpHostHeader", Takes::Text, &WITH_HOST),
    option("origin-server-name", "originServerName", Takes::Name, &WITH_TLS),
    option("ca-pool", "caPool", Takes::Name, &WITH_TLS),
    option("connect-timeout", "connectTimeout", Takes::Number(30), &CONNECTED),
    option("tls-timeout", "tlsTimeout", Takes::Number(10), &WITH_TLS),
    option("tcp-keep-alive", "tcpKeepAlive", Takes::Number(30), &WITH_ADDRESS),
    option("keep-alive-timeout", "keepAliveTimeout", Takes::Number(90), &HTTP),
    option("keep-alive-connections", "keepAliveConnections", Takes::Number(100), &HTTP),
];

impl OriginOption {
    /// What holds without it.
    fn default(&self) -> Json {
        match self.takes {
            Takes::Flag => json!(false),
            Takes::Number(number) => json!(number),
            Takes::Text | Takes::Name => json!(""),
        }
    }

    /// The one way to write its value.
    fn form(&self, value: &Json) -> Json {
        match self.field {
            "originServerName" => normal::text(value, normal::host),
            _ => sent(value),
        }
    }

    /// What something says of it, where it is not the default.
    fn said(&self, by: Option<&Json>) -> Option<Json> {
        let value = by?.get(self.field).filter(|value| !value.is_null())?;
        let value = self.form(value);
        (value != self.default()).then_some(value)
    }

    /// Where an ingress sets it.
    fn span(&self, ingress: &Node) -> Option<Span> {
        match self.takes {
            Takes::Flag => ingress.flag(self.word).map(|flag| flag.span),
            _ => ingress.prop_entry(self.word).map(Prop::span),
        }
    }
}

/// A value without the blanks around it, which say nothing and would be sent to the service.
fn sent(value: &Json) -> Json {
    normal::text(value, |text| text.trim().to_owned())
}

/// The options of an ingress, and none where it has none. What does nothing is reported.
pub(super) fn lower(ingress: &Node, cx: &mut dyn Lower) -> Option<Value> {
    check(ingress, cx);
    let mut fields = BTreeMap::new();
    for option in OPTIONS {
        let prop = ingress.prop(option.word);
        let value = match option.takes {
            Takes::Flag => ingress.has_flag(option.word).then_some(Value::Bool(true)),
            // A default says nothing: it is sent where it has to be.
            Takes::Number(default) => {
                prop.and_then(Scalar::as_int).filter(|it| *it != default).map(Value::Int)
            }
            Takes::Text => prop.map(|scalar| Value::Text(cx.text(scalar))),
            Takes::Name => prop.map(|scalar| Value::text(cx.name_text(scalar))),
        };
        fields.extend(value.map(|value| (option.field.to_owned(), value)));
    }
    (!fields.is_empty()).then_some(Value::Map(fields))
}

fn check(ingress: &Node, cx: &mut dyn Lower) {
    if let Some(scalar) = ingress.prop("host-header")
        && let Some((at, help)) = cx.literal(scalar).and_then(|text| wrong_header(&text))
    {
        let message = "`host-header=` is no host that a request could be for";
        let error = Diagnostic::error("envc::spec::invalid_value", scalar.span, message);
        cx.report(error.at(at).help(help));
    }
    let authority = ingress.prop_entry("ca-pool").map(Prop::span);
    if let (Some(flag), Some(span)) = (ingress.flag(NO_TLS_VERIFY), authority) {
        let message = format!("`ca-pool=` does nothing beside {NO_TLS_VERIFY}");
        cx.report(
            Diagnostic::error(CONFLICT, span, message)
                .at("has no effect")
                .label(flag.span, "no certificate is looked at")
                .help(format!("remove `ca-pool=`, or remove {NO_TLS_VERIFY}"))
                .fix(span, ""),
        );
        return;
    }
    let Some(scalar) = ingress.prop("service") else { return };
    let Some(text) = cx.literal(scalar) else { return };
    let Some(behind) = service::behind(&text) else { return };
    for option in OPTIONS.iter().filter(|option| !option.on.0.contains(&behind)) {
        let Some(span) = option.span(ingress) else { continue };
        let message = format!("`{}` does nothing for the service `{text}`", option.word);
        cx.report(
            Diagnostic::error(CONFLICT, span, message)
                .at("has no effect")
                .label(scalar.span, "the service")
                .help(format!("remove it, or write a service with {}", option.on.1))
                .fix(span, ""),
        );
    }
}

/// What is wrong with the options of a rule that no check of a spec saw, as a clause after "it";
/// nothing of the value.
pub(super) fn problem(rule: &Json) -> Option<String> {
    let header = rule.get(FIELD)?.get("httpHostHeader")?.as_str()?;
    let (what, help) = wrong_header(header)?;
    Some(format!("has a `host-header=` that {what}; {help}"))
}

/// What is wrong with a host of a header, and what to write.
fn wrong_header(text: &str) -> Option<(&'static str, &'static str)> {
    const HELP: &str = "write a host, such as \"app.internal\" or \"localhost:3000\"";
    let text = text.trim();
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
    if text.is_empty() {
        Some(("is empty", HELP))
    } else if text.len() > HOST_HEADER_CHARS_MAX {
        Some(("is too long", HELP))
    } else {
        (!text.chars().all(good)).then_some(("holds what no host has", HELP))
    }
}

/// What a rule says of them, in one way; nothing where all of it is the default.
pub(super) fn form(rule: &Json) -> Option<Json> {
    let said = rule.get(FIELD);
    let fields = OPTIONS.iter();
    let fields = fields.filter_map(|it| Some((it.field.to_owned(), it.said(said)?)));
    let fields: Map<String, Json> = fields.collect();
    (!fields.is_empty()).then_some(Json::Object(fields))
}

/// Puts into a rule what it leaves out and the whole configuration says.
pub(super) fn inherit(rule: &mut Json, above: Option<&Json>) {
    let own = rule.get(FIELD).and_then(Json::as_object).cloned().unwrap_or_default();
    let mut all = own.clone();
    for option in OPTIONS {
        let is_own = own.get(option.field).is_some_and(|value| !value.is_null());
        if let Some(value) = option.said(above).filter(|_| !is_own) {
            all.insert(option.field.to_owned(), value);
        }
    }
    if all != own {
        api::set(rule, FIELD, Json::Object(all));
    }
}

/// Puts the wanted options into a rule as it was seen; what no spec can set of it stays.
pub(super) fn put(rule: &mut Json, wanted: &Json, above: Option<&Json>) {
    let mut fields = rule.get(FIELD).and_then(Json::as_object).cloned().unwrap_or_default();
    for option in OPTIONS {
        let wanted = wanted.get(FIELD).and_then(|wanted| wanted.get(option.field)).map(sent);
        let default = option.said(above).map(|_| option.default());
        match wanted.or(default) {
            Some(value) => drop(fields.insert(option.field.to_owned(), value)),
            None => drop(fields.remove(option.field)),
        }
    }
    if !fields.is_empty() {
        api::set(rule, FIELD, Json::Object(fields));
    } else if let Some(rule) = rule.as_object_mut() {
        rule.remove(FIELD);
    }
}

#[cfg(test)]
mod tests {
    use envc_syntax::rule::Omitted;

    use super::*;
    use crate::tunnel::ingress::INGRESS;

    #[test]
    fn the_grammar_of_an_ingress_has_each_option_with_its_default() {
        for option in OPTIONS {
            let flag = INGRESS.flags.iter().any(|flag| flag.name == option.word);
            let prop = INGRESS.props.iter().find(|prop| prop.name == option.word);
            match option.takes {
                Takes::Flag => assert!(flag && prop.is_none(), "{}", option.word),
                Takes::Number(number) => {
                    let Some(Omitted::Value(default)) = prop.unwrap().default else {
                        panic!("{} has no default", option.word);
                    };
                    assert_eq!(default, number.to_string(), "{}", option.word);
                }
                Takes::Text | Takes::Name => assert!(prop.is_some(), "{}", option.word),
            }
        }
    }

    #[test]
    fn a_default_is_as_good_as_nothing() {
        let rule = json!({ FIELD: {
            "noTLSVerify": false, "connectTimeout": 30, "httpHostHeader": "", "tlsTimeout": null,
            "originServerName": "Db.Internal.", "caPool": " /ca.pem\n", "bastionMode": false,
        } });
        let expect = json!({ "originServerName": "db.internal", "caPool": "/ca.pem" });
        assert_eq!(form(&rule), Some(expect));
        assert_eq!(form(&json!({ FIELD: { "connectTimeout": 30 } })), None);
        assert_eq!(form(&json!({})), None);
    }

    #[test]
    fn what_the_whole_configuration_says_holds_where_a_rule_says_nothing() {
        let above = json!({ "connectTimeout": 5, "noTLSVerify": true, "access": {} });
        let mut rule = json!({ FIELD: { "noTLSVerify": false } });
        inherit(&mut rule, Some(&above));
        assert_eq!(form(&rule), Some(json!({ "connectTimeout": 5 })));
        // The default of a spec that says nothing is written out.
        let mut rule = json!({ FIELD: { "access": {}, "http2Origin": true } });
        put(&mut rule, &json!({ FIELD: { "tlsTimeout": 3 } }), Some(&above));
        assert_eq!(
            rule[FIELD],
            json!({ "access": {}, "tlsTimeout": 3, "connectTimeout": 30, "noTLSVerify": false })
        );
        inherit(&mut rule, Some(&above));
        assert_eq!(form(&rule), Some(json!({ "tlsTimeout": 3 })));
        let mut rule = json!({ FIELD: { "http2Origin": true } });
        put(&mut rule, &json!({}), None);
        assert_eq!(rule, json!({}));
    }

    #[test]
    fn a_header_holds_a_host_and_perhaps_a_port() {
        for good in ["app.internal", "localhost:3000", "[::1]:80", "A_b-c", " x\n"] {
            assert_eq!(wrong_header(good), None, "{good}");
        }
        for bad in ["", " ", "http://x", "a b", "a/b", "b\u{fc}cher", &"x".repeat(260)] {
            assert!(wrong_header(bad).is_some(), "{bad}");
        }
    }
}
