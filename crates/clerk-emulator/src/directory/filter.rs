//! Which users a list is about.
//!
//! Read from the query by the list and count routes; pure.

use crate::error::ApiError;
use crate::user::User;

/// How many values of one kind a query may hold.
const MOST_VALUES: usize = 100;

/// What the provider can filter by and this room cannot: better refused than passed over.
const NOT_OFFERED: [&str; 5] =
    ["organization_id", "web3_wallet", "provider", "provider_user_id", "last_active_at_since"];

/// A condition on every user of a list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    identifiers: Vec<IdentifierFilter>,
    partial: Vec<(Search, String)>,
    banned: Option<bool>,
    times: Vec<(TimeOf, Bound, i64)>,
}

/// The values of one repeated key: one of these, and none of those.
#[derive(Debug)]
struct IdentifierFilter {
    key: &'static str,
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

type Search = fn(&User) -> Vec<&str>;
type TimeOf = fn(&User) -> Option<i64>;

#[derive(Clone, Copy, Debug)]
enum Bound {
    Before,
    After,
}

impl Filter {
    /// Reads one pair of the query. Keys that are no filter are none of its business.
    pub(crate) fn read(&mut self, key: &str, value: &str) -> Result<(), ApiError> {
        if NOT_OFFERED.contains(&key) {
            return Err(ApiError::unknown(key));
        }
        if let Some(key) = identifier(key) {
            return self.add_identifier(key, value);
        }
        if let Some(search) = search(key) {
            self.partial.push((search, value.to_lowercase()));
        } else if let Some((time, side)) = time(key) {
            let wrong = |_| ApiError::invalid(key, "must be a Unix timestamp in milliseconds.");
            self.times.push((time, side, value.parse().map_err(wrong)?));
        } else if key == "banned" {
            let wrong = |_| ApiError::invalid(key, "must be a boolean.");
            self.banned = Some(value.parse().map_err(wrong)?);
        }
        Ok(())
    }

    /// Whether a user is meant.
    pub(crate) fn admits(&self, user: &User) -> bool {
        self.identifiers.iter().all(|identifiers| identifiers.admit(user))
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

    fn add_identifier(&mut self, key: &'static str, value: &str) -> Result<(), ApiError> {
        if !self.identifiers.iter().any(|known| known.key == key) {
            self.identifiers.push(IdentifierFilter { key, wanted: vec![], unwanted: vec![] });
        }
        let Some(values) = self.identifiers.iter_mut().find(|known| known.key == key) else {
            return Ok(());
        };
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
    fn admit(&self, user: &User) -> bool {
        let held = held(user, self.key);
        let any = |values: &[String]| {
            values.iter().any(|value| held.iter().any(|held| held.eq_ignore_ascii_case(value)))
        };
        (self.wanted.is_empty() || any(&self.wanted)) && !any(&self.unwanted)
    }
}

fn identifier(key: &str) -> Option<&'static str> {
    const KEYS: [&str; 5] = ["user_id", "external_id", "email_address", "phone_number", "username"];
    KEYS.into_iter().find(|known| *known == key)
}

fn held<'a>(user: &'a User, key: &str) -> Vec<&'a str> {
    match key {
        "user_id" => vec![&user.id],
        "external_id" => user.external_id.as_deref().into_iter().collect(),
        "email_address" => emails(user),
        "phone_number" => phones(user),
        _ => usernames(user),
    }
}

fn search(key: &str) -> Option<Search> {
    match key {
        "query" => Some(everything),
        "email_address_query" => Some(emails),
        "phone_number_query" => Some(phones),
        "username_query" => Some(usernames),
        "name_query" => Some(names),
        _ => None,
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

fn time(key: &str) -> Option<(TimeOf, Bound)> {
    let (name, side) = match (key.strip_suffix("_before"), key.strip_suffix("_after")) {
        (Some(name), _) => (name, Bound::Before),
        (_, Some(name)) => (name, Bound::After),
        _ => return None,
    };
    let time: TimeOf = match name {
        "created_at" => |user| Some(user.created_at),
        "last_active_at" => |user| user.last_active_at,
        "last_sign_in_at" => |user| user.last_sign_in_at,
        _ => return None,
    };
    Some((time, side))
}
