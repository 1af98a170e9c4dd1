//! The tables, what refers to what, and where rows are.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Fate;

/// Where a table's rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rows {
    /// It has none.
    None,
    /// One of the files that did not run yet puts them there.
    New,
    /// They were there before.
    Old,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// The key of the table that it refers to.
    pub(crate) parent: String,
    /// What happens to a row when the one goes that it refers to. None: SQLite refuses that.
    pub(crate) fate: Option<Fate>,
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// As it was written first.
    pub(crate) name: String,
    /// By key, with the name. None: not known.
    pub(crate) columns: Option<BTreeMap<String, String>>,
    pub(crate) references: Vec<Reference>,
    pub(crate) rows: Rows,
    /// It ends with the connection.
    pub(crate) temporary: bool,
    /// The tables all of whose rows it has, each with the columns that it has of them; none where that
    /// cannot be told.
    pub(crate) copies: BTreeMap<String, Option<BTreeSet<String>>>,
}

/// All tables, by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) tables: BTreeMap<String, Table>,
}

impl Schema {
    /// From here on all rows were there before, as far as any can be there.
    pub(crate) fn settle(&mut self) {
        self.tables.retain(|_, table| !table.temporary);
        for table in self.tables.values_mut() {
            table.rows = Rows::Old;
            table.copies.clear();
        }
    }

    /// What happens to the rows of other tables when all of these go: of those that refer to it, and of
    /// those that refer to these. What has been copied elsewhere by then loses nothing.
    pub(crate) fn follows(&self, key: &str) -> BTreeMap<String, Fate> {
        let mut found: BTreeMap<String, Fate> = BTreeMap::new();
        let mut to_do = vec![key.to_owned()];
        while let Some(parent) = to_do.pop() {
            for (child, table) in &self.tables {
                let fates = table.references.iter().filter(|it| it.parent == parent);
                let fate = fates.filter_map(|it| it.fate).min();
                let Some(fate) = fate.filter(|_| table.rows > Rows::None && child != key) else {
                    continue;
                };
                let worse = found.get(child).is_none_or(|known| fate < *known);
                if worse
                    && found.insert(child.clone(), fate) != Some(Fate::Deleted)
                    && fate == Fate::Deleted
                {
                    to_do.push(child.clone());
                }
            }
        }
        let lost: BTreeSet<String> = found.keys().cloned().collect();
        let is_copied = |child: &String| {
            self.tables
                .iter()
                .any(|(copy, it)| !lost.contains(copy) && it.copies.contains_key(child))
        };
        found.retain(|child, _| !is_copied(child));
        found
    }

    /// Gives a table another name, and follows it in what refers to it, as SQLite does.
    pub(crate) fn rename(&mut self, old: &str, new: &str, name: &str, legacy: bool) {
        let Some(mut table) = self.tables.remove(old) else { return };
        name.clone_into(&mut table.name);
        self.tables.insert(new.to_owned(), table);
        for table in self.tables.values_mut() {
            if !legacy {
                for reference in table.references.iter_mut().filter(|it| it.parent == old) {
                    new.clone_into(&mut reference.parent);
                }
            }
            if let Some(columns) = table.copies.remove(old) {
                table.copies.insert(new.to_owned(), columns);
            }
        }
    }

    /// Takes a table away. What has its rows has them for itself now.
    pub(crate) fn drop(&mut self, key: &str) {
        self.tables.remove(key);
        for table in self.tables.values_mut() {
            table.copies.remove(key);
        }
    }
}
