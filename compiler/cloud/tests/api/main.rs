//! The local cloud over real HTTP, product by product, fault by fault.

// The attribute is always true here; it tells clippy that the helpers are test code, too.
#[cfg(test)]
mod auth;
#[cfg(test)]
mod d1;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod door;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod hyperdrive;
#[cfg(test)]
mod kv;
#[cfg(test)]
mod moods;
#[cfg(test)]
mod pools;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod r2;
#[cfg(test)]
mod stand_ins;
#[cfg(test)]
mod support;
#[cfg(test)]
mod time_travel;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod tunnels;
#[cfg(test)]
mod vectorize;
#[cfg(test)]
mod worker_assets;
#[cfg(test)]
mod worker_hostile;
#[cfg(test)]
mod worker_order;
#[cfg(test)]
mod worker_settings;
#[cfg(test)]
mod worker_triggers;
#[cfg(test)]
mod worker_versions;
#[cfg(test)]
mod workers;
