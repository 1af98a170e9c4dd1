//! The edge Worker: workers-rs shell over envc-edge-core.
