//! What is always true of the node that declares a kind, as a table. A kind writes it once:
//! `NodeFacts { existing: Some(&EXISTING), ..NodeFacts::of("kv \"x\"") }`.

use envc_core::Output;
use envc_syntax::rule::NodeRule;

use crate::{Bindable, NameRule};

/// What is always true of the node that declares a kind.
#[derive(Clone, Copy, Debug)]
pub struct NodeFacts {
    /// The shortest such node that needs no other one, called `x`: tests make their specs of it.
    pub sample: &'static str,
    /// The chapter of the reference that tells of it.
    pub chapter: &'static str,
    /// What other tools call it, in the singular: the resource types of Cloudflare's Terraform provider,
    /// the keys of wrangler's configuration.
    pub aliases: &'static [&'static str],
    /// Its row inside `existing`; none for what nothing can be bound to.
    pub existing: Option<&'static NodeRule>,
    /// What its physical name may look like; none for what is named otherwise: by a host, or by its
    /// parent.
    pub name_rule: Option<&'static NameRule>,
    /// What a text or a template may refer to, by the word after the name: `{d1.webapp.id}`. None
    /// for what nobody has to name.
    pub outputs: &'static [(&'static str, Output)],
    /// How a Worker is bound to it.
    pub bindable: Option<&'static Bindable>,
    /// It is made of others: its node is lowered after theirs, and [`crate::Lower`] tells them.
    pub after_others: bool,
}

impl NodeFacts {
    /// What no node may leave out; everything else does not hold, until the kind says so.
    pub const fn of(sample: &'static str) -> Self {
        Self {
            sample,
            chapter: "Resources",
            aliases: &[],
            existing: None,
            name_rule: None,
            outputs: &[],
            bindable: None,
            after_others: false,
        }
    }
}
