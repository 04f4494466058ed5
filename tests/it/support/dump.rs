//! Everything that a database holds, as text.

use super::{Engine, TestDatabase};
use std::fmt::Write as _;

impl TestDatabase {
    /// The names of our tables.
    pub fn tables(&self) -> Vec<String> {
        let names = self.query(match self.engine {
            Engine::Postgres => {
                "SELECT table_name::text AS value FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' \
                 AND table_name NOT LIKE '\\_\\_%' ORDER BY 1"
            }
            Engine::Sqlite => {
                "SELECT name AS value FROM sqlite_schema WHERE type = 'table' \
                 AND name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY 1"
            }
        });
        names.into_iter().flatten().collect()
    }

    /// Every value of every row of every table; bytes are shown as the text that they spell.
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for table in self.tables() {
            for column in self.text_columns(&table) {
                let values = self.query(&format!("SELECT {column} AS value FROM {table}"));
                for value in values.into_iter().flatten() {
                    writeln!(text, "{table}: {value}").unwrap();
                }
            }
        }
        text
    }

    /// The columns of a table, each as an expression of type text.
    fn text_columns(&self, table: &str) -> Vec<String> {
        let columns = self.query(&match self.engine {
            Engine::Postgres => format!(
                "SELECT CASE data_type WHEN 'bytea' THEN 'encode(' || column_name || ', ''escape'')' \
                 ELSE 'CAST(' || quote_ident(column_name) || ' AS text)' END AS value \
                 FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            ),
            Engine::Sqlite => format!(
                "SELECT CASE WHEN name LIKE '%digest' THEN 'hex(' || name || ')' \
                 ELSE 'CAST(\"' || name || '\" AS TEXT)' END AS value FROM pragma_table_info('{table}')"
            ),
        });
        columns.into_iter().flatten().collect()
    }
}
