//! Request and response types shared by the edge Worker and the compiler. Pure.
