//! KDL text to spanned nodes; the only crate that names kdl. Pure.
