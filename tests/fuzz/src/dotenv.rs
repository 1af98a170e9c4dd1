//! A file of secrets, and the dotenv files that envc writes.
//!
//! What cannot be read is an error with a code, which tells nothing of the file but a line. Whatever a
//! dotenv file is written with is read back from it as the same, by envc as by other readers.

use envc::documents;
use envc_plan::dotenv_text;
use envc_spec::DotenvReader;

use crate::law;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut vars = vec![("WHOLE".to_owned(), text.to_owned())];
    match documents::dotenv(text) {
        Ok(values) => {
            vars.extend(values.iter().map(|(name, value)| (name.clone(), value.expose().into())));
        }
        Err(error) => law::told(&error),
    }
    for (name, value) in &vars {
        written(&[(name.clone(), value.clone())]);
    }
    // Together, as far as each can be written.
    vars.retain(|one| dotenv_text(std::slice::from_ref(one), None).is_ok());
    vars.sort();
    vars.dedup_by(|one, other| one.0 == other.0);
    written(&vars);
}

/// What is written is read back.
fn written(vars: &[(String, String)]) {
    for reader in DotenvReader::ALL {
        if let Err(problems) = dotenv_text(vars, Some(*reader)) {
            assert!(!problems.is_empty() && problems.iter().all(|it| !it.reason.is_empty()));
        }
    }
    let text = match dotenv_text(vars, None) {
        Ok(text) => text,
        Err(problems) => {
            assert!(!problems.is_empty() && problems.iter().all(|it| !it.reason.is_empty()));
            return;
        }
    };
    let read = match documents::dotenv(&text) {
        Ok(read) => read,
        Err(error) => panic!("{error:?}\n{text}"),
    };
    let read: Vec<(&str, &str)> =
        read.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    let mut wrote: Vec<(&str, &str)> =
        vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    wrote.sort_unstable();
    assert_eq!(read, wrote, "{text}");
}
