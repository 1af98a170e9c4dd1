//! A dotenv file of the project as a provider: `dotenv ".secrets.env"`.

mod parser;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use envc_core::Secret;
use futures::future::BoxFuture;

use super::{Found, Provider};
use crate::host::{error::CommandError, fsio};

/// Bytes of a dotenv file.
const DOTENV_BYTES_MAX: usize = 1024 * 1024;

/// Each secret is the line of its name.
#[derive(Debug)]
pub(super) struct DotenvProvider<'a> {
    /// The file, as the spec writes it.
    pub(super) path: &'a str,
    /// The spec's folder.
    pub(super) root: &'a Path,
}

impl DotenvProvider<'_> {
    /// The file's values; `None` where it is not there.
    fn read(&self) -> Result<Option<BTreeMap<String, Secret>>, CommandError> {
        let text = fsio::read_text(&self.root.join(self.path), DOTENV_BYTES_MAX)?;
        text.as_deref().map(parser::parse).transpose().map_err(|error| {
            CommandError::failed(format!("{} cannot be read", self.path))
                .because(&error)
                .code("envc::cli::dotenv")
        })
    }

    fn look_up(&self, names: &BTreeSet<String>) -> Result<Found, CommandError> {
        let path = self.path;
        let values = self.read()?;
        let mut found = Found::default();
        for name in names {
            match values.as_ref().map(|values| values.get(name)) {
                None => found.lacks(name, format!("{path} is not there")),
                Some(None) => found.lacks(name, format!("{path} has no line for it")),
                Some(Some(value)) if value.expose().is_empty() => {
                    found.lacks(name, format!("its line in {path} is empty"));
                }
                Some(Some(value)) => found.add(name, value.clone()),
            }
        }
        Ok(found)
    }
}

impl Provider for DotenvProvider<'_> {
    fn fetch<'f>(
        &'f self,
        names: &'f BTreeSet<String>,
    ) -> BoxFuture<'f, Result<Found, CommandError>> {
        Box::pin(async { self.look_up(names) })
    }

    fn way_out(&self, name: &str, _apply: &str) -> String {
        format!("add a line to {}: {name}=…", self.path)
    }
}
