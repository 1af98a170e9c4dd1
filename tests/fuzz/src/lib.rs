//! What must hold of every text that comes from elsewhere, whatever is in it: specs, files that were
//! written by an older envc or damaged since, answers of Cloudflare's API and of the edge Worker.
//!
//! A target is a file: it takes bytes, and its first lines say what holds of them. A fuzzer looks for
//! bytes of which it does not hold (`cargo xtask fuzz`), and ends one that takes longer than ten
//! seconds or more than a gigabyte; those that it found interesting are in `corpus/TARGET`, and a test
//! replays them. A new target is a file here, a row of [`TARGETS`] and a folder of that name.
#![expect(clippy::panic, reason = "a breach is told by panicking: the fuzzer knows no other way")]

mod api;
mod documents;
mod dotenv;
mod edge;
mod law;
mod plan;
mod shop;
mod spec;
mod state;
mod template;
mod world;

/// A kind of text that comes from elsewhere.
#[derive(Debug)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Looks at what must hold; panics where something does not.
    pub check: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "api", check: api::check },
    Target { name: "cache", check: documents::cache },
    Target { name: "dotenv", check: dotenv::check },
    Target { name: "edge", check: edge::check },
    Target { name: "plan", check: plan::check },
    Target { name: "registry", check: documents::registry },
    Target { name: "spec", check: spec::check },
    Target { name: "state", check: state::check },
    Target { name: "template", check: template::check },
    Target { name: "trust", check: documents::trust },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
