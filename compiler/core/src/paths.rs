//! Paths of a spec: relative to its folder, with slashes on every system. Pure.

/// The parts of a path that name something.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

/// A path below a folder, without `.` parts and doubled slashes.
pub fn join_path(folder: &str, path: &str) -> String {
    parts(folder).chain(parts(path)).collect::<Vec<_>>().join("/")
}

/// A path as seen from a folder; both are relative to the same folder, and neither leads out of it.
pub fn relative_path(folder: &str, path: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (parts(folder).collect(), parts(path).collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(same).map(|_| "..");
    let way: Vec<&str> = up.chain(to.iter().skip(same).copied()).collect();
    if way.is_empty() { ".".to_owned() } else { way.join("/") }
}

/// A path's folder, empty for the one that it is relative to, and its name.
pub fn folder_and_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whose a part of a path is that nobody else may write: git's or envc's own folder, in each spelling
/// that a file system may take for it. As git refuses `.git`: in any case, with what HFS+ leaves out,
/// with what NTFS leaves out at the end, and by the short name that NTFS gives it.
pub fn kept_by(part: &str) -> Option<&'static str> {
    part.split('\\').find_map(|part| {
        let shown = part.chars().filter(|c| !IGNORED.contains(c)).collect::<String>();
        let name = shown.split(':').next().unwrap_or_default();
        let name = name.trim_end_matches([' ', '.']).to_ascii_lowercase();
        match name.as_str() {
            ".git" | "git~1" => Some("git"),
            ".envc" | "envc~1" => Some("envc"),
            _ => None,
        }
    })
}

/// Characters that HFS+ leaves out of names.
const IGNORED: [char; 16] = [
    '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
    '\u{202e}', '\u{206a}', '\u{206b}', '\u{206c}', '\u{206d}', '\u{206e}', '\u{206f}', '\u{feff}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_seen_from_a_folder() {
        assert_eq!(join_path("./apps//web/", "./dist/."), "apps/web/dist");
        assert_eq!(join_path(".", "dist"), "dist");
        assert_eq!(join_path("apps", "."), "apps");
        for (folder, path, expect) in [
            ("apps/web", "apps/web/drizzle", "drizzle"),
            ("apps/web", "apps/db/migrations", "../db/migrations"),
            (".", "migrations", "migrations"),
            ("./apps/web/", "./migrations", "../../migrations"),
            ("apps/web", "apps/web", "."),
        ] {
            assert_eq!(relative_path(folder, path), expect);
        }
    }

    #[test]
    fn gits_and_envcs_own_folders_are_known_in_each_spelling() {
        for name in [
            ".git",
            ".GIT",
            ".Git ",
            ".git. .",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            "git~1",
            "GIT~1",
            "x\\.git\\hooks",
        ] {
            assert_eq!(kept_by(name), Some("git"), "{name}");
        }
        for name in [".envc", ".ENVC", ".envc.", "ENVC~1"] {
            assert_eq!(kept_by(name), Some("envc"), "{name}");
        }
        for name in ["git", ".gitignore", ".github", "envc", ".envcx", ".env", "git~2", "", "..."] {
            assert_eq!(kept_by(name), None, "{name}");
        }
    }
}
