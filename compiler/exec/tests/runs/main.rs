//! Runs against a scripted API, a clock that only waiting moves, and a store in memory: what is
//! sent and saved, and in which order.

// The attribute is always true here; it tells clippy that the helpers are test code, too.
#[cfg(test)]
mod going;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod moods;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod world;
