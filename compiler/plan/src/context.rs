//! What a template can read.
//!
//! `env.id env.type env.cloud env.branch env.pr git.sha project zone let.NAME port.NAME host.NAME
//! url.NAME`, `lease.NAME.id` and the attributes that the spec names, the resources by kind and name with their outputs, and in the template of a Worker's
//! configuration `worker`, with the parts that envc would have written.

use envc_core::{Input, KindId, Output, Part};
use envc_kinds::registry;
use envc_spec::{Environment, LeaseAttribute};
use minijinja::value::Value;

use crate::{known::Known, template::Group, wrangler::Config};

/// The context of a template. With a Worker's configuration the file is not private, so secrets
/// are hidden; without one, reading a secret makes the file private.
pub(crate) fn context(known: &Known<'_>, worker: Option<&Config<'_>>) -> Group {
    let env = known.env;
    let mut root = Group::root();
    root.put("project", env.project.as_str());
    match &env.zone {
        Some(zone) => root.put("zone", zone.as_str()),
        None => root.hide("zone", "is not set: the project has no zone"),
    }
    let group = about(env, &root);
    root.put_group("env", group);
    let mut git = root.group("git");
    git.put("sha", env.instance.sha.clone());
    root.put_group("git", git);
    let group = lets(known, &root, worker.is_none());
    root.put_group("let", group);
    let mut ports = root.group("port");
    for (name, port) in &env.instance.ports {
        ports.put(name, *port);
    }
    root.put_group("port", ports);
    let (mut hosts, mut urls) = (root.group("host"), root.group("url"));
    for endpoint in &env.endpoints {
        hosts.put(&endpoint.name, endpoint.host.as_str());
        urls.put(&endpoint.name, endpoint.url.as_str());
    }
    root.put_group("host", hosts);
    root.put_group("url", urls);
    let group = leases(known, &root, worker.is_none());
    root.put_group("lease", group);
    for kind in registry().iter().filter(|kind| !kind.outputs().is_empty()) {
        let group = resources(known, &root, kind.id(), kind.outputs());
        root.put_group(kind.id().as_str(), group);
    }
    if let Some(worker) = worker {
        root.put_json("worker", &worker.to_json());
    }
    root
}

fn about(env: &Environment, root: &Group) -> Group {
    let mut group = root.group("env");
    group.put("id", env.instance.id.as_str());
    group.put("type", env.type_name.as_str());
    group.put("project", env.project.as_str());
    group.put("cloud", if env.instance.local_cloud { "local" } else { "cloudflare" });
    group.put("branch", env.instance.branch.clone());
    group.put("pr", env.instance.pr);
    group
}

fn lets(known: &Known<'_>, root: &Group, private: bool) -> Group {
    let mut group = root.group("let");
    for (name, text) in &known.env.lets {
        if text.is_secret() && !private {
            group.forbid(name, "is a secret, and this file is not private");
            continue;
        }
        match known.text(text) {
            Ok(value) if text.is_secret() => group.put_secret(name, value),
            Ok(value) => group.put(name, value),
            Err(unknown) => group.hide(name, format!("cannot be read: {unknown}")),
        }
    }
    group
}

/// The preview IDs that the environment holds: the attributes that the spec names.
fn leases(known: &Known<'_>, root: &Group, private: bool) -> Group {
    let mut group = root.group("lease");
    for (name, lease) in &known.env.leases {
        let mut one = group.group(name);
        let id = ("id", LeaseAttribute { secret: false, needed: true });
        let named = lease.attributes.iter().map(|(name, attribute)| (name.as_str(), *attribute));
        for (attribute, LeaseAttribute { secret, needed: _ }) in [id].into_iter().chain(named) {
            if secret && !private {
                one.forbid(attribute, "is a secret, and this file is not private");
                continue;
            }
            let input = Input::Lease { lease: name.clone(), attribute: attribute.into(), secret };
            match known.part(&Part::In(input)) {
                Some(value) if secret => one.put_secret(attribute, value),
                Some(value) => one.put(attribute, value),
                None => one.hide(attribute, "is not known"),
            }
        }
        group.put_group(name, one);
    }
    group
}

/// The resources of a kind.
fn resources(known: &Known<'_>, root: &Group, kind: KindId, outputs: &[(&str, Output)]) -> Group {
    let mut group = root.group(kind.as_str());
    for address in known.env.resources.keys().filter(|address| address.kind() == kind) {
        let mut resource = group.group(address.name());
        for (word, output) in outputs {
            let value = match output {
                Output::Id => known.id(address),
                Output::Name => known.name(address),
                Output::Token => {
                    resource.forbid(word, "is a secret, and no template may read it");
                    continue;
                }
            };
            match value {
                Some(value) => resource.put(word, Value::from(value)),
                None => resource.hide(word, "is not known"),
            }
        }
        group.put_group(address.name(), resource);
    }
    group
}
