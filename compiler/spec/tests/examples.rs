//! The specs of `specs/` compile for all of their types.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use envc_core::{Address, KindId, Mode, RepositoryDigest};
use envc_spec::{Instance, Spec, load};

fn spec_text(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    fs::read_to_string(root.join(name).join("environment.kdl")).unwrap()
}

fn example(name: &str) -> Spec {
    let (spec, found) = load(&spec_text(name));
    assert!(found.is_empty(), "{found:#?}");
    spec.unwrap()
}

fn instance(id: &str, local_cloud: bool) -> Instance {
    Instance {
        id: id.into(),
        branch: Some("main".into()),
        pr: Some(42),
        sha: Some("abc".into()),
        ports: BTreeMap::new(),
        local_cloud,
        repository: RepositoryDigest::UNKNOWN,
    }
}

#[test]
fn every_example_resolves_for_every_type() {
    for name in ["quickstart", "eventuall", "vibechecc", "edge"] {
        let spec = example(name);
        for head in spec.types() {
            for local_cloud in [false, true] {
                let environment = spec.environment(&head.name, &instance("pr-42", local_cloud));
                assert!(environment.is_ok(), "{name} {}: {environment:#?}", head.name);
            }
        }
    }
}

#[test]
fn a_worktree_extends_the_local_type() {
    let environment =
        example("eventuall").environment("worktree", &instance("topic", false)).unwrap();
    let dotenv = environment.dotenvs.iter().find(|file| file.path == ".env").unwrap();
    let names: Vec<&str> = dotenv.vars.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["NEXT_PUBLIC_URL", "AUTH_SECRET", "TUNNEL_TOKEN", "PREVIEW_ID", "LIVEKIT_API_SECRET"]
    );
    assert!(environment.endpoints.iter().any(|one| one.url == "https://topic.eventuall.live"));
    assert_eq!(
        environment.resources[&Address::new(KindId::D1, "webapp")].name,
        "eventuall--webapp--topic"
    );
    assert!(environment.unsupported.is_empty(), "{:?}", environment.unsupported);
    let lease = &environment.leases["preview"];
    let known = |name: &str| lease.attributes.get(name).map(|it| (it.secret, it.needed));
    assert_eq!(lease.pool, "previews");
    assert_eq!(known("livekit-api-secret"), Some((true, true)));
    assert_eq!(known("livekit-project"), Some((false, false)));
    assert_eq!(known("id"), None);
}

#[test]
fn production_binds_to_what_exists() {
    let environment =
        example("eventuall").environment("production", &instance("production", false)).unwrap();
    assert!(environment.protect);
    assert_eq!(
        environment.resources[&Address::new(KindId::D1, "webapp")].mode,
        Mode::ExistingId("77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01".into())
    );
    let images = &environment.resources[&Address::new(KindId::R2, "images")];
    assert_eq!(
        (images.mode.clone(), images.name.as_str()),
        (Mode::ExistingName, "eventuall-images-prod")
    );
    assert!(environment.resources.keys().all(|address| address.kind() != KindId::Tunnel));
    assert!(environment.endpoints.is_empty());
    assert_eq!(environment.lets["webapp-url"].as_literal(), Some("https://eventuall.live"));
}

#[test]
fn the_local_cloud_has_local_addresses() {
    let spec = example("eventuall");
    let mut instance = instance("topic", true);
    instance.ports.insert("webapp".into(), 3123);
    let environment = spec.environment("local", &instance).unwrap();
    assert_eq!(environment.lets["webapp-url"].as_literal(), Some("http://localhost:3123"));
    assert!(environment.unsupported.is_empty());
    assert!(!environment.dev_remote);
}

#[test]
fn generated_ids_keep_clear_of_fixed_ones() {
    let spec = example("vibechecc");
    let other = |id: &str| spec.could_be_fixed(id, "local").map(|head| head.name.clone());
    assert_eq!(other("production").as_deref(), Some("production"));
    assert_eq!(other("pr-7").as_deref(), Some("ephemeral"));
    assert_eq!(other("pr-x"), None);
}

/// What a spec means, without where it says so.
fn meaning(spec: &Spec, type_name: &str) -> String {
    let environment = spec.environment(type_name, &instance("pr-42", false)).unwrap();
    let debug = format!("{environment:#?}");
    let spans = ["start: ", "end: "];
    let lines =
        debug.lines().filter(|line| !spans.iter().any(|span| line.trim().starts_with(span)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_resolved_type_loads_again_to_the_same_environment() {
    for name in ["quickstart", "eventuall", "vibechecc", "edge"] {
        let spec = example(name);
        for head in spec.types() {
            let text = spec.resolved_kdl(&head.name).unwrap();
            let (again, found) = load(&text);
            let again = again.unwrap_or_else(|| panic!("{text}\n{found:#?}"));
            assert_eq!(meaning(&again, &head.name), meaning(&spec, &head.name), "{text}");
        }
    }
    let worktree = example("eventuall").resolved_kdl("worktree").unwrap();
    assert!(worktree.contains("    identity branch max-length=20 unique // line 18, local\n"));
    let secret =
        "    LIVEKIT_API_SECRET \"{lease.preview.livekit-api-secret}\" // line 26, worktree\n";
    assert!(worktree.contains(secret), "{worktree}");
    assert!(example("eventuall").resolved_kdl("nothing").is_none());
}
