//! Where a path really lies, links and all, and whether that is where it may.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{FsError, canonical};
use crate::host::owner::{self, User};

/// Where `relative` lies inside `root`: refuses absolute paths, `..`, and links that lead out.
/// What does not exist yet is fine.
pub(crate) fn inside(root: &Path, relative: &str) -> Result<PathBuf, FsError> {
    let refuse = |reason: &str| Err(FsError::refused("use", Path::new(relative), reason));
    let mut components = Vec::new();
    for component in Path::new(relative).components() {
        match component {
            Component::Normal(name) => components.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return refuse("the path must be relative and may not hold `..`");
            }
        }
    }
    if components.is_empty() || relative.ends_with('/') {
        return refuse("the path names no file");
    }
    let root = canonical(root)?;
    let mut path = root.clone();
    for component in components {
        path.push(component);
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_symlink() {
            path = match fs::canonicalize(&path) {
                Ok(target) => target,
                Err(error) => return Err(FsError::new("follow the link", &path, error)),
            };
            if !path.starts_with(&root) {
                return refuse("a link on the way leads out of the project");
            }
        }
    }
    Ok(path)
}

/// How many links may be on the way to a file.
const LINKS_MAX: usize = 40;

/// Where `relative` below `root` really lies, for reading: links are followed as far as they stay in
/// `top`, which is `root` or above it. Both are real paths. What is not there lies where it would be.
pub(crate) fn resolve_within(root: &Path, top: &Path, relative: &str) -> Result<PathBuf, FsError> {
    let refuse = |reason: &str| {
        let error = FsError::refused("read", Path::new(relative), reason);
        Err(error.way_out("put the file itself there, or name one that lies in the repository"))
    };
    let is_plain = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(relative).components().all(|part| is_plain(&part)) {
        return refuse("the path must be relative and may not hold `..`");
    }
    let parts = |path: &Path| -> Vec<PathBuf> {
        path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
    };
    let (mut path, mut left, mut links) = (root.to_owned(), parts(Path::new(relative)), 0);
    while let Some(part) = left.pop() {
        match part.components().next() {
            Some(Component::ParentDir) => {
                path.pop();
                continue;
            }
            Some(Component::CurDir) | None => continue,
            // A root or a drive takes the place of all before it.
            Some(_) => path.push(&part),
        }
        if !path.symlink_metadata().is_ok_and(|there| there.is_symlink()) {
            continue;
        }
        // One outside decides nothing, unless it is on the way to the repository itself.
        let leads_here = || fs::canonicalize(&path).is_ok_and(|real| top.starts_with(real));
        if !path.starts_with(top) && !leads_here() {
            return refuse("a link on the way leads out of the repository");
        }
        links += 1;
        let target =
            fs::read_link(&path).map_err(|error| FsError::new("follow the link", &path, error))?;
        if links > LINKS_MAX {
            return refuse("it is a link that leads to itself");
        }
        path.pop();
        left.extend(parts(&target));
    }
    if path.starts_with(top) {
        return Ok(path);
    }
    refuse("a link on the way leads out of the repository")
}

/// As [`inside`], where no link may stand on the way, wherever it leads: what is written there is
/// written there, and not where whoever made a link wants it.
pub(crate) fn inside_without_links(root: &Path, relative: &str) -> Result<PathBuf, FsError> {
    let path = inside(root, relative)?;
    let plain = canonical(root)?.join(relative).components().collect::<PathBuf>();
    if path == plain {
        return Ok(path);
    }
    Err(FsError::refused("use", Path::new(relative), "a link stands on the way"))
}

/// The real path of a folder that may not be there yet: links followed as far as it is there.
pub(crate) fn resolve_folder(path: &Path) -> Result<PathBuf, FsError> {
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => continue,
            Component::ParentDir => {
                real.pop();
                continue;
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                real.push(component);
            }
        }
        match fs::symlink_metadata(&real) {
            Ok(there) if there.is_symlink() => {
                real = fs::canonicalize(&real)
                    .map_err(|error| FsError::new("follow the link", &real, error))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(FsError::new("use", &real, error)),
        }
    }
    match fs::metadata(&real) {
        Ok(there) if !there.is_dir() => {
            Err(FsError::new("use", &real, io::ErrorKind::NotADirectory.into()))
        }
        _ => Ok(real),
    }
}

/// A file below a folder that is reached without a link and belongs to whom `like` does, or to this
/// user; else why it is not taken, as a clause after its name. `None`: it is not there.
pub(crate) fn plain_file(
    root: &Path,
    relative: &Path,
    like: &Path,
    user: User,
) -> Result<Option<PathBuf>, &'static str> {
    let mut path = root.to_owned();
    for component in relative.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => continue,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err("leads outside");
            }
        }
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_symlink() => return Err("is reached through a link"),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err("cannot be looked at"),
        }
    }
    let is_known = owner::of(&path) == owner::of(like) || user.takes(&path);
    if is_known { Ok(Some(path)) } else { Err("belongs to another user") }
}

/// The way from one folder to another, both as they really are, with slashes: `../..`. Where no way
/// leads there, as between two drives, the whole path.
pub(crate) fn way(from: &Path, to: &Path) -> String {
    let text = |path: &Path| path.to_string_lossy().replace('\\', "/");
    let (from, whole) = (from.components().collect::<Vec<_>>(), to);
    let to: Vec<_> = to.components().collect();
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if same == 0 {
        return text(whole);
    }
    let up = from.iter().skip(same).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.into_iter().skip(same)).collect();
    if way.as_os_str().is_empty() { ".".to_owned() } else { text(&way) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fsio::names_in;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_way_leads_from_one_folder_to_another() {
        for (from, to, expect) in [
            ("/a/b", "/a", ".."),
            ("/a/out", "/a/shop/apps", "../shop/apps"),
            ("/a", "/a", "."),
            ("/a", "/a/b", "b"),
            ("/x/y", "/a", "../../a"),
        ] {
            assert_eq!(way(Path::new(from), Path::new(to)), expect, "{from} {to}");
        }
    }

    #[test]
    fn paths_stay_inside_the_project() {
        let folder = folder();
        let root = folder.path().join("project");
        fs::create_dir_all(root.join("apps/web")).unwrap();
        fs::create_dir_all(folder.path().join("elsewhere")).unwrap();
        let root = canonical(&root).unwrap();
        assert_eq!(inside(&root, "./apps/web/.env").unwrap(), root.join("apps/web/.env"));
        assert_eq!(inside(&root, "new/deep/.env").unwrap(), root.join("new/deep/.env"));
        for wrong in ["../x", "apps/../../x", "/etc/passwd", "", ".", "apps/"] {
            assert!(inside(&root, wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let root = folder.path().join("project");
        fs::create_dir_all(root.join("real")).unwrap();
        let root = canonical(&root).unwrap();
        symlink(root.join("real"), root.join("good")).unwrap();
        symlink(folder.path(), root.join("bad")).unwrap();
        symlink(root.join("nothing"), root.join("dangling")).unwrap();
        assert_eq!(inside(&root, "good/.env").unwrap(), root.join("real/.env"));
        assert!(inside(&root, "bad/.env").unwrap_err().source.to_string().contains("leads out"));
        assert!(inside(&root, "dangling").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_to_be_made_has_a_real_path_already() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let root = canonical(folder.path()).unwrap();
        fs::create_dir(root.join("real")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        symlink(root.join("real"), root.join("link")).unwrap();
        symlink(root.join("nothing"), root.join("dangling")).unwrap();
        for (path, real) in [
            ("link", "real"),
            ("link/new/deep", "real/new/deep"),
            ("new/../link/./x", "real/x"),
            ("link/../y", "y"),
        ] {
            assert_eq!(resolve_folder(&root.join(path)).unwrap(), root.join(real), "{path}");
        }
        for wrong in ["file", "file/x", "dangling", "dangling/x"] {
            assert!(resolve_folder(&root.join(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(names_in(&root).unwrap(), ["dangling", "file", "link", "real"]);
    }
}
