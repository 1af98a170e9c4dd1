//! `envc cloud serve` as a user starts it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;

use crate::events;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct CloudServer {
    server: Child,
    vars: Vec<(&'static str, String)>,
}

impl CloudServer {
    /// Starts `envc cloud serve --json` with whatever else the command has, and reads what it prints.
    pub fn start(mut command: Command) -> Self {
        let mut server = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("envc can be started");
        let mut line = String::new();
        let stdout = server.stdout.take().expect("standard output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let told = events::read(&line).remove(0);
        let vars = [
            ("CLOUDFLARE_API_BASE_URL", "base_url"),
            ("CLOUDFLARE_BASE_URL", "base_url"),
            ("CLOUDFLARE_ACCOUNT_ID", "account_id"),
            ("CLOUDFLARE_API_TOKEN", "token"),
        ];
        let vars = vars.map(|(name, field)| {
            let value = told.get(field).and_then(Json::as_str);
            (name, value.unwrap_or_else(|| panic!("no {field}: {line}")).to_owned())
        });
        Self { server, vars: vars.into() }
    }

    /// The variables that every client reads.
    pub fn vars(&self) -> &[(&'static str, String)] {
        &self.vars
    }
}

impl Drop for CloudServer {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}
