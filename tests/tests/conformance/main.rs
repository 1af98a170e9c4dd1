//! The local cloud in front of the clients that people use: wrangler, and Cloudflare's own SDKs.
//!
//! They come from npm and `PyPI`, in the versions that `.ci/wasm-toolchain.sh` names, and are on the PATH
//! when `cargo xtask test` runs. They were written against the real API by others, so that an
//! answer they take is one that envc's own client and its emulator cannot have agreed on in error.
//!
//! Beside them envc's own engine, in this process: what its kinds say of themselves is tried out for
//! every kind there is.

#[cfg(test)]
mod defaults;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod destroyed;
#[cfg(test)]
mod dotenv;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod hyperdrive;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod local;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod served;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod spellings;
#[cfg(test)]
mod wrangler;
