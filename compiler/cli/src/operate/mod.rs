//! Observe, plan, run: what all commands that reach a cloud have in common, the claim before it and
//! the words for how it ended.

pub(crate) mod account;
pub(crate) mod admit;
pub(crate) mod claim;
pub(crate) mod engine;
pub(crate) mod left_behind;
mod outcome;
mod refusal;
mod refusals;
pub(crate) mod site;
pub(crate) mod unfollowed;

pub(crate) use refusals::Refusals;
