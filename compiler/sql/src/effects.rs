//! What a statement does to tables and rows.

use std::collections::{BTreeMap, BTreeSet};

use sqlite3_parser::ast::{
    AlterTableBody, ColumnConstraint, ColumnDefinition, CreateTableBody, Expr, ForeignKeyClause,
    InsertBody, Literal, NamedTableConstraint, OneSelect, PragmaBody, QualifiedName, RefAct,
    RefArg, ResolveType, ResultColumn, Select, SelectTable, Stmt, TableConstraint,
};

use crate::{
    Before,
    cut::Statement,
    finding::{Fate, Finding, Loss, What},
    schema::{Reference, Rows, Schema, Table},
    statements,
};

/// Reads files one after the other.
pub(crate) struct Reader {
    schema: Schema,
    before: Before,
    /// Files that ran already are over.
    begun: bool,
    file: usize,
    /// The line of a `PRAGMA foreign_keys=OFF` in this file.
    pragma: Option<usize>,
    /// `PRAGMA legacy_alter_table=ON`: a rename is not followed.
    legacy: bool,
    pub(crate) findings: Vec<Finding>,
}

/// Where the rows of a `SELECT` come from, when it is one table, whole.
struct Source {
    table: String,
    columns: Option<BTreeSet<String>>,
}

impl Reader {
    pub(crate) fn new(before: Before) -> Self {
        Self {
            schema: Schema::default(),
            before,
            begun: false,
            file: 0,
            pragma: None,
            legacy: false,
            findings: Vec::new(),
        }
    }

    /// From here on files did not run yet.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
        self.schema.settle();
    }

    pub(crate) fn file(&mut self, index: usize, text: &str) {
        (self.file, self.pragma, self.legacy) = (index, None, false);
        if self.before == Before::Unknown {
            self.schema.settle();
        }
        statements::each(text, |place, read| match read {
            Ok(statement) => self.statement(place, statement),
            Err(what) => self.tell(place, what),
        });
    }

    fn tell(&mut self, place: &Statement, what: What) {
        if self.begun {
            let Statement { bytes, line, .. } = place.clone();
            self.findings.push(Finding { file: self.file, bytes, line, what });
        }
    }

    fn loses(&mut self, place: &Statement, loss: Loss, rows: Rows) {
        self.tell(place, What::Loses { loss, old: rows == Rows::Old });
    }

    fn statement(&mut self, place: &Statement, statement: &Stmt<'_>) {
        match statement {
            Stmt::CreateTable { temporary, tbl_name, body, .. } => {
                self.create(tbl_name, body, *temporary);
            }
            Stmt::CreateVirtualTable { tbl_name, .. } => {
                self.add(tbl_name, None, Vec::new(), false);
            }
            Stmt::AlterTable(table, body) => self.alter(place, table, body),
            Stmt::Insert { or_conflict, tbl_name, columns: _, body, .. } => {
                self.insert(place, tbl_name, *or_conflict, body);
            }
            Stmt::DropTable { if_exists, tbl_name } => self.drop(place, tbl_name, *if_exists),
            Stmt::Delete { tbl_name, where_clause, limit, .. } => {
                let all = limit.is_none() && where_clause.as_ref().is_none_or(is_always_true);
                if all {
                    self.empty(place, tbl_name);
                }
            }
            Stmt::Pragma(name, body) => self.pragma(place, name, body.as_ref()),
            Stmt::Begin(..) => self.tell(place, What::Refused { word: "BEGIN" }),
            Stmt::Commit(_) => self.tell(place, What::Refused { word: "COMMIT" }),
            Stmt::Rollback { .. } => self.tell(place, What::Refused { word: "ROLLBACK" }),
            Stmt::Savepoint(_) => self.tell(place, What::Refused { word: "SAVEPOINT" }),
            Stmt::Release(_) => self.tell(place, What::Refused { word: "RELEASE" }),
            Stmt::Vacuum(..) => self.tell(place, What::Refused { word: "VACUUM" }),
            Stmt::Attach { .. } => self.tell(place, What::Refused { word: "ATTACH" }),
            Stmt::Detach(_) => self.tell(place, What::Refused { word: "DETACH" }),
            _ => {}
        }
    }

    fn add(
        &mut self,
        name: &QualifiedName<'_>,
        columns: Option<BTreeMap<String, String>>,
        references: Vec<Reference>,
        temporary: bool,
    ) {
        let table = Table {
            name: written(name.name.0),
            columns,
            references,
            rows: Rows::None,
            temporary,
            copies: BTreeMap::new(),
        };
        // One that is there stays: `IF NOT EXISTS`, or SQLite refuses.
        self.schema.tables.entry(key(name.name.0)).or_insert(table);
    }

    fn create(&mut self, name: &QualifiedName<'_>, body: &CreateTableBody<'_>, temporary: bool) {
        if self.schema.tables.contains_key(&key(name.name.0)) {
            return;
        }
        match body {
            CreateTableBody::ColumnsAndConstraints { columns, constraints, .. } => {
                let references = columns
                    .iter()
                    .flat_map(references_of)
                    .chain(constraints.iter().copied().flatten().filter_map(reference_of))
                    .collect();
                let columns = columns.iter().map(|it| (key(it.col_name.0), written(it.col_name.0)));
                self.add(name, Some(columns.collect()), references, temporary);
            }
            CreateTableBody::AsSelect(select) => {
                self.add(name, None, Vec::new(), temporary);
                self.fill(&key(name.name.0), select);
            }
        }
    }

    fn alter(&mut self, place: &Statement, name: &QualifiedName<'_>, body: &AlterTableBody<'_>) {
        let of = key(name.name.0);
        if let AlterTableBody::RenameTo(new) = body {
            self.schema.rename(&of, &key(new.0), &written(new.0), self.legacy);
            return;
        }
        let unknown = self.unknown_rows();
        let known = self.schema.tables.get_mut(&of);
        let rows = known.as_ref().map_or(unknown, |it| it.rows);
        let table = known.as_ref().map_or_else(|| written(name.name.0), |it| it.name.clone());
        match body {
            AlterTableBody::AddColumn(column) => {
                if let Some(known) = known {
                    known.references.extend(references_of(column));
                    if let Some(columns) = &mut known.columns {
                        columns.insert(key(column.col_name.0), written(column.col_name.0));
                    }
                }
                if rows > Rows::None && needs_default(column) {
                    let column = written(column.col_name.0);
                    self.tell(place, What::NotNullWithoutDefault { table, column });
                }
            }
            AlterTableBody::DropColumn(column) => {
                if let Some(columns) = known.and_then(|it| it.columns.as_mut()) {
                    columns.remove(&key(column.0));
                }
                if rows > Rows::None {
                    self.loses(place, Loss::Column { table, column: written(column.0) }, rows);
                }
            }
            AlterTableBody::RenameColumn { old, new } => {
                if let Some(columns) = known.and_then(|it| it.columns.as_mut())
                    && columns.remove(&key(old.0)).is_some()
                {
                    columns.insert(key(new.0), written(new.0));
                }
            }
            _ => {}
        }
    }

    fn insert(
        &mut self,
        place: &Statement,
        name: &QualifiedName<'_>,
        or: Option<ResolveType>,
        body: &InsertBody<'_>,
    ) {
        let into = key(name.name.0);
        if or == Some(ResolveType::Replace) {
            self.others(place, &into, "REPLACE");
        }
        match body {
            InsertBody::Select(select, _) => self.fill(&into, select),
            InsertBody::DefaultValues => self.gets(&into, Rows::New),
        }
    }

    fn gets(&mut self, key: &str, rows: Rows) {
        if let Some(table) = self.schema.tables.get_mut(key) {
            table.rows = table.rows.max(rows);
        }
    }

    /// Puts what a `SELECT` gives into a table.
    fn fill(&mut self, into: &str, select: &Select<'_>) {
        let Some(source) = source_of(select) else {
            return self.gets(into, Rows::New);
        };
        let unknown = self.unknown_rows();
        let rows = self.schema.tables.get(&source.table).map_or(unknown, |it| it.rows);
        self.gets(into, rows);
        if let Some(table) = self.schema.tables.get_mut(into) {
            table.copies.insert(source.table, source.columns);
        }
    }

    fn drop(&mut self, place: &Statement, name: &QualifiedName<'_>, if_exists: bool) {
        let of = key(name.name.0);
        let Some(table) = self.schema.tables.get(&of).cloned() else {
            // One that no file made: it may have rows, where anything was there before.
            let rows = self.unknown_rows();
            if rows > Rows::None && !(if_exists && self.before == Before::Unknown) {
                self.loses(place, Loss::Table { table: written(name.name.0) }, rows);
            }
            return;
        };
        if table.rows > Rows::None && !table.temporary {
            let copied = self.schema.tables.iter().find_map(|(_, it)| it.copies.get(&of));
            match copied {
                None => self.loses(place, Loss::Table { table: table.name.clone() }, table.rows),
                Some(kept) => {
                    let of_old = table.columns.iter().flatten();
                    let gone = of_old
                        .filter(|(key, _)| kept.as_ref().is_some_and(|kept| !kept.contains(*key)));
                    let gone: Vec<String> = gone.map(|(_, name)| name.clone()).collect();
                    for column in gone {
                        let table_name = table.name.clone();
                        self.loses(place, Loss::Column { table: table_name, column }, table.rows);
                    }
                }
            }
            self.others(place, &of, "DROP TABLE");
        }
        self.schema.drop(&of);
    }

    fn empty(&mut self, place: &Statement, name: &QualifiedName<'_>) {
        let of = key(name.name.0);
        let known = self.schema.tables.get(&of);
        let rows = known.map_or(self.unknown_rows(), |it| it.rows);
        let table = known.map_or_else(|| written(name.name.0), |it| it.name.clone());
        let is_kept = self.schema.tables.values().any(|it| it.copies.contains_key(&of));
        if rows > Rows::None && !known.is_some_and(|it| it.temporary) {
            if !is_kept {
                self.loses(place, Loss::Rows { table }, rows);
            }
            self.others(place, &of, "DELETE");
        }
        if let Some(table) = self.schema.tables.get_mut(&of) {
            table.rows = Rows::None;
        }
    }

    /// Tells of the rows of other tables that go with those of this one.
    fn others(&mut self, place: &Statement, of: &str, by: &'static str) {
        let Some(table) = self.schema.tables.get(of).filter(|it| it.rows > Rows::None) else {
            return;
        };
        let follows = self.schema.follows(of);
        let named = |key: &String| self.schema.tables.get(key).map(|it| (it.name.clone(), it.rows));
        let rows = follows.keys().filter_map(named).map(|(_, rows)| rows).max();
        let Some(rows) = rows.map(|rows| rows.min(table.rows)) else { return };
        let others =
            follows.iter().filter_map(|(key, fate)| Some((named(key)?.0, *fate))).collect();
        let loss = Loss::Others { table: table.name.clone(), by, others, pragma: self.pragma };
        self.loses(place, loss, rows);
    }

    fn pragma(
        &mut self,
        place: &Statement,
        name: &QualifiedName<'_>,
        body: Option<&PragmaBody<'_>>,
    ) {
        let (Some(PragmaBody::Equals(value) | PragmaBody::Call(value)), pragma) =
            (body, key(name.name.0))
        else {
            return;
        };
        match (pragma.as_str(), is_on(value)) {
            ("foreign_keys", Some(false)) => self.pragma = Some(place.line),
            ("legacy_alter_table", Some(on)) => self.legacy = on,
            _ => {}
        }
    }

    /// What may be in a table that no file made.
    fn unknown_rows(&self) -> Rows {
        if self.before == Before::Nothing { Rows::None } else { Rows::Old }
    }
}

/// A name without its quotes.
fn written(name: &str) -> String {
    let inside = |quote: char, last: char| {
        let inner = name.strip_prefix(quote)?.strip_suffix(last)?;
        let twice = format!("{last}{last}");
        Some(if quote == '[' { inner.to_owned() } else { inner.replace(&twice, &last.to_string()) })
    };
    let quotes = [('"', '"'), ('`', '`'), ('\'', '\''), ('[', ']')];
    let found = quotes.into_iter().find_map(|(quote, last)| inside(quote, last));
    found.unwrap_or_else(|| name.to_owned())
}

/// A name as SQLite compares it.
fn key(name: &str) -> String {
    written(name).to_ascii_lowercase()
}

fn references_of(column: &ColumnDefinition<'_>) -> Vec<Reference> {
    let constraints = column.constraints.iter().map(|it| &it.constraint);
    let clauses = constraints.filter_map(|it| match it {
        ColumnConstraint::ForeignKey { clause, .. } => Some(reference(clause)),
        _ => None,
    });
    clauses.collect()
}

fn reference_of(constraint: &NamedTableConstraint<'_>) -> Option<Reference> {
    match &constraint.constraint {
        TableConstraint::ForeignKey { clause, .. } => Some(reference(clause)),
        _ => None,
    }
}

fn reference(clause: &ForeignKeyClause<'_>) -> Reference {
    let mut fates = clause.args.iter().filter_map(|arg| match arg {
        RefArg::OnDelete(act) => Some(match act {
            RefAct::Cascade => Some(Fate::Deleted),
            RefAct::SetNull => Some(Fate::Nulled),
            RefAct::SetDefault => Some(Fate::Defaulted),
            RefAct::Restrict | RefAct::NoAction => None,
        }),
        _ => None,
    });
    // Of several the last one counts.
    Reference { parent: key(clause.tbl_name.0), fate: fates.next_back().flatten() }
}

/// True for a column that every row needs a value of, and that has none for those that are there.
fn needs_default(column: &ColumnDefinition<'_>) -> bool {
    let all = || column.constraints.iter().map(|it| &it.constraint);
    let not_null = all().any(|it| matches!(it, ColumnConstraint::NotNull { nullable: false, .. }));
    let default = all().any(|it| match it {
        ColumnConstraint::Default(value) => !matches!(value, Expr::Literal(Literal::Null)),
        ColumnConstraint::Generated { .. } => true,
        _ => false,
    });
    not_null && !default
}

/// The one table all of whose rows a `SELECT` gives, with the columns that it gives of them.
fn source_of(select: &Select<'_>) -> Option<Source> {
    let whole = select.with.is_none() && select.limit.is_none() && select.body.compounds.is_none();
    let OneSelect::Select {
        distinctness: None,
        columns,
        from: Some(from),
        where_clause: None,
        group_by: None,
        having: None,
        ..
    } = &select.body.select
    else {
        return None;
    };
    let Some(SelectTable::Table(table, ..)) = from.select.filter(|_| from.joins.is_none() && whole)
    else {
        return None;
    };
    let mut of_it = Some(BTreeSet::new());
    for column in *columns {
        let name = match column {
            ResultColumn::Expr(Expr::Id(id), _) => Some(key(id.0)),
            ResultColumn::Expr(Expr::Name(name) | Expr::Qualified(_, name), _) => Some(key(name.0)),
            ResultColumn::Expr(Expr::Literal(_), _) => continue,
            // All of them, or whatever it is made of.
            ResultColumn::Star | ResultColumn::TableStar(_) | ResultColumn::Expr(..) => None,
        };
        match (name, &mut of_it) {
            (Some(name), Some(all)) => drop(all.insert(name)),
            (None, _) => of_it = None,
            (Some(_), None) => {}
        }
    }
    Some(Source { table: key(table.name.0), columns: of_it })
}

/// True for `1`, `true`, `1=1` and the like.
fn is_always_true(condition: &Expr<'_>) -> bool {
    match condition {
        Expr::Literal(Literal::Numeric(text)) => text.parse::<f64>().is_ok_and(|it| it != 0.0),
        Expr::Literal(Literal::Keyword(word)) => word.eq_ignore_ascii_case("true"),
        Expr::Id(id) => id.0.eq_ignore_ascii_case("true"),
        Expr::Name(name) => name.0.eq_ignore_ascii_case("true"),
        Expr::Parenthesized(inner) => matches!(inner.as_slice(), [one] if is_always_true(one)),
        Expr::Binary(
            Expr::Literal(left),
            sqlite3_parser::ast::Operator::Equals,
            Expr::Literal(right),
        ) => left == right && *left != Literal::Null,
        _ => false,
    }
}

/// How SQLite reads the value of a pragma that is on or off.
fn is_on(value: &Expr<'_>) -> Option<bool> {
    let word = match value {
        Expr::Literal(Literal::Numeric(text)) => return Some(text.parse::<i64>() != Ok(0)),
        Expr::Literal(Literal::Keyword(word) | Literal::String(word)) => key(word),
        Expr::Id(id) => key(id.0),
        Expr::Name(name) => key(name.0),
        _ => return None,
    };
    match word.as_str() {
        "on" | "yes" | "true" | "1" => Some(true),
        "off" | "no" | "false" | "0" => Some(false),
        _ => None,
    }
}
