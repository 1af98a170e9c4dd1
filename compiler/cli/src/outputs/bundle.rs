//! The bundles of workers that envc deploys: read from their folders, held against Cloudflare's
//! limits, and written into the desired graph as digests. The plan holds no code.
//!
//! Every file below a bundle's folder is a module, but hidden ones and what envc writes; a link may
//! not lead out of the project.
//!
//! Invariant: nothing that envc generates is uploaded, wherever it lies and whichever environment it
//! is of. It holds secrets, and differs after each apply.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use envc_core::{Address, Value, join_path, relative_path};
use envc_kinds::{
    Deploy, Module, Upload, WORKER_BYTES_MAX, WORKER_GZIP_BYTES_MAX, WORKER_MODULES_MAX, Worker,
    size_text,
};
use flate2::{Compression, write::GzEncoder};

use crate::{
    host::{
        error::CommandError,
        fsio::{self, FileId},
        git,
    },
    outputs::out_dir,
    workspace::{reading::Reading, session::Session},
};

/// What is uploaded, by the address of its script.
pub(crate) type Uploads = BTreeMap<Address, Arc<Upload>>;

/// Reads all bundles and completes the scripts in the session's graph. With it comes why some of them
/// cannot be uploaded, each by itself: their scripts are incomplete.
pub(crate) fn read(session: &mut Session<'_>) -> (Uploads, Vec<CommandError>) {
    let (mut uploads, mut refusals) = (Uploads::new(), Vec::new());
    let bundled = session.environment.workers.iter().enumerate();
    let bundled: Vec<(usize, Worker)> = bundled
        .filter(|(_, worker)| matches!(worker.deploy, Deploy::Bundle(_)))
        .map(|(at, worker)| (at, worker.clone()))
        .collect();
    let own = own_files(session);
    let reading = session.reading();
    let unanswered = session.workspace.git.warning.clone();
    for (at, worker) in bundled {
        let Deploy::Bundle(folder) = &worker.deploy else { continue };
        if let Some(warning) = &unanswered {
            refusals.push(unknown(&worker.name, warning, session.workspace.root()));
            continue;
        }
        let folder = join_path(&worker.path, folder);
        let (upload, main) = match of_worker(&reading, &worker, &folder, &own) {
            Ok(read) => read,
            Err(refusal) => {
                refusals.push(refusal);
                continue;
            }
        };
        complete(session, &worker, &upload, &main);
        let local = relative_path(&worker.path, &join_path(&folder, &main));
        if let Some(known) = session.environment.workers.get_mut(at) {
            // For `wrangler dev`, which runs the same file.
            known.main = Some(local);
        }
        uploads.insert(worker.address(), Arc::new(upload));
    }
    (uploads, refusals)
}

/// The error of a bundle in a repository that git does not tell of: what envc wrote there is recorded
/// by its git directory, so nobody knows which of the files hold secrets.
fn unknown(worker: &str, warning: &str, root: &Path) -> CommandError {
    let top = git::top(root).unwrap_or(root);
    let what =
        format!("worker \"{worker}\": git does not tell of the repository that its bundle is in");
    CommandError::failed(what)
        .because_text(warning)
        .because_text("what envc wrote there, and may hold secrets, cannot be told from modules")
        .hint(format!("see what git says: git -C {} status", fsio::for_shell(top)))
        .code("envc::cli::git_unknown")
}

/// The bundle of one worker, and its main module.
fn of_worker(
    reading: &Reading,
    worker: &Worker,
    folder: &str,
    own: &BTreeSet<PathBuf>,
) -> Result<(Upload, String), CommandError> {
    let upload = Upload { modules: modules(reading, &worker.name, folder, own)? };
    refuse_too_large(&worker.name, &upload)?;
    let main = main_module(worker, folder, &upload)?;
    Ok((upload, main))
}

/// Writes what was read into the desired graph.
fn complete(session: &mut Session<'_>, worker: &Worker, upload: &Upload, main: &str) {
    let address = worker.address();
    let Some(script) = session.environment.resources.get_mut(&address) else { return };
    let fields = [
        ("code", Value::text(upload.code())),
        ("bundle", Value::text(upload.size())),
        ("main", Value::text(main)),
    ];
    script.fields.extend(fields.map(|(field, value)| (field.to_owned(), value)));
}

/// What envc writes, or wrote for any environment of this folder: real paths.
fn own_files(session: &Session<'_>) -> BTreeSet<PathBuf> {
    let written = session.environment.written();
    let record = session.workspace.record();
    let all = written.iter().map(|(path, _)| path).chain(record.files.keys());
    all.filter_map(|key| out_dir::path_of(session, key)).collect()
}

fn modules(
    reading: &Reading,
    worker: &str,
    folder: &str,
    own: &BTreeSet<PathBuf>,
) -> Result<Vec<Module>, CommandError> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    let mut open = vec![(String::new(), reading.resolve(folder)?)];
    // A folder that a link leads to a second time would be read again, and one that leads to itself
    // without end.
    let mut seen: BTreeMap<FileId, String> = BTreeMap::new();
    let mut there = false;
    while let Some((prefix, path)) = open.pop() {
        let Some(names) = fsio::names_if_there(&path)? else { continue };
        there = true;
        if let Some(first) = fsio::id(&path).and_then(|id| seen.insert(id, prefix.clone())) {
            return Err(read_twice(worker, folder, [&first, &prefix]));
        }
        for name in names.into_iter().filter(|name| !name.starts_with('.')) {
            let module = format!("{prefix}{name}");
            let relative = format!("{folder}/{module}");
            let file = reading.resolve(&relative)?;
            if fsio::is_folder(&file) {
                open.push((format!("{module}/"), file));
            } else if !own.contains(&file) {
                if module.contains(char::is_control) {
                    return Err(unsendable(worker, &relative));
                }
                reading.refuse_secret(&relative, &file)?;
                found.push((module, file));
            }
        }
        if found.len() > WORKER_MODULES_MAX {
            let what =
                format!("worker \"{worker}\": {folder} holds more than {WORKER_MODULES_MAX} files");
            return Err(CommandError::failed(what)
                .hint("`bundle=` names the folder of what was built, and nothing else")
                .code("envc::cli::bundle_too_large"));
        }
    }
    if found.is_empty() {
        let is = if there { "is empty" } else { "is not there" };
        return Err(CommandError::failed(format!("worker \"{worker}\": its bundle {folder} {is}"))
            .hint("build the Worker first; `bundle=` is relative to the worker's `path=`")
            .code("envc::cli::no_bundle"));
    }
    found.sort();
    let read = |(name, path): (String, PathBuf)| {
        let bytes = fsio::read(&path, WORKER_BYTES_MAX)?.unwrap_or_default();
        Ok(Module { name, bytes })
    };
    found.into_iter().map(read).collect()
}

/// The error of a name that no upload can hold.
fn unsendable(worker: &str, path: &str) -> CommandError {
    CommandError::failed(format!("worker \"{worker}\": {path} cannot be uploaded"))
        .because_text("its name holds a control character, which the API refuses")
        .hint("rename the file, or take it out of the bundle")
        .code("envc::cli::bundle_name")
}

/// The error of a folder that is in a bundle under two names.
fn read_twice(worker: &str, folder: &str, prefixes: [&str; 2]) -> CommandError {
    let [one, other] = prefixes.map(|prefix| format!("{folder}/{prefix}"));
    let (one, other) = (one.trim_end_matches('/'), other.trim_end_matches('/'));
    CommandError::failed(format!("worker \"{worker}\": {one} and {other} are one folder"))
        .because_text("a link leads to it, and each module would be uploaded twice or without end")
        .hint("let the build copy what is there, or take the link away")
        .code("envc::cli::bundle_link")
}

/// Refuses what Cloudflare would refuse, before any call.
fn refuse_too_large(worker: &str, upload: &Upload) -> Result<(), CommandError> {
    let bytes = upload.bytes();
    // Only what is larger than the limit of the compressed can be too large compressed.
    let gzip = if bytes > WORKER_GZIP_BYTES_MAX { gzip_bytes(upload) } else { 0 };
    if bytes <= WORKER_BYTES_MAX && gzip <= WORKER_GZIP_BYTES_MAX {
        return Ok(());
    }
    let mut large: Vec<&Module> = upload.modules.iter().collect();
    large.sort_by_key(|module| std::cmp::Reverse(module.bytes.len()));
    let largest = large.iter().take(3);
    let largest: Vec<String> = largest
        .map(|module| format!("{} has {}", module.name, size_text(module.bytes.len())))
        .collect();
    Err(CommandError::failed(format!(
        "worker \"{worker}\" is too large: {}, {} compressed",
        upload.size(),
        size_text(gzip)
    ))
    .because_text(format!(
        "Cloudflare takes {}, and {} compressed",
        size_text(WORKER_BYTES_MAX),
        size_text(WORKER_GZIP_BYTES_MAX)
    ))
    .because_text(largest.join(", "))
    .hint("leave out source maps and what is not used, and look at what the bundler took in")
    .code("envc::cli::bundle_too_large"))
}

fn gzip_bytes(upload: &Upload) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = upload.modules.iter().try_for_each(|module| encoder.write_all(&module.bytes));
    // Writing to memory cannot fail.
    let gzip = written.and_then(|()| encoder.finish());
    gzip.map_or(0, |bytes| bytes.len())
}

/// The module in which the Worker begins. `main=` is relative to the worker's folder, as wrangler
/// reads it, or to the bundle.
fn main_module(worker: &Worker, folder: &str, upload: &Upload) -> Result<String, CommandError> {
    let asked = worker.main.as_deref();
    let inside = asked.map(|main| {
        let whole = join_path(&worker.path, main);
        whole.strip_prefix(&format!("{folder}/")).map_or_else(|| main.to_owned(), str::to_owned)
    });
    if let Some(main) = upload.main(inside.as_deref()) {
        return Ok(main.to_owned());
    }
    let names: Vec<&str> =
        upload.modules.iter().map(|module| module.name.as_str()).take(10).collect();
    let more = if upload.modules.len() > names.len() { ", …" } else { "" };
    let what = match asked {
        Some(main) => format!("worker \"{}\": its bundle has no {main}", worker.name),
        None => format!("worker \"{}\": its bundle has no main module", worker.name),
    };
    Err(CommandError::failed(what)
        .because_text(format!("{folder} holds {}{more}", names.join(", ")))
        .hint("name it with `main=`, or call it index.js, worker.js or shim.mjs")
        .code("envc::cli::no_main_module"))
}
