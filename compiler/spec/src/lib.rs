//! Typed spec, merging, references: one environment resolved. Pure.
