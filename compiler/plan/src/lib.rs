//! Desired graph, diff, plan, its checker, state and files to write. Pure.
