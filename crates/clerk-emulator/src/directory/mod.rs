//! All users of the instance, in the order of their creation.
//!
//! Changed by `instance` alone; [`list`] reads pages. Enforces which identifiers must be unique.
//! Users whom the instance started with are computed ([`GeneratedUsers`]) until they change.

mod entries;
pub(crate) mod filter;
pub(crate) mod list;

pub(crate) use entries::Entry;

use crate::error::ApiError;
use crate::generator::GeneratedUsers;
use crate::user::User;
use entries::Entries;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// How many issued ids are remembered, those of deleted users too.
const MOST_ISSUED: usize = 1_000_000;

/// Creation time in milliseconds, then the order of arrival. A generated user arrived as its number.
pub(crate) type Position = (i64, u64);

/// What no two users may share: the name of the parameter and its value.
pub(crate) type Identifier = (&'static str, String);

#[derive(Debug, Default)]
pub(crate) struct Directory {
    generated: Arc<GeneratedUsers>,
    generated_count: u64,
    /// Generated users that were changed or deleted: they are in `stored` or gone.
    superseded: HashSet<u64>,
    stored: BTreeMap<Position, Arc<User>>,
    positions: HashMap<String, Position>,
    identifiers: HashMap<Identifier, String>,
    issued: VecDeque<String>,
    arrivals: u64,
}

impl Directory {
    pub(crate) fn of_generated(generated: GeneratedUsers, count: u64) -> Self {
        let generated = Arc::new(generated);
        Self { generated, generated_count: count, arrivals: count, ..Self::default() }
    }

    /// The users and issued ids of an earlier run.
    pub(crate) fn restored(users: Vec<User>, issued: Vec<String>) -> Self {
        let mut directory = Self { issued: issued.into(), ..Self::default() };
        for user in users {
            directory.arrivals += 1;
            let position = (user.created_at, directory.arrivals);
            directory.put(position, user);
        }
        directory
    }

    /// Adds a user, or refuses one whose identifier is taken.
    pub(crate) fn insert(&mut self, user: User) -> Result<Arc<User>, ApiError> {
        self.check_identifiers(&user)?;
        self.issued.push_back(user.id.clone());
        if self.issued.len() > MOST_ISSUED {
            self.issued.pop_front();
        }
        self.arrivals += 1;
        let position = (user.created_at, self.arrivals);
        Ok(self.put(position, user))
    }

    /// Replaces a user, or refuses one whose identifier is taken.
    pub(crate) fn replace(&mut self, user: User) -> Result<Arc<User>, ApiError> {
        self.check_identifiers(&user)?;
        let Some(((_, arrival), _)) = self.take(&user.id) else {
            return Err(ApiError::no_user(&user.id));
        };
        let position = (user.created_at, arrival);
        Ok(self.put(position, user))
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Arc<User>> {
        self.take(id).map(|(_, user)| user)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<User>> {
        self.user(&self.entry(self.position(id)?)?)
    }

    /// Every user, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<User>> + '_ {
        let entries = self.entries((i64::MIN, 0)..(i64::MAX, u64::MAX), false);
        entries.filter_map(|entry| self.user(&entry))
    }

    /// The users in a range of positions, oldest or newest first.
    pub(crate) fn entries(&self, range: Range<Position>, newest_first: bool) -> Entries<'_> {
        Entries::new(self, range, newest_first)
    }

    pub(crate) fn user(&self, entry: &Entry) -> Option<Arc<User>> {
        match entry {
            Entry::Generated(number) => self.generated.user(*number).map(Arc::new),
            Entry::Stored(_, user) => Some(Arc::clone(user)),
        }
    }

    pub(crate) fn generated(&self) -> Arc<GeneratedUsers> {
        Arc::clone(&self.generated)
    }

    pub(crate) fn position(&self, id: &str) -> Option<Position> {
        let number = || self.live_number(self.generated.number_of(id)?);
        let generated = || number().map(|number| (self.generated.created_at(number), number));
        self.positions.get(id).copied().or_else(generated)
    }

    pub(crate) fn entry(&self, position: Position) -> Option<Entry> {
        let stored =
            self.stored.get(&position).map(|user| Entry::Stored(position, Arc::clone(user)));
        stored.or_else(|| self.live_number(position.1).map(Entry::Generated))
    }

    /// The id of the user who has an identifier.
    pub(crate) fn owner(&self, identifier: &Identifier) -> Option<String> {
        let generated = || {
            let number = self.live_number(GeneratedUsers::number_in(&identifier.1)?)?;
            let user = self.generated.user(number)?;
            identifiers(&user).contains(identifier).then_some(user.id)
        };
        self.identifiers.get(identifier).cloned().or_else(generated)
    }

    /// Every id that was issued, those of deleted users too, oldest first.
    pub(crate) fn issued(&self) -> impl Iterator<Item = String> + '_ {
        let generated = (0..self.generated_count).map(|number| self.generated.id(number));
        generated.chain(self.issued.iter().cloned())
    }

    /// The number, if it is one of a generated user that was neither changed nor deleted.
    fn live_number(&self, number: u64) -> Option<u64> {
        Some(number).filter(|_| number < self.generated_count && !self.superseded.contains(&number))
    }

    fn put(&mut self, position: Position, user: User) -> Arc<User> {
        let user = Arc::new(user);
        for identifier in identifiers(&user) {
            self.identifiers.insert(identifier, user.id.clone());
        }
        self.positions.insert(user.id.clone(), position);
        self.stored.insert(position, Arc::clone(&user));
        user
    }

    fn take(&mut self, id: &str) -> Option<(Position, Arc<User>)> {
        let position = self.position(id)?;
        let user = self.user(&self.entry(position)?)?;
        if self.positions.remove(id).is_none() {
            self.superseded.insert(position.1);
            return Some((position, user));
        }
        self.stored.remove(&position);
        for identifier in identifiers(&user) {
            self.identifiers.remove(&identifier);
        }
        Some((position, user))
    }

    fn check_identifiers(&self, user: &User) -> Result<(), ApiError> {
        let mut own = HashSet::new();
        for identifier in identifiers(user) {
            let taken = self.owner(&identifier).is_some_and(|owner| owner != user.id);
            let name = identifier.0;
            if taken || !own.insert(identifier) {
                return Err(ApiError::identifier_exists(name));
            }
        }
        Ok(())
    }
}

pub(crate) fn identifiers(user: &User) -> Vec<Identifier> {
    let emails = user.email_addresses.iter();
    let emails = emails.map(|email| ("email_address", email.email_address.to_lowercase()));
    let phones = user.phone_numbers.iter();
    let phones = phones.map(|phone| ("phone_number", phone.phone_number.clone()));
    let username = user.username.iter().map(|name| ("username", name.to_lowercase()));
    let external = user.external_id.iter().map(|id| ("external_id", id.clone()));
    emails.chain(phones).chain(username).chain(external).collect()
}
