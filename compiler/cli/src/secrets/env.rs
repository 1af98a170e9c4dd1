//! The process's own variables as a provider: `env prefix="SHOP_"`.

use std::collections::BTreeSet;

use envc_core::{Secret, is_own_credential};
use futures::future::BoxFuture;

use super::{Found, Provider};
use crate::host::{env::ProcessEnv, error::CommandError};

/// Each secret is the variable of its name behind a prefix.
#[derive(Debug)]
pub(super) struct EnvProvider<'a> {
    /// Put before the name.
    pub(super) prefix: &'a str,
    /// The variables.
    pub(super) env: &'a ProcessEnv,
}

impl Provider for EnvProvider<'_> {
    fn fetch<'f>(
        &'f self,
        names: &'f BTreeSet<String>,
    ) -> BoxFuture<'f, Result<Found, CommandError>> {
        let mut found = Found::default();
        for name in names {
            let variable = format!("{}{name}", self.prefix);
            match self.env.filled(&variable) {
                Ok(value) => found.add(name, Secret::new(value)),
                Err(is) => found.lacks(name, format!("the variable {variable} is {is}")),
            }
        }
        Box::pin(async { Ok(found) })
    }

    fn way_out(&self, name: &str, apply: &str) -> String {
        way_out(&format!("{}{name}", self.prefix), apply)
    }
}

/// What the user does so that a variable which a spec names is found by this command.
pub(crate) fn way_out(variable: &str, apply: &str) -> String {
    if is_own_credential(variable) {
        return format!("give it under another name than {variable}, and write that into the spec");
    }
    format!("set it for one run: {variable}=… {apply}")
}
