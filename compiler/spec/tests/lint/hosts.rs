//! Warnings of public hosts.

use super::{check, facts, warnings_with};

#[test]
fn hosts_of_another_zone() {
    let ingress = |host| {
        format!("tunnel \"t\" {{ ingress \"i\" host=\"{host}\" service=\"http://localhost:1\" }}")
    };
    // Told once: that no certificate covers it comes of the same.
    check(&ingress("{env}.other.com"), &["host_of_other_zone"]);
    check(&ingress("{env}.app.other.example"), &["host_of_other_zone"]);
    check(&ingress("{env}.other.workers.dev."), &["host_of_other_zone"]);
    check("worker \"w\" path=\".\" { domain \"{env}.other.com\" }", &["host_of_other_zone"]);
    check(
        "dns \"a\" type=\"A\" name=\"{env}.other.com\" content=\"192.0.2.1\"",
        &["host_of_other_zone"],
    );
    let through = "let host \"{env}.other.com\"\n\
        dns \"a\" type=\"A\" name=\"{let.host}\" content=\"192.0.2.1\"";
    check(through, &["host_of_other_zone"]);
    for host in ["{env}", "{env}.{zone}"] {
        check(&ingress(host), &[]);
    }
    for host in ["{env}.stream.live", "{env}.dev", "{env}.us"] {
        check(&ingress(host), &["host_without_certificate"]);
    }
    check("dns \"a\" type=\"CNAME\" name=\"{env}\" content=\"app.other.com\"", &[]);
}

/// A Worker of a type with the ID `x`, beside what else stands there.
fn fixed(route: &str, more: &str) -> String {
    format!(
        "project \"shop\" {{ zone \"shop.example\" }}\n\
         environment \"x\" {{ identity \"x\" }}\n\
         worker \"w\" path=\".\" {{ route \"{route}\" }}\n{more}\n"
    )
}

const ROUTE: &str = "worker \"w\" path=\".\" { route \"{env}.{zone}/*\" }\n";
const WITHOUT: &[&str] = &["route_without_record"];

#[test]
fn a_route_before_which_no_proxied_record_stands() {
    let record = |kind: &str, name: &str, content: &str| {
        format!("dns \"r\" type=\"{kind}\" name=\"{name}\" content=\"{content}\" proxied")
    };
    for (route, more) in [
        // The told one, and others of its kind.
        ("w.{zone}/*", String::new()),
        ("{zone}/*", String::new()),
        ("*.{zone}/*", String::new()),
        ("a.{zone}/api/*", record("A", "b", "192.0.2.1")),
        ("a.{zone}/*", "dns \"r\" type=\"A\" name=\"a\" content=\"192.0.2.1\"".into()),
        ("a.{zone}/*", "dns \"r\" type=\"TXT\" name=\"a\" content=\"a\"".into()),
        // A wildcard does not stand for the zone, nor for a host that has a record of its own.
        ("{zone}/*", record("A", "*", "192.0.2.1")),
        (
            "a.{zone}/*",
            format!(
                "{}\ndns \"a\" type=\"A\" name=\"a\" content=\"192.0.2.1\"",
                record("A", "*", "192.0.2.1")
            ),
        ),
        ("*.{zone}/*", record("A", "@", "192.0.2.1")),
    ] {
        let text = fixed(route, &format!("{more}\nallow \"unprotected_production\""));
        let found = warnings_with(&text, &facts());
        let codes: Vec<&str> = found.iter().map(|one| envc_spec::lint::slug(one.code)).collect();
        assert!(codes.contains(&"route_without_record"), "{text}\n{found:#?}");
    }
    check(ROUTE, WITHOUT);
    check(&ROUTE.replace("route", "allow \"route_without_record\" ; route"), &[]);
}

#[test]
fn a_route_that_something_of_the_spec_answers_for() {
    for (route, more) in [
        ("a.{zone}/*", "dns \"r\" type=\"AAAA\" name=\"a\" content=\"100::\" proxied"),
        ("a.{zone}/*", "dns \"r\" type=\"CNAME\" name=\"a.{zone}.\" content=\"b.example\" proxied"),
        ("a.{zone}/*", "dns \"r\" type=\"A\" name=\"*\" content=\"192.0.2.1\" proxied"),
        ("*.{zone}/*", "dns \"r\" type=\"A\" name=\"b\" content=\"192.0.2.1\" proxied"),
        ("*.{zone}/*", "dns \"r\" type=\"A\" name=\"*\" content=\"192.0.2.1\" proxied"),
        (
            "*.{zone}/*",
            "dns \"r\" type=\"A\" name=\"*\" content=\"192.0.2.1\"\n\
             dns \"s\" type=\"A\" name=\"b\" content=\"192.0.2.1\" proxied",
        ),
        (
            "a.{zone}/api/*",
            "tunnel \"t\" { ingress \"i\" host=\"a\" service=\"http://localhost:1\" }",
        ),
        ("a.{zone}/api/*", "worker \"v\" path=\"v\" { domain \"a\" }"),
        ("*.{zone}/*", "worker \"v\" path=\"v\" { domain \"a\" }"),
    ] {
        check(&fixed(route, more), &[]);
    }
    check(
        &format!("{ROUTE}dns \"r\" type=\"A\" name=\"{{env}}\" content=\"192.0.2.1\" proxied"),
        &[],
    );
}

#[test]
fn a_record_of_a_type_that_is_there_once_counts_for_the_others() {
    let spec = |identity: &str, record: &str| {
        format!(
            "project \"shop\" {{ zone \"shop.example\" }}\n\
             environment \"local\" default {{ identity branch max-length=20 unique\n    {ROUTE}}}\n\
             environment \"base\" {{ {identity} ; dns \"r\" type=\"A\" name=\"{record}\" content=\"192.0.2.1\" proxied }}\n"
        )
    };
    check(&spec("identity \"base\"", "*"), &[]);
    check(&spec("identity \"base\"", "b"), WITHOUT);
    // It is there while a pull request is.
    check(&spec("identity \"pr-{env.pr}\" ; ttl \"1d\"", "{env}"), WITHOUT);
}

#[test]
fn a_host_that_is_too_deep_for_the_certificate_of_every_zone() {
    const DEEP: &[&str] = &["host_without_certificate"];
    for text in [
        "tunnel \"t\" { ingress \"i\" host=\"a.{env}\" service=\"http://localhost:1\" }",
        "tunnel \"t\" { ingress \"i\" host=\"*.{env}\" service=\"http://localhost:1\" }",
        "dns \"r\" type=\"A\" name=\"a.b.{env}\" content=\"192.0.2.1\" proxied",
        // Of a record and a route of one host it is told once.
        "dns \"r\" type=\"A\" name=\"a.{env}\" content=\"192.0.2.1\" proxied\n\
         worker \"w\" path=\".\" { route \"a.{env}.{zone}/*\" }",
        "worker \"w\" path=\".\" { route \"a.{env}.{zone}/*\" ; allow \"route_without_record\" }",
    ] {
        check(text, DEEP);
    }
    for text in [
        "tunnel \"t\" { ingress \"i\" host=\"a-{env}\" service=\"http://localhost:1\" }",
        "tunnel \"t\" { ingress \"i\" host=\"a.{env}\" service=\"http://localhost:1\" ; allow \"host_without_certificate\" }",
        // Nothing of Cloudflare's answers there with a certificate.
        "dns \"r\" type=\"A\" name=\"a.{env}\" content=\"192.0.2.1\"",
        "dns \"r\" type=\"TXT\" name=\"_dmarc.{env}\" content=\"v=DMARC1\"",
        // A domain has a certificate of its own, which its routes share.
        "worker \"w\" path=\".\" { domain \"a.b.{env}\" }",
        "worker \"w\" path=\".\" { domain \"a.{env}\" ; route \"a.{env}.{zone}/x\" }",
    ] {
        check(text, &[]);
    }
    let told = "tunnel \"t\" { ingress \"i\" host=\"a.b.{env}\" service=\"http://localhost:1\" }";
    let found = warnings_with(told, &facts());
    let help = found[0].help.as_deref().unwrap();
    assert!(help.starts_with("write \"a-b-{env}.shop.example\""), "{help}");
    assert!(
        found[0].labels.iter().any(|label| label.text == "3 levels below the zone"),
        "{found:#?}"
    );
}
