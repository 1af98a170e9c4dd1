//! Killed, cut off, refused, started twice: afterwards there is one set of everything, or none.

#[cfg(test)]
mod sweep;
