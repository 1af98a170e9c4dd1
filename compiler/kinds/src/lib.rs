//! One file per kind of Cloudflare resource: grammar, lowering, API messages. Pure.
