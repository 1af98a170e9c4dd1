//! The vocabulary of envc: kinds, addresses, values with references, diagnostics, secrets, limits.
//!
//! Pure: no I/O, clock, randomness or async; builds for WebAssembly. Every other crate of the
//! compiler may import it; it imports none of ours.

#![forbid(unsafe_code)]

mod address;
mod credentials;
mod desired;
mod diag;
mod digest;
mod duration;
mod inputs;
pub mod limits;
mod marker;
mod newer;
mod paths;
mod physical_name;
mod secret;
mod server_url;
mod span;
mod split_mix;
mod value;
mod words;

pub use address::{Address, AddressError, KindId};
pub use credentials::{CREDENTIALS, OWN_CREDENTIAL, is_own_credential};
pub use desired::{Desired, Mode};
pub use diag::{Diagnostic, Diagnostics, Edit, Elsewhere, Label, Severity, apply_edits};
pub use digest::{Digest, KeyedDigest, object_id};
pub use duration::{DurationError, parse_duration_s};
pub use inputs::{Inputs, Sealed, Sealer, Vault, Veils, names_of};
pub use marker::{FoundMarker, Marker, RepositoryDigest};
pub use newer::of_newer;
pub use paths::{folder_and_name, join_path, kept_by, relative_path};
pub use physical_name::{PartProblem, PhysicalName, SEPARATOR};
pub use secret::Secret;
pub use server_url::{ServerUrl, ServerUrlError, host_of, is_this_machine, split_port};
pub use span::{Span, Spanned};
pub use split_mix::SplitMix64;
pub use value::{Input, Output, Part, Ref, Text, Value};
pub use words::{base36, counted, hex, plural, printable, printable_in_place, steers_a_terminal};
