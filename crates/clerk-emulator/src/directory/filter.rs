//! The filters of the user list. Called by `list`; pure.

use super::Position;
use crate::error::ApiError;
use crate::user::User;
use std::collections::BTreeMap;
use std::ops::Range;

/// How many values of one kind a query may hold.
const MOST_VALUES: usize = 100;

/// Filters of the provider that are not implemented; they are refused, not ignored.
const NOT_OFFERED: [&str; 5] =
    ["organization_id", "web3_wallet", "provider", "provider_user_id", "last_active_at_since"];

#[derive(Debug)]
pub(crate) struct Filter {
    /// By creation, which needs no user object.
    pub created: Range<Position>,
    identifiers: BTreeMap<&'static str, IdentifierFilter>,
    partial: Vec<(Search, String)>,
    banned: Option<bool>,
    times: Vec<(TimeOf, Bound, i64)>,
}

/// The values of one repeated key: a user has one of `wanted` and none of `unwanted`.
#[derive(Debug)]
struct IdentifierFilter {
    values_of: Search,
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

type Search = fn(&User) -> Vec<&str>;

/// Filters by whole values.
const IDENTIFIERS: [(&str, Search); 5] = [
    ("user_id", |user| vec![&user.id]),
    ("external_id", |user| user.external_id.as_deref().into_iter().collect()),
    ("email_address", emails),
    ("phone_number", phones),
    ("username", usernames),
];

/// Filters by parts of values.
const SEARCHES: [(&str, Search); 5] = [
    ("query", everything),
    ("email_address_query", emails),
    ("phone_number_query", phones),
    ("username_query", usernames),
    ("name_query", names),
];

type TimeOf = fn(&User) -> Option<i64>;

#[derive(Clone, Copy, Debug)]
enum Bound {
    Before,
    After,
}

impl Default for Filter {
    fn default() -> Self {
        let created = (i64::MIN, 0)..(i64::MAX, u64::MAX);
        Self { created, identifiers: BTreeMap::new(), partial: vec![], banned: None, times: vec![] }
    }
}

impl Filter {
    /// Whether every user matches whose creation does.
    pub(crate) fn is_empty(&self) -> bool {
        self.identifiers.is_empty()
            && self.partial.is_empty()
            && self.banned.is_none()
            && self.times.is_empty()
    }

    /// The only ids that can match, if the query names some.
    pub(crate) fn wanted_ids(&self) -> Option<&[String]> {
        let ids = self.identifiers.get("user_id")?;
        (!ids.wanted.is_empty()).then_some(&ids.wanted)
    }

    /// Reads one pair of the query. Ignores keys that are no filter.
    pub(crate) fn read(&mut self, key: &str, value: &str) -> Result<(), ApiError> {
        if NOT_OFFERED.contains(&key) {
            return Err(ApiError::unknown(key));
        }
        if let Some((key, values_of)) = IDENTIFIERS.into_iter().find(|(known, _)| *known == key) {
            return self.add_identifier(key, values_of, value);
        }
        if let Some((_, search)) = SEARCHES.into_iter().find(|(known, _)| *known == key) {
            self.partial.push((search, value.to_lowercase()));
        } else if let Some((name, bound)) = bound(key) {
            let wrong = |_| ApiError::invalid(key, "must be a Unix timestamp in milliseconds.");
            self.add_time(name, bound, value.parse().map_err(wrong)?);
        } else if key == "banned" {
            let wrong = |_| ApiError::invalid(key, "must be a boolean.");
            self.banned = Some(value.parse().map_err(wrong)?);
        }
        Ok(())
    }

    pub(crate) fn matches(&self, user: &User) -> bool {
        self.identifiers.values().all(|identifiers| identifiers.matches(user))
            && self.banned.is_none_or(|banned| banned == user.banned)
            && self.times.iter().all(|(time, side, bound)| match (time(user), side) {
                (None, _) => false,
                (Some(time), Bound::Before) => time < *bound,
                (Some(time), Bound::After) => time > *bound,
            })
            && self.partial.iter().all(|(search, part)| {
                search(user).iter().any(|text| text.to_lowercase().contains(part))
            })
    }

    fn add_time(&mut self, name: &str, bound: Bound, time: i64) {
        let Range { start, end } = &mut self.created;
        match (name, bound) {
            ("created_at", Bound::After) => *start = (time.saturating_add(1), 0).max(*start),
            ("created_at", Bound::Before) => *end = (time, 0).min(*end),
            ("last_active_at", bound) => self.times.push((|user| user.last_active_at, bound, time)),
            (_, bound) => self.times.push((|user| user.last_sign_in_at, bound, time)),
        }
    }

    fn add_identifier(
        &mut self,
        key: &'static str,
        values_of: Search,
        value: &str,
    ) -> Result<(), ApiError> {
        let values = self.identifiers.entry(key).or_insert_with(|| IdentifierFilter {
            values_of,
            wanted: vec![],
            unwanted: vec![],
        });
        let signed = matches!(key, "user_id" | "external_id");
        match (value.strip_prefix('-'), value.strip_prefix('+')) {
            (Some(value), _) if signed => values.unwanted.push(value.to_owned()),
            (_, Some(value)) if signed => values.wanted.push(value.to_owned()),
            // A phone number begins with its plus.
            _ => values.wanted.push(value.to_owned()),
        }
        if values.wanted.len() + values.unwanted.len() > MOST_VALUES {
            let message = "holds more than 100 values.";
            return Err(ApiError::parameter("form_param_array_size_exceeded", message, key));
        }
        Ok(())
    }
}

impl IdentifierFilter {
    fn matches(&self, user: &User) -> bool {
        let held = (self.values_of)(user);
        let any = |values: &[String]| {
            values.iter().any(|value| held.iter().any(|held| held.eq_ignore_ascii_case(value)))
        };
        (self.wanted.is_empty() || any(&self.wanted)) && !any(&self.unwanted)
    }
}

fn emails(user: &User) -> Vec<&str> {
    user.email_addresses.iter().map(|email| email.email_address.as_str()).collect()
}

fn phones(user: &User) -> Vec<&str> {
    user.phone_numbers.iter().map(|phone| phone.phone_number.as_str()).collect()
}

fn usernames(user: &User) -> Vec<&str> {
    user.username.as_deref().into_iter().collect()
}

fn names(user: &User) -> Vec<&str> {
    user.first_name.as_deref().into_iter().chain(user.last_name.as_deref()).collect()
}

fn everything(user: &User) -> Vec<&str> {
    let ids = [Some(user.id.as_str()), user.external_id.as_deref()];
    let ids = ids.into_iter().flatten();
    ids.chain(emails(user)).chain(phones(user)).chain(usernames(user)).chain(names(user)).collect()
}

fn bound(key: &str) -> Option<(&str, Bound)> {
    let (name, bound) = match (key.strip_suffix("_before"), key.strip_suffix("_after")) {
        (Some(name), _) => (name, Bound::Before),
        (_, Some(name)) => (name, Bound::After),
        _ => return None,
    };
    ["created_at", "last_active_at", "last_sign_in_at"].contains(&name).then_some((name, bound))
}
