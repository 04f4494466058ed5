//! All users of the instance, in the order in which they were created.
//!
//! SavedState by `instance`, which alone changes it; [`list`] reads it. Knows what must be unique.

pub(super) mod filter;
pub(super) mod list;

use super::error::ApiError;
use super::user::User;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// How many issued ids are remembered, those of deleted users too.
const MOST_ISSUED: usize = 1_000_000;

/// Where a user stands: by its time of creation, then in the order of arrival.
type Position = (i64, u64);

/// The users.
#[derive(Debug, Default)]
pub(super) struct Directory {
    by_creation: BTreeMap<Position, Arc<User>>,
    places: HashMap<String, Position>,
    identifiers: HashMap<Identifier, String>,
    issued: VecDeque<String>,
    arrivals: u64,
}

/// What no two users may share: the parameter's name, and the value.
type Identifier = (&'static str, String);

impl Directory {
    /// Adds a user, or says which of its identifiers is taken.
    pub(super) fn insert(&mut self, user: User) -> Result<Arc<User>, ApiError> {
        self.check_identifiers(&user)?;
        self.issued.push_back(user.id.clone());
        if self.issued.len() > MOST_ISSUED {
            self.issued.pop_front();
        }
        self.arrivals += 1;
        let place = (user.created_at, self.arrivals);
        Ok(self.put(place, user))
    }

    /// Puts a changed user into the place of the old one, likewise.
    pub(super) fn replace(&mut self, user: User) -> Result<Arc<User>, ApiError> {
        self.check_identifiers(&user)?;
        let Some((_, arrival)) = self.take(&user.id).map(|(place, _)| place) else {
            return Err(ApiError::no_user(&user.id));
        };
        let place = (user.created_at, arrival);
        Ok(self.put(place, user))
    }

    /// Removes a user.
    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<User>> {
        self.take(id).map(|(_, user)| user)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<User>> {
        self.by_creation.get(self.places.get(id)?)
    }

    /// Every user, oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<User>> {
        self.by_creation.values()
    }

    /// The users behind the one of the given id, on the side of the newer or of the older.
    fn behind(&self, id: &str, newer: bool) -> Box<dyn Iterator<Item = &Arc<User>> + '_> {
        use std::ops::Bound::{Excluded, Unbounded};
        let Some(place) = self.places.get(id).copied() else {
            return Box::new(std::iter::empty());
        };
        if newer {
            Box::new(self.by_creation.range((Excluded(place), Unbounded)).map(|(_, user)| user))
        } else {
            Box::new(self.by_creation.range(..place).rev().map(|(_, user)| user))
        }
    }

    /// Every id that was issued, those of deleted users too.
    pub(super) fn issued(&self) -> impl Iterator<Item = &String> {
        self.issued.iter()
    }

    /// Takes over what an earlier run kept.
    pub(super) fn restore(&mut self, users: Vec<User>, issued: Vec<String>) {
        for user in users {
            self.arrivals += 1;
            let place = (user.created_at, self.arrivals);
            self.put(place, user);
        }
        self.issued = issued.into();
    }

    fn put(&mut self, place: Position, user: User) -> Arc<User> {
        let user = Arc::new(user);
        for identifier in identifiers(&user) {
            self.identifiers.insert(identifier, user.id.clone());
        }
        self.places.insert(user.id.clone(), place);
        self.by_creation.insert(place, Arc::clone(&user));
        user
    }

    fn take(&mut self, id: &str) -> Option<(Position, Arc<User>)> {
        let place = self.places.remove(id)?;
        let user = self.by_creation.remove(&place)?;
        for identifier in identifiers(&user) {
            self.identifiers.remove(&identifier);
        }
        Some((place, user))
    }

    fn check_identifiers(&self, user: &User) -> Result<(), ApiError> {
        let mut own = HashSet::new();
        for identifier in identifiers(user) {
            let other = self.identifiers.get(&identifier).is_some_and(|owner| *owner != user.id);
            let name = identifier.0;
            if other || !own.insert(identifier) {
                return Err(ApiError::taken(name));
            }
        }
        Ok(())
    }
}

fn identifiers(user: &User) -> Vec<Identifier> {
    let emails = user.email_addresses.iter();
    let emails = emails.map(|email| ("email_address", email.email_address.to_lowercase()));
    let phones = user.phone_numbers.iter();
    let phones = phones.map(|phone| ("phone_number", phone.phone_number.clone()));
    let username = user.username.iter().map(|name| ("username", name.to_lowercase()));
    let external = user.external_id.iter().map(|id| ("external_id", id.clone()));
    emails.chain(phones).chain(username).chain(external).collect()
}
