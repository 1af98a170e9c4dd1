//! Random specs, states and accounts: what must be true of every plan.

// The attribute is always true here; it tells clippy that the helpers are test code, too.
#[cfg(test)]
mod account;
#[cfg(test)]
mod believed;
#[cfg(test)]
mod destroyed;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod ledgers;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod sequence;
#[cfg(test)]
mod specs;
#[cfg(test)]
mod waits;
