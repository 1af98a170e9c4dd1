//! Killed, cut off, refused, started twice: afterwards there is one set of everything, or none.

// The attribute is always true here; it tells clippy that the helpers are test code, too.
#[cfg(test)]
mod common;
#[cfg(test)]
mod deployed;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod in_a_row;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod lagging;
#[cfg(test)]
mod meanwhile;
#[cfg(test)]
mod together;
