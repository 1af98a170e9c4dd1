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
}
