//! Runs a checked plan over ports: transport, clock, state store.
