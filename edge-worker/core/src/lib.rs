//! State machines of the edge Worker. Pure.
