//! Files of variables: `.dev.vars`, dotenv files, and what `wrangler dev` connects to.

use envc_core::Text;
use envc_kinds::Worker;
use envc_spec::{DotenvReader, Environment};

use super::{FileError, GeneratedFile, Maker, PRIVATE, join};
use crate::{
    codes,
    dotenv::{Unquotable, dotenv_text, expanded, read_by},
};

/// The file of a Worker's folder that wrangler reads its own variables from.
const LOCAL_ENV: &str = ".env.local";
/// Before the name of a binding, the variable of what it is connected to on this machine.
const LOCAL_CONNECTION: &str = "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_";

/// The files of variables that an environment has, each with the names in it and with who reads it.
pub fn variable_files(env: &Environment) -> Vec<(String, Option<DotenvReader>, Vec<String>)> {
    let mut out = Vec::new();
    for worker in &env.workers {
        if !worker.secrets.is_empty() {
            let names = worker.secrets.keys().cloned().collect();
            let path = join(&worker.path, ".dev.vars");
            out.push((path, Some(DotenvReader::Wrangler), names));
        }
        let local = worker.bindings.iter();
        let local = local.filter(|it| env.local_connections.contains_key(&it.target));
        let names: Vec<String> = local.map(|it| format!("{LOCAL_CONNECTION}{}", it.name)).collect();
        if !names.is_empty() {
            let path = join(&worker.path, LOCAL_ENV);
            out.push((path, Some(DotenvReader::Wrangler), names));
        }
    }
    out.extend(env.dotenvs.iter().map(|file| {
        let names = file.vars.iter().map(|(name, _)| name.clone());
        (file.path.clone(), file.reader, names.collect())
    }));
    out
}

impl Maker<'_> {
    /// A file of variables, for whoever reads it.
    pub(super) fn variables<'t>(
        &self,
        path: &str,
        reader: Option<DotenvReader>,
        vars: impl Iterator<Item = (&'t String, &'t Text)>,
    ) -> Result<GeneratedFile, Vec<FileError>> {
        let (mut private, mut outside) = (false, false);
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for (name, text) in vars {
            private |= text.is_secret();
            outside |= text.as_literal().is_none();
            match self.known.text(text) {
                Ok(value) => values.push((name.clone(), value)),
                Err(unknown) => {
                    errors.push(FileError::unresolved(path, format!("`{name}`: {unknown}")));
                }
            }
        }
        let reader = reader.map(|reader| read_by(path, reader));
        let text = dotenv_text(&values, reader)
            .map_err(|problems| problems.iter().map(|problem| unquotable(path, problem)).collect());
        let content = match text {
            Ok(text) if errors.is_empty() => text,
            Ok(_) => return Err(errors),
            Err(problems) => {
                let problems: Vec<FileError> = problems;
                errors.extend(problems);
                return Err(errors);
            }
        };
        let specific = outside || self.is_specific(&content);
        let expanded = if reader.is_none() { expanded(&values) } else { Vec::new() };
        let path = path.to_owned();
        Ok(GeneratedFile { path, mode: PRIVATE, content, private, specific, expanded })
    }

    /// What `wrangler dev` connects to. It reads these variables from its own environment and from
    /// `.env.local` in the folder where it runs, and not from `.dev.vars`. Source: wrangler 4.164,
    /// `applyHyperdriveEnvVars` and the loading of `.env` files in its main program.
    pub(super) fn local_connections(
        &self,
        worker: &Worker,
    ) -> Result<GeneratedFile, Vec<FileError>> {
        let path = join(&worker.path, LOCAL_ENV);
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for binding in &worker.bindings {
            let Some(text) = self.known.env.local_connections.get(&binding.target) else {
                continue;
            };
            let name = format!("{LOCAL_CONNECTION}{}", binding.name);
            match self.known.text(text) {
                // wrangler expands `$NAME` in whatever quotes; in a connection string this is the same.
                Ok(value) => values.push((name, value.replace('$', "%24"))),
                Err(unknown) => {
                    errors.push(FileError::unresolved(&path, format!("`{name}`: {unknown}")));
                }
            }
        }
        // Quoted for all: a file of this name is read by others than wrangler, too.
        let content = dotenv_text(&values, None).map_err(|problems| {
            let help = "write the character as % and its code, such as %27";
            let texts = problems.into_iter().map(|problem| problem.to_string());
            errors.extend(texts.map(|text| FileError::new(codes::UNQUOTABLE, &path, text, help)));
        });
        match content {
            Ok(content) if errors.is_empty() => Ok(GeneratedFile {
                path,
                mode: PRIVATE,
                content,
                private: true,
                specific: true,
                expanded: Vec::new(),
            }),
            _ => Err(errors),
        }
    }
}

/// Why a variable is not written, and what to do.
fn unquotable(path: &str, problem: &Unquotable) -> FileError {
    let help = match problem.readable_by.as_slice() {
        [] => "use another value, such as its base64 form".to_owned(),
        able => {
            let able: Vec<String> = able.iter().map(|it| format!("for=\"{it}\"")).collect();
            format!(
                "use another value, such as its base64 form; or say who reads the file, where it is one \
                 of these: {}",
                able.join(", ")
            )
        }
    };
    FileError::new(codes::UNQUOTABLE, path, problem.to_string(), help)
}
