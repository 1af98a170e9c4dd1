//! What is told of migrations, beside what SQLite itself does with rows.

#[cfg(test)]
mod losses;
#[cfg(test)]
mod whole;
