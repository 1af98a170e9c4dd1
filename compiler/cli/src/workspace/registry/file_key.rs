//! Under what a generated file is recorded.
//!
//! ```text
//! .env ................ a file of the spec's folder
//! //here/gen//.env .... of a folder that `--out-dir` named, below the spec's: it moves with that
//! //top/gen//.env ..... of one below the working copy's top, which moves with that
//! /srv/conf//.env ..... of one elsewhere
//! ```
//!
//! Pure. No real path holds two slashes, so they part what is put together.

use std::path::{Path, PathBuf};

use super::Location;

/// Stands between the folder and a file's path.
const SEAM: &str = "//";

/// What a key begins with, and the folder that it stands for. The first that fits counts.
fn bases(place: &Location) -> [(&'static str, &Path); 2] {
    [("//here", &place.root), ("//top", &place.top)]
}

/// The key of a file of another folder than the spec's.
pub(crate) fn file_key(place: &Location, folder: &Path, path: &str) -> String {
    for (name, base) in bases(place) {
        match folder.strip_prefix(base) {
            Ok(below) if below.as_os_str().is_empty() => return format!("{name}{SEAM}{path}"),
            Ok(below) => return format!("{name}/{}{SEAM}{path}", below.display()),
            Err(_) => {}
        }
    }
    format!("{}{SEAM}{path}", folder.display())
}

/// The folder and the path of a key; `None` for a file of the spec's folder.
pub(crate) fn folder_of_key<'k>(place: &Location, key: &'k str) -> Option<(PathBuf, &'k str)> {
    for (name, base) in bases(place) {
        let Some(rest) = key.strip_prefix(name) else { continue };
        if let Some(path) = rest.strip_prefix(SEAM) {
            return Some((base.to_owned(), path));
        }
        let (below, path) = rest.strip_prefix('/')?.split_once(SEAM)?;
        return Some((base.join(below), path));
    }
    if !Path::new(key).is_absolute() {
        return None;
    }
    let (folder, path) = key.split_once(SEAM)?;
    Some((PathBuf::from(folder), path))
}

/// The key as it is written now: older builds wrote the whole path of each folder.
pub(super) fn rewritten(place: &Location, key: &str) -> Option<String> {
    let (folder, path) = folder_of_key(place, key)?;
    Some(file_key(place, &folder, path)).filter(|now| now != key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &str, top: &str) -> Location {
        let (root, top) = (root.into(), top.into());
        Location { root, spec: None, top, git_dir: None, common_dir: None }
    }

    #[test]
    fn a_key_tells_the_folder_and_the_path() {
        let place = place("/r/app", "/r");
        for (folder, path, key) in [
            ("/r/app/dist", ".env", "//here/dist//.env"),
            ("/r/app/a/b", "apps//web/.env", "//here/a/b//apps//web/.env"),
            ("/r/app", "dist/.env", "//here//dist/.env"),
            ("/r/dist", ".env", "//top/dist//.env"),
            ("/r", "dist/.env", "//top//dist/.env"),
            ("/r/top", "here/.env", "//top/top//here/.env"),
            ("/r2", ".env", "/r2//.env"),
            ("/srv/conf", "a/.env", "/srv/conf//a/.env"),
        ] {
            assert_eq!(file_key(&place, Path::new(folder), path), key);
            assert_eq!(folder_of_key(&place, key), Some((PathBuf::from(folder), path)));
            assert_eq!(rewritten(&place, key), None);
        }
        for of_the_specs in ["apps//web/.env", ".env", "top//.env", "here//.env"] {
            assert_eq!(folder_of_key(&place, of_the_specs), None);
        }
    }

    #[test]
    fn what_lies_below_moves_with_it() {
        let (old, new) = (place("/r/app", "/r"), place("/moved/deep/app", "/moved"));
        for (was, is) in [("/r/app/dist", "/moved/deep/app/dist"), ("/r/dist", "/moved/dist")] {
            let key = file_key(&old, Path::new(was), ".env");
            assert_eq!(folder_of_key(&new, &key), Some((PathBuf::from(is), ".env")));
            // As older builds wrote it.
            let whole = format!("{was}//.env");
            assert_eq!(rewritten(&old, &whole), Some(key));
            assert_eq!(rewritten(&new, &whole), None);
        }
    }
}
