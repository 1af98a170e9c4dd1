//! Runs a checked plan over ports: transport, clock, entropy, state store. Owns no runtime.

#![forbid(unsafe_code)]

pub mod ports;
