//! What is the same for every row that the service writes. Made by configuration; called by
//! `ingest`, `sync` and the import.

use uuid::Uuid;

#[derive(Clone, Copy, Debug)]
pub struct RowDefaults {
    pub source: &'static str,
    pub user_ids: UserIds,
    /// Whether writes enqueue write-backs.
    pub write_back: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserIds {
    /// UUID version 7: in the order of their making, so that they are cheap to index.
    Uuid,
    External,
}

impl RowDefaults {
    /// The id of a new row of this user.
    pub fn new_id(self, external_id: &str) -> String {
        match self.user_ids {
            UserIds::Uuid => Uuid::now_v7().to_string(),
            UserIds::External => external_id.to_owned(),
        }
    }
}
