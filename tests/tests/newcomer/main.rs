//! A newcomer's day, with the real wrangler: what README's first screen promises, and what somebody
//! who read no further does next.
//!
//! Of envc and wrangler the newcomer calls nothing but the commands that the first screen shows
//! ([`readme::FirstScreen`]), in folders outside of this repository, each machine with a home of its
//! own. Cloudflare is the local cloud, served as another user would ([`world::Cloudflare`]).
//!
//! README's transcripts are what this prints: a run compares them, and with `ENVC_WRITE_README=1`
//! writes them anew. The quickstart and one pull request run with every change; the rest takes
//! minutes and runs with `cargo xtask newcomer`, every night.

#[cfg(test)]
mod clouds;
#[cfg(test)]
mod production;
#[cfg(test)]
mod pull_requests;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod worktrees;
#[cfg(test)]
mod world;
