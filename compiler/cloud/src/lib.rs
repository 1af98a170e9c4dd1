//! The local cloud: an emulator of the Cloudflare API over SQLite.
