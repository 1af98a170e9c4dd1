//! Kinds and addresses: what a resource is called inside envc.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Makes [`KindId`] from its table: one row a kind, in the order in which people read them.
macro_rules! kind_ids {
    ($($kind:ident = $word:literal, $doc:literal;)+) => {
        /// The closed set of resource kinds. Behaviour lives in the kind's own file, not here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum KindId {
            $(#[doc = $doc] $kind,)+
        }

        impl KindId {
            /// All kinds, in the order in which people read them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$kind),+];

            /// The stable word used in addresses, state and plans.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }
        }
    };
}

kind_ids! {
    D1 = "d1", "A D1 database.";
    Kv = "kv", "A Workers KV namespace.";
    R2 = "r2", "An R2 bucket.";
    Queue = "queue", "A queue.";
    Hyperdrive = "hyperdrive", "A Hyperdrive config.";
    Vectorize = "vectorize", "A Vectorize index.";
    Tunnel = "tunnel", "A Cloudflare Tunnel.";
    TunnelConfig = "tunnel-config", "The ingress rules of a tunnel: one document per tunnel.";
    Dns = "dns", "A DNS record.";
    Worker = "worker", "The script of a Worker that envc uploads.";
    WorkerCrons = "worker-crons", "The cron triggers of a Worker: one document per script.";
    WorkerRoute = "worker-route", "A pattern of addresses that goes to a Worker.";
    WorkerDomain = "worker-domain", "A host of a Worker's own.";
    QueueConsumer = "queue-consumer", "The Worker that reads a queue.";
}

impl KindId {
    /// Reads the stable word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `kind.name`: the address of one resource of an environment, such as `d1.webapp`.
///
/// A record that a tunnel's ingress makes is `dns.TUNNEL.INGRESS`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    kind: KindId,
    name: String,
}

/// Text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address; write kind.name, such as d1.webapp")]
pub struct AddressError {
    text: String,
}

impl Address {
    /// Makes an address from its parts.
    pub fn new(kind: KindId, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// The kind before the dot.
    pub fn kind(&self) -> KindId {
        self.kind
    }

    /// The name after the dot, as the spec declares it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.name)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError { text: text.to_owned() };
        let (kind, name) = text.split_once('.').ok_or_else(wrong)?;
        let kind = KindId::parse(kind).ok_or_else(wrong)?;
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Self::new(kind, name))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| match text.split_once('.') {
            Some((kind, _)) if KindId::parse(kind).is_none() => {
                serde::de::Error::custom(format!("unknown kind of resource `{kind}`"))
            }
            _ => serde::de::Error::custom(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_and_read_back() {
        for text in ["d1.webapp", "dns.dev.webapp", "tunnel-config.dev"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "d1", "d1.", ".x", "sql.webapp"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
