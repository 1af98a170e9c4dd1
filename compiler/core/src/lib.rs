//! Ids, addresses, values, diagnostics and limits: the vocabulary of envc. Pure.
