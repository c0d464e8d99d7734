//! The SQL that makes a model's table, in each layout.
//!
//! The layouts differ in one thing: in the shared one every key leads with
//! `tenant_id`, so that no unique error and no foreign-key check can tell of
//! another tenant's rows. Constraint names are the same in both, so one query
//! serves both.

use super::{Audience, ColumnDef, ModelDef, ReferenceDef, counted};
use crate::isolation::rls;
use crate::tenant::SchemaName;

/// What the application's and the system role may do with a tenant's table. Neither `TRUNCATE`
/// nor `REFERENCES`: row-level security does not apply to them
/// ([Row Security Policies]).
///
/// [Row Security Policies]: https://www.postgresql.org/docs/current/ddl-rowsecurity.html
pub const PRIVILEGES_TENANT: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];

/// What the two roles may do with a tenant's table whose rows stay as they are,
/// beside adding rows: that is granted for each column that has no default.
pub const PRIVILEGES_APPEND_ONLY: &[&str] = &["SELECT"];

/// What the two roles may do with a table that all tenants read.
pub const PRIVILEGES_SHARED: &[&str] = &["SELECT"];

/// The table that lists the tenants whose rows lie in the shared tables. Each of
/// those refers to it: once a tenant is taken off it, PostgreSQL refuses every
/// row that somebody still tries to write for that tenant.
pub const ROLL: &str = "tenancy_tenants";

/// The name of the foreign key to the [`ROLL`], the same on every table.
pub const ROLL_KEY: &str = "tenancy_tenants_fkey";

/// The statement that makes the [`ROLL`] in the shared schema. The application
/// role gets no rights on it; PostgreSQL checks the keys as its owner.
#[must_use]
pub fn create_roll(shared: &SchemaName) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {0}.{ROLL} ({1} uuid PRIMARY KEY); \
         REVOKE ALL ON {0}.{ROLL} FROM PUBLIC",
        shared.quoted(),
        rls::COLUMN
    )
}

/// Where a tenant's tables are made, and in which form.
#[derive(Debug, Clone, Copy)]
pub enum Layout<'a> {
    /// One set of tables for all tenants, in the shared schema.
    Shared(&'a SchemaName),
    /// A schema of the tenant's own, beside the shared one.
    Dedicated {
        /// The tenant's schema.
        own: &'a SchemaName,
        /// The schema of the tables that all tenants read.
        shared: &'a SchemaName,
    },
}

impl Layout<'_> {
    /// The schema in which `model`'s table lies.
    #[must_use]
    pub fn schema_of(&self, model: &ModelDef) -> &SchemaName {
        match (self, model.audience) {
            (Self::Dedicated { own, .. }, Audience::Tenant) => own,
            (Self::Dedicated { shared, .. }, Audience::Shared) => shared,
            (Self::Shared(shared), _) => shared,
        }
    }

    /// Whether `model`'s keys lead with `tenant_id` here.
    #[must_use]
    pub fn has_tenant_id(&self, model: &ModelDef) -> bool {
        matches!(self, Self::Shared(_)) && model.audience == Audience::Tenant
    }

    fn table(&self, model: &ModelDef) -> String {
        format!("{}.{}", self.schema_of(model).quoted(), quoted(model.table))
    }

    /// The columns of a key of `model`'s, as they are here.
    pub(crate) fn key_columns<'c>(&self, model: &ModelDef, columns: &[&'c str]) -> Vec<&'c str> {
        let lead = self.has_tenant_id(model).then_some(rls::COLUMN);
        lead.into_iter().chain(columns.iter().copied()).collect()
    }

    fn key(&self, model: &ModelDef, columns: &[&str]) -> String {
        let columns = self.key_columns(model, columns).into_iter().map(quoted);
        columns.collect::<Vec<_>>().join(", ")
    }
}

impl ModelDef {
    /// The name of the primary key, the same in every layout.
    #[must_use]
    pub fn primary_key_name(&self) -> String {
        format!("{}_pkey", self.table)
    }

    /// What the application's and the system role may do with the whole table.
    #[must_use]
    pub fn privileges(&self) -> &'static [&'static str] {
        match self.audience {
            Audience::Tenant if self.append_only => PRIVILEGES_APPEND_ONLY,
            Audience::Tenant if !self.read_only => PRIVILEGES_TENANT,
            Audience::Tenant | Audience::Shared => PRIVILEGES_SHARED,
        }
    }

    /// The columns that the two roles write when they add a row that stays as it is;
    /// empty where rows may be changed, and every column may be written. Those with a
    /// default are PostgreSQL's to fill in: nobody can date an entry back.
    pub(crate) fn written(&self) -> Vec<&'static str> {
        let columns = self.columns.iter();
        let written = columns.filter(|column| self.append_only && column.default.is_none());
        written.map(|column| column.name).collect()
    }

    /// The statements that make the table with its indexes, row-level security
    /// and grants to `roles`; not its foreign keys, which need all tables.
    #[must_use]
    pub fn create(&self, layout: Layout<'_>, roles: &[&str]) -> Vec<String> {
        let table = layout.table(self);
        let mut statements = vec![
            self.create_table(layout),
            format!("REVOKE ALL ON {table} FROM PUBLIC"),
        ];
        statements.extend(roles.iter().map(|role| self.grant(layout, role)));
        let indexes = self.indexes(layout);
        statements.extend(indexes.map(|index| format!("CREATE INDEX {index}")));
        if layout.has_tenant_id(self) {
            statements.extend(self.row_level_security(layout));
        }
        let quota = self.quota.iter();
        statements.extend(quota.flat_map(|quota| counted::count(self, *quota, layout)));
        statements
    }

    /// The statement that grants `role` what it may do with the table.
    #[must_use]
    pub fn grant(&self, layout: Layout<'_>, role: &str) -> String {
        let written: Vec<_> = self.written().into_iter().map(quoted).collect();
        let insert = (!written.is_empty()).then(|| format!("INSERT ({})", written.join(", ")));
        let privileges = self.privileges().iter().map(ToString::to_string);
        format!(
            "GRANT {} ON {} TO {}",
            privileges.chain(insert).collect::<Vec<_>>().join(", "),
            layout.table(self),
            quoted(role)
        )
    }

    /// The statements that make an append-only table, one that an older version has
    /// made, what it would be if it were made now: its defaults, its indexes, and the
    /// columns that `roles` write.
    pub(crate) fn refill(&self, layout: Layout<'_>, roles: &[&str]) -> Vec<String> {
        let table = layout.table(self);
        let filled = self.columns.iter().filter_map(|column| {
            let (column, default) = (quoted(column.name), column.default?);
            Some(format!(
                "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {default}"
            ))
        });
        let all = roles.iter().map(|role| quoted(role));
        let all = all.collect::<Vec<_>>().join(", ");
        // That of the table takes those of its columns along.
        let revoke = format!("REVOKE INSERT ON {table} FROM {all}, PUBLIC");
        let grants = roles.iter().map(|role| self.grant(layout, role));
        let indexes = self.indexes(layout);
        let indexes = indexes.map(|index| format!("CREATE INDEX IF NOT EXISTS {index}"));
        let privileges = [revoke].into_iter().chain(grants);
        filled.chain(privileges).chain(indexes).collect()
    }

    /// What follows `CREATE INDEX` for each of the indexes.
    fn indexes(&self, layout: Layout<'_>) -> impl Iterator<Item = String> {
        let table = layout.table(self);
        let indexes = self.indexes.iter();
        indexes.map(move |index| {
            let columns = layout.key(self, index.columns);
            format!("{} ON {table} ({columns})", quoted(index.name))
        })
    }

    fn create_table(&self, layout: Layout<'_>) -> String {
        let tenant_id = layout.has_tenant_id(self).then(|| {
            format!(
                "{} uuid NOT NULL DEFAULT {} CONSTRAINT {ROLL_KEY} REFERENCES {}.{ROLL}",
                quoted(rls::COLUMN),
                rls::current_tenant(),
                layout.schema_of(self).quoted(),
            )
        });
        let primary_key = format!(
            "CONSTRAINT {} PRIMARY KEY ({})",
            quoted(&self.primary_key_name()),
            layout.key(self, self.primary_key)
        );
        let uniques = self.uniques.iter().map(|unique| {
            let columns = layout.key(self, unique.columns);
            format!("CONSTRAINT {} UNIQUE ({columns})", quoted(unique.name))
        });
        let parts: Vec<String> = tenant_id
            .into_iter()
            .chain(self.columns.iter().map(ColumnDef::sql))
            .chain([primary_key])
            .chain(uniques)
            .collect();
        format!(
            "CREATE TABLE {} (\n    {}\n)",
            layout.table(self),
            parts.join(",\n    ")
        )
    }

    /// The statements that put the table under row-level security.
    #[must_use]
    pub fn row_level_security(&self, layout: Layout<'_>) -> Vec<String> {
        let table = layout.table(self);
        let mut statements = vec![
            format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
            format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"),
        ];
        statements.extend(rls::policies(&table).map(|policy| policy.create));
        statements
    }

    /// The statements that add the foreign keys; every table exists by then.
    #[must_use]
    pub fn foreign_keys(&self, layout: Layout<'_>) -> Vec<String> {
        self.references
            .iter()
            .map(|reference| self.foreign_key(reference, layout))
            .collect()
    }

    fn foreign_key(&self, reference: &ReferenceDef, layout: Layout<'_>) -> String {
        let target = (reference.target)();
        // A row of a tenant may point at a table that all tenants read; that
        // one has no tenant_id to lead with, and nothing to give away.
        let lead = layout.has_tenant_id(self) && layout.has_tenant_id(target);
        let columns = |column: &str| {
            let lead = lead.then_some(rls::COLUMN);
            lead.into_iter()
                .chain([column])
                .map(quoted)
                .collect::<Vec<_>>()
                .join(", ")
        };
        format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
            layout.table(self),
            quoted(reference.name),
            columns(reference.column),
            layout.table(target),
            columns(target.primary_key[0]),
        )
    }
}

impl ColumnDef {
    fn sql(&self) -> String {
        let mut sql = format!("{} {}", quoted(self.name), self.sql_type);
        if !self.nullable {
            sql.push_str(" NOT NULL");
        }
        if self.identity {
            sql.push_str(" GENERATED BY DEFAULT AS IDENTITY");
        }
        if let Some(default) = self.default {
            sql.push_str(" DEFAULT ");
            sql.push_str(default);
        }
        sql
    }
}

/// A quoted identifier ([Lexical Structure]): a quote inside is doubled.
///
/// [Lexical Structure]: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::super::KeyDef;
    use super::*;

    static USERS: ModelDef = ModelDef {
        name: "User",
        table: "users",
        audience: Audience::Tenant,
        migrated: false,
        append_only: false,
        read_only: false,
        quota: None,
        columns: &[ColumnDef {
            identity: true,
            ..ColumnDef::new("id", "bigint")
        }],
        primary_key: &["id"],
        uniques: &[],
        indexes: &[],
        references: &[],
    };

    static TODOS: ModelDef = ModelDef {
        name: "Todo",
        table: "todos",
        audience: Audience::Tenant,
        migrated: false,
        append_only: false,
        read_only: false,
        quota: None,
        columns: &[
            ColumnDef {
                default: Some("gen_random_uuid()"),
                ..ColumnDef::new("id", "uuid")
            },
            ColumnDef::new("title", "text"),
            ColumnDef {
                nullable: true,
                ..ColumnDef::new("user_id", "bigint")
            },
        ],
        primary_key: &["id"],
        uniques: &[KeyDef {
            name: "todos_title_key",
            columns: &["title"],
        }],
        indexes: &[KeyDef {
            name: "todos_user_id_idx",
            columns: &["user_id"],
        }],
        references: &[ReferenceDef {
            name: "todos_user_id_fkey",
            column: "user_id",
            target: || &USERS,
        }],
    };

    #[test]
    fn every_key_of_the_shared_layout_leads_with_tenant_id() {
        let shared: SchemaName = "shared".parse().unwrap();
        let layout = Layout::Shared(&shared);
        let sql = [TODOS.create(layout, &["app"]), TODOS.foreign_keys(layout)]
            .concat()
            .join(";\n");
        for expected in [
            "PRIMARY KEY (\"tenant_id\", \"id\")",
            "UNIQUE (\"tenant_id\", \"title\")",
            "CREATE INDEX \"todos_user_id_idx\" ON \"shared\".\"todos\" (\"tenant_id\", \"user_id\")",
            "FOREIGN KEY (\"tenant_id\", \"user_id\") REFERENCES \"shared\".\"users\" (\"tenant_id\", \"id\")",
            "FORCE ROW LEVEL SECURITY",
            "AS RESTRICTIVE",
            "REFERENCES \"shared\".tenancy_tenants",
        ] {
            assert!(sql.contains(expected), "{expected} is missing in:\n{sql}");
        }
    }

    #[test]
    fn a_dedicated_layout_has_plain_keys_under_the_same_names() {
        let own: SchemaName = "t_1".parse().unwrap();
        let shared: SchemaName = "shared".parse().unwrap();
        let layout = Layout::Dedicated {
            own: &own,
            shared: &shared,
        };
        let sql = [TODOS.create(layout, &["app"]), TODOS.foreign_keys(layout)]
            .concat()
            .join(";\n");
        assert!(!sql.contains("tenant_id"), "{sql}");
        assert!(
            sql.contains("CONSTRAINT \"todos_title_key\" UNIQUE (\"title\")"),
            "{sql}"
        );
        assert!(
            sql.contains("REFERENCES \"t_1\".\"users\" (\"id\")"),
            "{sql}"
        );
    }
}
