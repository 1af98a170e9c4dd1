//! Ingresses: public hosts, and the services behind them. Each is a rule of its tunnel's configuration;
//! those of one host share its record.

use std::collections::BTreeMap;

use envc_core::{Address, Desired, Diagnostic, KindId, Mode, Output, Part, Text, Value};
use envc_syntax::{
    Node, Prop, Scalar,
    rule::{EMPTY, FlagRule, LABEL, NodeRule, Repeat, Type, optional, required},
};

use super::{order, origin, service};
use crate::{Lower, MARKER, dns};

/// Seconds that an option of the service takes: none would be without end.
const SECONDS: Type = Type::Int(1, 3_600);

pub(super) static INGRESS: NodeRule = NodeRule {
    name: "ingress",
    doc: "A public host and the service behind it.",
    notes: &[
        "Its name is what `{host.NAME}` and `{url.NAME}` refer to, so that no two ingresses of a type share one.",
        "Ingresses of one tunnel may have the same host where their paths differ. The record of the host is made once: it is called as the ingress without `path=`, else as the first one, which alone has `comment=` and `marker`.",
        "A service is `http://`, `https://`, `tcp://`, `ssh://`, `rdp://` or `smb://` with an address, `unix:` or `unix+tls:` with a path, `http_status:404` and the like, or one of `hello_world`, `bastion`, `socks-proxy`.",
        "The flags but `optional`, and what follows `comment=`, say how cloudflared reaches the service. An option that does nothing for the service is a mistake, such as `no-tls-verify` for `http://`. One that is left out is as it says here, whatever somebody set outside; what no spec can set of a rule, such as `access`, stays.",
        "The marker and the comment together have at most 100 characters.",
    ],
    example: "ingress \"web\" host=\"{env}\" service=\"http://localhost:{port.web}\"",
    args: &[LABEL],
    flags: &[
        FlagRule { name: "optional", doc: "Not waited for in readiness." },
        FlagRule { name: "no-tls-verify", doc: "Takes any certificate of the service." },
        FlagRule { name: "http2", doc: "Speaks HTTP/2 with a service that has TLS." },
        FlagRule {
            name: "no-chunked-encoding",
            doc: "Sends bodies whole, as servers of WSGI need them.",
        },
    ],
    props: &[
        required("host", Type::NameText, "A name inside the project's zone."),
        required(
            "service",
            Type::Text,
            "Where requests go. It may refer to what names may, and to ports.",
        ),
        optional(
            "path",
            Type::Plain,
            "A regular expression that matches somewhere in the path; `^/api` matches at its beginning.",
        )
        .otherwise("every path"),
        optional("comment", Type::Text, "Follows the marker in the record's comment.")
            .otherwise("the marker alone"),
        optional("host-header", Type::Text, "The `Host` that the service sees.")
            .otherwise("the public host"),
        optional("origin-server-name", Type::NameText, "The name in the service's certificate.")
            .otherwise("the host of `service=`"),
        optional(
            "ca-pool",
            Type::NameText,
            "A file of authorities for the service's certificate, where cloudflared runs.",
        )
        .otherwise("those of the system"),
        optional("connect-timeout", SECONDS, "Seconds to connect to the service.").default("30"),
        optional("tls-timeout", SECONDS, "Seconds for the handshake with the service.")
            .default("10"),
        optional("tcp-keep-alive", SECONDS, "Seconds between signs of life on a connection.")
            .default("30"),
        optional("keep-alive-timeout", SECONDS, "Seconds that an idle connection is kept.")
            .default("90"),
        optional("keep-alive-connections", Type::Int(1, 65_535), "Idle connections that are kept.")
            .default("100"),
    ],
    children: &[&MARKER],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

/// The rules of a tunnel in the order that they are asked in, and the records of their hosts.
pub(super) fn lower(
    node: &Node,
    tunnel: &Desired,
    cx: &mut dyn Lower,
) -> (Vec<Value>, Vec<Desired>) {
    let mut rules = Vec::new();
    let mut hosts: BTreeMap<String, Vec<&Node>> = BTreeMap::new();
    for ingress in node.children_named("ingress") {
        let (Some(host), Some(service)) = (ingress.prop("host"), ingress.prop("service")) else {
            continue;
        };
        let Some(host) = cx.host(host) else { continue };
        let mut rule = BTreeMap::from([
            ("hostname".to_owned(), Value::text(host.clone())),
            ("service".to_owned(), Value::Text(cx.text(service))),
        ]);
        service::check(service, cx);
        let path = path_of(ingress);
        if !path.is_empty() {
            rule.insert("path".to_owned(), Value::text(path));
        }
        let options = origin::lower(ingress, cx);
        rule.extend(options.map(|options| (origin::FIELD.to_owned(), options)));
        hosts.entry(host.clone()).or_default().push(ingress);
        rules.push((host, path, Value::Map(rule)));
    }
    let rules = order::ordered(rules, |(host, path, _)| (host.as_str(), *path));
    let mut records = Vec::new();
    for (host, ingresses) in &hosts {
        records.extend(record(tunnel, ingresses, host, cx));
    }
    (rules.into_iter().map(|(.., rule)| rule).collect(), records)
}

/// The expression of an ingress, empty for none.
fn path_of(ingress: &Node) -> &str {
    ingress.prop("path").and_then(Scalar::as_text).unwrap_or_default()
}

/// The proxied CNAME of a host, which its first ingress makes, or the one for every path: it is there
/// also when paths come and go. Traffic flows only through the proxy, so it is not optional.
fn record(
    tunnel: &Desired,
    ingresses: &[&Node],
    host: &str,
    cx: &mut dyn Lower,
) -> Option<Desired> {
    let whole = ingresses.iter().find(|ingress| path_of(ingress).is_empty());
    let ingress = *whole.or(ingresses.first())?;
    for other in ingresses.iter().filter(|other| !std::ptr::eq(**other, ingress)) {
        refuse_what_is_of_the_record(other, ingress, host, cx);
    }
    let mut content = Text::output(tunnel.address.clone(), Output::Id);
    content.push(Part::Lit(".cfargotunnel.com".into()));
    let label = format!("{}.{}", tunnel.address.name(), ingress.label().unwrap_or_default());
    let mut fields = BTreeMap::from([
        ("type".to_owned(), Value::text("CNAME")),
        ("name".to_owned(), Value::text(host)),
        ("content".to_owned(), Value::Text(content)),
        ("proxied".to_owned(), Value::Bool(true)),
    ]);
    let comment = dns::comment(ingress, &label, cx);
    fields.extend(comment.map(|comment| ("comment".to_owned(), comment)));
    Some(Desired {
        address: Address::new(KindId::Dns, label),
        name: dns::key("CNAME", host),
        default_name: false,
        mode: Mode::Managed,
        protect: tunnel.protect,
        fields,
        zone: cx.zone().map(str::to_owned),
        parent: None,
        span: ingress.label_span(),
    })
}

/// A host has one record, and one of its ingresses says what is in it.
fn refuse_what_is_of_the_record(other: &Node, owner: &Node, host: &str, cx: &mut dyn Lower) {
    let comment = other.prop_entry("comment").map(|entry| ("`comment=`", Prop::span(entry)));
    let marker = other.child(MARKER.name).map(|marker| ("`marker`", marker.span));
    let name = owner.label().unwrap_or_default();
    for (what, span) in [comment, marker].into_iter().flatten() {
        let message =
            format!("the record of `{host}` is ingress \"{name}\"'s, and so is its {what}");
        cx.report(
            Diagnostic::error("envc::spec::conflict", span, message)
                .at("has no effect")
                .label(owner.label_span(), "makes the record")
                .help(format!("remove it, or write it at ingress \"{name}\""))
                .fix(span, ""),
        );
    }
}
