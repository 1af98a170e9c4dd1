use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_write_sets_mode_and_content_and_leaves_nothing_beside_it() {
    let folder = folder();
    let path = folder.path().join("key");
    write_atomic(&path, b"one", PUBLIC).unwrap();
    write_atomic(&path, b"two", PRIVATE).unwrap();
    assert_eq!(read(&path, 3).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(mode(&path), Some(0o600));
    assert_eq!(names_in(folder.path()).unwrap(), ["key"]);
}

#[test]
fn what_is_kept_outlives_its_file_being_replaced() {
    let folder = folder();
    let (path, kept) = (folder.path().join("state"), folder.path().join("kept"));
    for text in ["one", "two", "three"] {
        if path.exists() {
            keep_as(&path, &kept).unwrap();
            keep_as(&path, &kept).unwrap();
        }
        write_atomic(&path, text.as_bytes(), PRIVATE).unwrap();
    }
    assert_eq!(read(&path, 10).unwrap().as_deref(), Some(&b"three"[..]));
    assert_eq!(read(&kept, 10).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(names_in(folder.path()).unwrap(), ["kept", "state"]);
}

#[test]
fn only_the_first_of_two_creators_wins() {
    let folder = folder();
    let path = folder.path().join("key");
    assert!(create_new(&path, b"one", PRIVATE).unwrap());
    assert!(!create_new(&path, b"two", PRIVATE).unwrap());
    assert_eq!(read(&path, 10).unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(names_in(folder.path()).unwrap(), ["key"]);
}

#[test]
fn reading_stops_at_the_cap_and_says_why() {
    let folder = folder();
    let path = folder.path().join("spec");
    fs::write(&path, "four").unwrap();
    assert_eq!(read(&path, 4).unwrap().map(|bytes| bytes.len()), Some(4));
    let error = read(&path, 3).unwrap_err();
    assert!(error.source.to_string().contains("more than 3 bytes"));
    assert!(read(&folder.path().join("none"), 3).unwrap().is_none());
    assert!(read(folder.path(), 3).is_err());
    fs::write(&path, b"a\n\xff").unwrap();
    let error = read_text(&path, 10).unwrap_err();
    assert_eq!(error.source.to_string(), "it is not UTF-8 text (line 2)");
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_is_refused_and_never_waited_for() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), Path::new("/dev/zero")] {
        let error = read(path, 10).unwrap_err();
        assert!(error.source.to_string().contains("a file is needed"), "{error}");
    }
}

#[test]
fn errors_carry_the_path_and_what_to_do() {
    let full = FsError::new("write", Path::new("/d/.env"), io::ErrorKind::StorageFull.into());
    let text = CommandError::from(full).to_text();
    assert!(text.starts_with("error: cannot write /d/.env\n"), "{text}");
    assert!(text.contains("hint: the disk that holds /d is full"), "{text}");
}

#[test]
fn a_path_is_quoted_where_a_shell_would_read_another() {
    for (path, shown) in [
        ("/a/b-c.json", "/a/b-c.json"),
        ("/a b/c", "'/a b/c'"),
        ("/it's", "'/it'\\''s'"),
        ("/$HOME;x", "'/$HOME;x'"),
        ("~x", "'~x'"),
    ] {
        assert_eq!(for_shell(Path::new(path)), shown);
    }
}
