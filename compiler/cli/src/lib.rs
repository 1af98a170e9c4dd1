//! The command line: adapters to the world and the commands on top of them.
//!
//! The compiler and the executor are pure or see the world through ports; this crate is the world.
//! Invariants: variables are read in [`env`] alone, files are touched through [`fsio`] alone,
//! results go to standard output and talk to standard error through [`ui`] alone. Nobody imports
//! this crate but its own binary and tests.

#![forbid(unsafe_code)]

pub mod app;
pub mod args;
mod bundle;
mod claim;
pub mod clock;
pub mod cloud_choice;
pub mod command_line;
mod commands;
mod connect;
pub mod dirs;
mod edge;
mod edge_lock;
mod engine;
pub mod env;
pub mod error;
pub mod exit_code;
mod explain;
pub mod files;
pub mod fsio;
mod generated;
pub mod git;
mod held;
mod identity;
pub mod interrupt;
pub mod lint;
mod local_cloud;
pub mod lock;
mod out_dir;
mod outcome;
mod outside;
mod pools;
pub mod ports;
pub mod progress;
pub mod project;
pub mod registry;
pub mod render;
mod reporter;
mod reports;
mod repository;
pub mod secrets;
mod session;
mod state_edge;
pub mod state_local;
pub mod tools;
pub mod transport;
pub mod ui;
mod who;
mod whose;
