//! What is uploaded of a Worker besides what stands in the plan: its modules.
//!
//! Pure: the folder is read by the caller. A module's name is its path inside the bundle's folder,
//! and its type follows from the name's ending, as wrangler's default rules have it.
//! Source: Cloudflare's documentation of multipart upload metadata, checked November 2026.

use std::fmt;

use envc_core::{Digest, counted};

/// Bytes of all modules: Cloudflare's limit before compression.
pub const WORKER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes compressed: Cloudflare's limit on paid plans.
pub const WORKER_GZIP_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Modules; more means that the folder is another than the one meant.
pub const WORKER_MODULES_MAX: usize = 2_000;
/// Hex digits of the digest of the code: it travels in a tag, which has to be short.
const CODE_DIGITS: usize = 32;

/// Where a Worker begins when `main=` does not say it, in the order of preference.
const MAIN_NAMES: [&str; 6] =
    ["index.js", "index.mjs", "worker.js", "worker.mjs", "shim.js", "shim.mjs"];

/// A built Worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The modules, by name.
    pub modules: Vec<Module>,
}

/// A file of a bundle.
#[derive(Clone, PartialEq, Eq)]
pub struct Module {
    /// The path inside the bundle's folder, with `/`.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Module({}, {} bytes)", self.name, self.bytes.len())
    }
}

impl Module {
    /// The content type that tells Cloudflare what the module is.
    pub fn content_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("js" | "mjs") => "application/javascript+module",
            Some("cjs") => "application/javascript",
            Some("wasm") => "application/wasm",
            Some("txt" | "html") => "text/plain",
            Some("py") => "text/x-python",
            Some("map") => "application/source-map",
            _ => "application/octet-stream",
        }
    }
}

impl Upload {
    /// A digest over the modules' names, types and bytes.
    pub fn code(&self) -> String {
        let mut text = Vec::new();
        let mut modules: Vec<&Module> = self.modules.iter().collect();
        modules.sort_by_key(|module| &module.name);
        for module in modules {
            for part in [module.name.as_bytes(), module.content_type().as_bytes(), &module.bytes] {
                // Lengths keep the parts apart, whatever they hold.
                text.extend((part.len() as u64).to_be_bytes());
                text.extend(part);
            }
        }
        let digest = Digest::of(&text);
        digest.as_str().chars().take(CODE_DIGITS).collect()
    }

    /// Bytes of all modules.
    pub fn bytes(&self) -> usize {
        self.modules.iter().map(|module| module.bytes.len()).sum()
    }

    /// "3 modules, 1.2 MB"
    pub fn size(&self) -> String {
        let count = self.modules.len();
        let s = if count == 1 { "" } else { "s" };
        format!("{count} module{s}, {}", size_text(self.bytes()))
    }

    /// The module in which the Worker begins: the one that is asked for, else the conventional one.
    pub fn main(&self, asked: Option<&str>) -> Option<&str> {
        let find = |name: &str| {
            let mut names = self.modules.iter().map(|module| module.name.as_str());
            names.find(|known| *known == name)
        };
        match asked {
            Some(name) => find(name),
            None => MAIN_NAMES.iter().find_map(|name| find(name)),
        }
    }
}

/// A number of bytes as people read it: "1.2 MB", in units of a thousand.
pub fn size_text(bytes: usize) -> String {
    let tenths = |unit: usize| format!("{}.{}", bytes / unit, bytes % unit / (unit / 10));
    match bytes {
        0..1_000 => counted(bytes, "byte"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        _ => format!("{} MB", tenths(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(modules: &[(&str, &[u8])]) -> Upload {
        let module =
            |(name, bytes): &(&str, &[u8])| Module { name: (*name).into(), bytes: bytes.to_vec() };
        Upload { modules: modules.iter().map(module).collect() }
    }

    #[test]
    fn the_digest_tells_every_byte_and_every_name_apart_but_not_the_order() {
        let one = upload(&[("index.js", b"a"), ("b.wasm", b"bc")]).code();
        assert_eq!(one.len(), CODE_DIGITS);
        assert_eq!(one, upload(&[("b.wasm", b"bc"), ("index.js", b"a")]).code());
        for other in [
            upload(&[("index.js", b"b"), ("b.wasm", b"bc")]),
            upload(&[("index.mjs", b"a"), ("b.wasm", b"bc")]),
            upload(&[("index.js", b"ab"), ("b.wasm", b"c")]),
            upload(&[("index.js", b"a")]),
        ] {
            assert_ne!(one, other.code(), "{other:?}");
        }
    }

    #[test]
    fn the_main_module_is_the_one_asked_for_or_the_conventional_one() {
        let bundle = upload(&[("a.js", b""), ("shim.mjs", b""), ("worker.js", b"")]);
        assert_eq!(bundle.main(None), Some("worker.js"));
        assert_eq!(bundle.main(Some("a.js")), Some("a.js"));
        assert_eq!(bundle.main(Some("index.js")), None);
        assert_eq!(upload(&[("a.js", b"")]).main(None), None);
    }

    #[test]
    fn sizes_are_in_units_that_fit() {
        let table =
            [(0, "0 bytes"), (999, "999 bytes"), (1_250, "1.2 kB"), (64_000_000, "64.0 MB")];
        for (bytes, text) in table {
            assert_eq!(size_text(bytes), text);
        }
    }
}
