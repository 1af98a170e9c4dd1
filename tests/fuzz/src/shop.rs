//! The environment of `shop`, which has a resource of every kind, and what must hold of every plan of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use envc_core::{
    Address, Desired, Digest, Input, Inputs, KeyedDigest, RepositoryDigest, Sealer, Secret,
};
use envc_plan::{
    Asked, Observation, Ownership, PlanInputs, Refused, State, StateKey, check, needed_inputs,
    plan_apply, plan_destroy, settle,
};
use envc_spec::{Environment, Instance, TypeHead, load};

use crate::{law, plan};

/// The zone of the shop.
pub(crate) const ZONE: &str = "example.com";
/// The account that it is in.
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
const REPOSITORY: &str = "git.example/a/shop";
const TEXT: &str = include_str!("../shop/environment.kdl");

/// The environment.
pub(crate) struct Shop {
    pub(crate) environment: Environment,
    /// Its resources, with the values from outside.
    pub(crate) desired: BTreeMap<Address, Desired>,
    pub(crate) sealer: Sealer,
    /// An identifier of each resource.
    pub(crate) ids: BTreeMap<Address, String>,
    /// The name of each.
    pub(crate) names: BTreeMap<Address, String>,
}

pub(crate) static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let (spec, found) = load(TEXT);
    let Some(spec) = spec else { panic!("{found:#?}") };
    let Some(head) = spec.types().first() else { panic!("it has no environment") };
    let environment = match spec.environment(&head.name, &instance(head)) {
        Ok(environment) => environment,
        Err(found) => panic!("{found:#?}"),
    };
    let outside = outside(&environment);
    let mut desired = environment.resources.clone();
    let (_vault, unusable) = settle(&mut desired, &outside);
    assert!(unusable.is_empty(), "{unusable:?}");
    let ids = desired.keys().map(|address| (address.clone(), format!("id-of-{address}")));
    let names = desired.iter().map(|(address, wanted)| (address.clone(), wanted.name.clone()));
    let (ids, names) = (ids.collect(), names.collect());
    Shop { environment, desired, sealer: outside.sealer, ids, names }
});

/// An instance of a type of any spec.
pub(crate) fn instance(head: &TypeHead) -> Instance {
    Instance {
        id: head.identity.fixed(Some(42)).unwrap_or_else(|| "fix-login-towch3c9f3".into()),
        branch: Some("fix/login".into()),
        pr: Some(42),
        sha: Some("5ca1ab1e00000000000000000000000000000000".into()),
        ports: head.ports.iter().map(|(name, range)| (name.clone(), range.first)).collect(),
        local_cloud: false,
        repository: RepositoryDigest::of(REPOSITORY),
    }
}

/// A secret is a connection string, which does for any.
fn outside(environment: &Environment) -> Inputs {
    let (mut variables, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for input in needed_inputs(environment).into_keys() {
        match input {
            Input::Env(name) => drop(variables.insert(name.clone(), format!("value-of-{name}"))),
            Input::Secret(name) => {
                let text = format!("postgres://user:fake-{name}@db.example.com:5432/app");
                secrets.insert(name, Secret::new(text));
            }
            Input::Lease { .. } => {}
        }
    }
    let sealer = Sealer::new(KeyedDigest::new("k"), &environment.project, &environment.instance.id);
    Inputs::new(variables, secrets, sealer)
}

/// The key of its state.
pub(crate) fn key() -> StateKey {
    StateKey {
        cloud: "cloudflare".into(),
        account: ACCOUNT.into(),
        project: "shop".into(),
        env: "main".into(),
    }
}

/// What proves things of the account to be the shop's.
pub(crate) fn ownership() -> Ownership {
    Ownership {
        project: "shop".into(),
        prefix: "shop".into(),
        env: "main".into(),
        repository: RepositoryDigest::of(REPOSITORY),
        registered: true,
        ..Ownership::default()
    }
}

/// An apply and a destroy of whatever is recorded and there give a plan that the checker takes, that its
/// document gives again and that can be shown; or they say why there is none.
pub(crate) fn lawful(state: Option<&State>, observation: &Observation) {
    let ownership = ownership();
    let inputs = PlanInputs {
        key: state.map_or_else(key, |state| state.key.clone()),
        repository: REPOSITORY.into(),
        env_type: SHOP.environment.type_name.clone(),
        spec: Digest::of(TEXT),
        protect: false,
        leases: &SHOP.environment.leases,
        sealer: &SHOP.sealer,
        desired: &SHOP.desired,
        state,
        observation,
        ownership: &ownership,
        keep: &BTreeSet::new(),
        migrations: &BTreeMap::new(),
        seeds: &BTreeMap::new(),
        asked: Asked::default(),
    };
    for made in [plan_apply(&inputs), plan_destroy(&inputs)] {
        match made {
            Ok(made) => {
                plan::survives(&made);
                plan::is_shown(&made);
                if let Err(unsound) = check(made.clone()) {
                    panic!("{unsound}\n{made:#?}");
                }
            }
            Err(refused) => is_told(&refused),
        }
    }
}

fn is_told(refused: &Refused) {
    assert!(!refused.refusals.is_empty(), "refused, and nobody says why: {refused:#?}");
    for one in &refused.refusals {
        assert!(!one.code.is_empty() && !one.help.is_empty(), "{one:#?}");
        assert!(!one.message.contains("BUG:"), "{one:#?}");
    }
    plan::is_shown(&refused.draft);
    law::plain(&refused.draft.basis.env_type);
}
