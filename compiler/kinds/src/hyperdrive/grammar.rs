//! What may stand inside a `hyperdrive`.

use envc_syntax::rule::{ArgRule, EMPTY, FlagRule, NodeRule, Repeat, Type, optional};

/// Left out where the whole origin is one connection string.
const IN_STRING: &str = "in the connection string";

pub(crate) static ORIGIN: NodeRule = NodeRule {
    name: "origin",
    doc: "The database: one connection string, or its parts.",
    notes: &[
        "A connection string is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `mysql://…`. A character that means something in it is written as `%` and its code: `@` as `%40`, `/` as `%2F`. What follows a `?` is not used: Hyperdrive speaks TLS by itself.",
        "Of a connection string no part is shown, recorded or told; a part that was changed in the account is noticed all the same.",
        "As parts: `host=`, `database=`, `user=` and `password=` are needed.",
        "The database must be reachable from the internet: private addresses are refused.",
    ],
    absent: "A mistake, unless it exists.",
    example: "origin host=\"db.example.com\" database=\"app\" user=\"web\" password=(secret)\"DB_PASSWORD\"",
    args: &[ArgRule {
        name: "url",
        ty: Type::PrivateText,
        required: false,
        doc: "The connection string.",
    }],
    props: &[
        optional("scheme", Type::OneOf(&["postgres", "postgresql", "mysql"]), "Which database.")
            .default("\"postgres\""),
        optional("host", Type::Text, "Its host.").otherwise(IN_STRING),
        optional("port", Type::Int(1, 65_535), "Its port.").otherwise("5432, for MySQL 3306"),
        optional("database", Type::Text, "The name of the database, at most 63 bytes.")
            .otherwise(IN_STRING),
        optional("user", Type::Text, "The user, at most 63 bytes.").otherwise(IN_STRING),
        optional("password", Type::PrivateText, "The user's password.").otherwise(IN_STRING),
    ],
    repeat: Repeat::Once,
    ..EMPTY
};

pub(crate) static CACHING: NodeRule = NodeRule {
    name: "caching",
    doc: "How answers to queries are cached.",
    absent: "Not managed; Cloudflare caches for 60 seconds, and serves for 15 more while it asks again.",
    example: "caching max-age=30",
    flags: &[FlagRule { name: "disabled", doc: "Nothing is cached." }],
    props: &[
        // Cloudflare does not say how long it may be; a day is what nobody goes beyond.
        optional(
            "max-age",
            Type::Int(0, 86_400),
            "Seconds that an answer is served from the cache.",
        )
        .otherwise("not managed"),
        optional(
            "stale-while-revalidate",
            Type::Int(0, 86_400),
            "Seconds more, while a new answer is fetched.",
        )
        .otherwise("not managed"),
    ],
    repeat: Repeat::Once,
    ..EMPTY
};

pub(crate) static MTLS: NodeRule = NodeRule {
    name: "mtls",
    doc: "Certificates towards the database, which are in the account already.",
    absent: "Not managed; TLS without a certificate.",
    example: "mtls ca=\"0c7a2f1e-5b3d-4a6c-9e8f-1d2b3c4a5e6f\" sslmode=\"verify-full\"",
    props: &[
        optional("ca", Type::Plain, "The ID of the CA's certificate.").otherwise("not managed"),
        optional("certificate", Type::Plain, "The ID of the client's certificate.")
            .otherwise("not managed"),
        optional(
            "sslmode",
            Type::OneOf(&[
                "require",
                "verify-ca",
                "verify-full",
                "REQUIRED",
                "VERIFY_CA",
                "VERIFY_IDENTITY",
            ]),
            "What is verified; in capitals for MySQL.",
        )
        .otherwise("not managed"),
    ],
    repeat: Repeat::Once,
    ..EMPTY
};
