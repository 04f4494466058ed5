//! What holds for every row, whoever writes it.

use uuid::Uuid;

/// What holds for every row that this service writes.
#[derive(Clone, Copy, Debug)]
pub struct RowDefaults {
    /// The provider's name.
    pub source: &'static str,
    /// Ids of new rows.
    pub user_ids: UserIds,
    /// Whether to note whom the provider may have to be told about.
    pub write_back: bool,
}

/// Which ids new rows get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserIds {
    /// UUID version 7: in the order of their making, so that they are cheap to index.
    Uuid,
    /// The provider's id.
    External,
}

impl RowDefaults {
    /// The id of the row of this user, should it be new.
    pub fn new_id(self, external_id: &str) -> String {
        match self.user_ids {
            UserIds::Uuid => Uuid::now_v7().to_string(),
            UserIds::External => external_id.to_owned(),
        }
    }
}
