//! Pages of the user list: filter, order and paging, with the provider's peculiarities.
//!
//! Called by the list and count routes. Changes nothing.

use super::filter::Filter;
use super::{Directory, Entry, Position};
use crate::error::ApiError;
use crate::user::User;
use std::cmp::Ordering;
use std::ops::Range;

const DEFAULT_LIMIT: usize = 10;

/// A larger limit silently means the default.
const LARGEST_LIMIT: usize = 500;

type Compare = fn(&User, &User) -> Ordering;

const COLUMNS: [(&str, Compare); 10] = [
    ("created_at", |one, two| one.created_at.cmp(&two.created_at)),
    ("updated_at", |one, two| one.updated_at.cmp(&two.updated_at)),
    ("email_address", |one, two| email(one).cmp(&email(two))),
    // No user has one, so the order stays that of creation.
    ("web3wallet", |one, two| one.created_at.cmp(&two.created_at)),
    ("first_name", |one, two| one.first_name.cmp(&two.first_name)),
    ("last_name", |one, two| one.last_name.cmp(&two.last_name)),
    ("phone_number", |one, two| phone(one).cmp(&phone(two))),
    ("username", |one, two| one.username.cmp(&two.username)),
    ("last_active_at", |one, two| one.last_active_at.cmp(&two.last_active_at)),
    ("last_sign_in_at", |one, two| one.last_sign_in_at.cmp(&two.last_sign_in_at)),
];

#[derive(Debug)]
pub(crate) struct Query {
    filter: Filter,
    limit: usize,
    offset: usize,
    starting_after: Option<String>,
    order: Order,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    by: &'static str,
    compare: Compare,
    descending: bool,
}

impl Query {
    pub(crate) fn read(query: &str) -> Result<Self, ApiError> {
        let order = order_by("-created_at")?;
        let filter = Filter::default();
        let mut read =
            Self { filter, limit: DEFAULT_LIMIT, offset: 0, starting_after: None, order };
        let mut ordered = false;
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "limit" => read.limit = limit(&value)?,
                "offset" => read.offset = number("offset", &value)?,
                "starting_after" => read.starting_after = Some(value.into_owned()),
                // Only the first one counts.
                "order_by" if std::mem::replace(&mut ordered, true) => {}
                "order_by" => read.order = order_by(&value)?,
                key => read.filter.read(key, &value)?,
            }
        }
        read.check()
    }

    fn check(self) -> Result<Self, ApiError> {
        if self.starting_after.is_some() && self.order.by != "created_at" {
            let message = "can only be used when ordering by created_at.";
            return Err(ApiError::invalid("starting_after", message));
        }
        if self.starting_after.is_some() && self.offset > 0 {
            let message = "cannot be used together with offset.";
            return Err(ApiError::invalid("starting_after", message));
        }
        Ok(self)
    }

    /// The users of the page. A page that starts after a deleted user is empty.
    pub(crate) fn page(&self, directory: &Directory) -> Vec<Entry> {
        let range = self.range(directory);
        if self.order.by != "created_at" {
            return self.sorted_page(directory, range);
        }
        if self.filter.is_empty() {
            let entries = directory.entries(range, self.order.descending);
            return entries.skip_users(self.offset).take(self.limit).collect();
        }
        self.matches(directory, range).skip(self.offset).take(self.limit).collect()
    }

    /// How many users all pages have.
    pub(crate) fn count(&self, directory: &Directory) -> usize {
        self.matches(directory, self.filter.created.clone()).count()
    }

    fn range(&self, directory: &Directory) -> Range<Position> {
        let Range { start, end } = self.filter.created.clone();
        let Some(id) = &self.starting_after else {
            return start..end;
        };
        match directory.position(id) {
            None => start..start,
            Some(position) if self.order.descending => start..end.min(position),
            Some((time, arrival)) => start.max((time, arrival + 1))..end,
        }
    }

    fn matches<'a>(
        &'a self,
        directory: &'a Directory,
        range: Range<Position>,
    ) -> Box<dyn Iterator<Item = Entry> + 'a> {
        let matches = move |entry: &Entry| {
            self.filter.is_empty()
                || directory.user(entry).is_some_and(|user| self.filter.matches(&user))
        };
        let Some(ids) = self.filter.wanted_ids() else {
            return Box::new(directory.entries(range, self.order.descending).filter(matches));
        };
        let mut positions: Vec<Position> =
            ids.iter().filter_map(|id| directory.position(id)).collect();
        positions.retain(|position| range.contains(position));
        positions.sort_unstable();
        positions.dedup();
        if self.order.descending {
            positions.reverse();
        }
        let entries = positions.into_iter().filter_map(|position| directory.entry(position));
        Box::new(entries.filter(matches))
    }

    fn sorted_page(&self, directory: &Directory, range: Range<Position>) -> Vec<Entry> {
        let matches = self.matches(directory, range);
        let mut users: Vec<_> =
            matches.filter_map(|entry| Some((directory.user(&entry)?, entry))).collect();
        users.sort_by(|(one, _), (two, _)| self.order.compare(one, two));
        let page = users.into_iter().skip(self.offset).take(self.limit);
        page.map(|(_, entry)| entry).collect()
    }
}

impl Order {
    fn compare(self, one: &User, two: &User) -> Ordering {
        let order = (self.compare)(one, two);
        if self.descending { order.reverse() } else { order }
    }
}

fn email(user: &User) -> Option<&String> {
    user.email_addresses.first().map(|email| &email.email_address)
}

fn phone(user: &User) -> Option<&String> {
    user.phone_numbers.first().map(|phone| &phone.phone_number)
}

fn limit(value: &str) -> Result<usize, ApiError> {
    match number("limit", value)? {
        0 => Err(ApiError::invalid("limit", "must be between 1 and 500.")),
        limit if limit > LARGEST_LIMIT => Ok(DEFAULT_LIMIT),
        limit => Ok(limit),
    }
}

fn number(key: &str, value: &str) -> Result<usize, ApiError> {
    value.parse().map_err(|_| ApiError::invalid(key, "must be a non-negative integer."))
}

fn order_by(value: &str) -> Result<Order, ApiError> {
    let descending = value.starts_with('-');
    // An unescaped plus arrives as a space, and is no plus (trap 34).
    let name = value.strip_prefix(['-', '+']).unwrap_or(value);
    let column = COLUMNS.into_iter().find(|(by, _)| *by == name);
    let wrong = || ApiError::invalid("order_by", "is not a column to order by.");
    let (by, compare) = column.ok_or_else(wrong)?;
    Ok(Order { by, compare, descending })
}

#[cfg(test)]
mod tests {
    use super::{Directory, Query};
    use crate::generator::GeneratedUsers;
    use crate::user::User;
    use serde_json::json;

    /// Users `u0` to `u(count - 1)`, two of them created in each millisecond.
    fn directory(count: i64) -> Directory {
        let mut directory = Directory::default();
        for number in 0..count {
            let mut user = User::new(format!("u{number}"), "ins_1", number / 2);
            user.external_id = Some(format!("e{number}"));
            user.first_name = Some(format!("Name {}", count - number));
            user.banned = number % 5 == 0;
            user.public_metadata = json!({"number": number});
            directory.insert(user).unwrap();
        }
        directory
    }

    fn ids(directory: &Directory, query: &str) -> Vec<String> {
        let page = Query::read(query).unwrap().page(directory);
        page.iter().map(|entry| directory.user(entry).unwrap().id.clone()).collect()
    }

    #[test]
    fn pages_follow_the_order_and_the_limit() {
        let directory = directory(600);
        assert_eq!(ids(&directory, "limit=3"), ["u599", "u598", "u597"]);
        assert_eq!(ids(&directory, "limit=2&offset=1&order_by=created_at"), ["u1", "u2"]);
        assert_eq!(ids(&directory, "limit=2&order_by=%2Bfirst_name"), ["u599", "u590"]);
        assert_eq!(ids(&directory, "limit=500").len(), 500);
        assert_eq!(ids(&directory, "limit=501").len(), 10, "trap 32");
        assert_eq!(ids(&directory, "").len(), 10);
        assert_eq!(Query::read("limit=1&offset=7").unwrap().count(&directory), 600);
    }

    #[test]
    fn a_cursor_continues_after_its_user_in_either_order() {
        let mut directory = directory(20);
        let next = "order_by=created_at&limit=2&starting_after=";
        assert_eq!(ids(&directory, &format!("{next}u4")), ["u5", "u6"]);
        assert_eq!(ids(&directory, "limit=2&starting_after=u4"), ["u3", "u2"]);
        assert_eq!(ids(&directory, &format!("{next}u19")), [""; 0]);
        directory.remove("u4");
        assert_eq!(ids(&directory, &format!("{next}u4")), [""; 0], "a deleted cursor");
    }

    #[test]
    fn filters_select_users() {
        let directory = directory(20);
        assert_eq!(ids(&directory, "user_id=u3&user_id=%2Bu5&user_id=nobody"), ["u5", "u3"]);
        assert_eq!(ids(&directory, "limit=20&user_id=-u3").len(), 19);
        assert_eq!(ids(&directory, "external_id=e7"), ["u7"]);
        assert_eq!(ids(&directory, "banned=true"), ["u15", "u10", "u5", "u0"]);
        assert_eq!(ids(&directory, "created_at_after=8"), ["u19", "u18"]);
        assert_eq!(ids(&directory, "created_at_before=1"), ["u1", "u0"]);
        assert_eq!(ids(&directory, "query=nAmE%2020"), ["u0"]);
    }

    #[test]
    fn contradictory_and_unknown_parameters_are_refused() {
        let many = "user_id=u&".repeat(101);
        for query in [
            "limit=0",
            "limit=-1",
            "offset=x",
            "order_by=shoe_size",
            "order_by=+created_at",
            "starting_after=u1&offset=1",
            "starting_after=u1&order_by=updated_at",
            "created_at_after=yesterday",
            "organization_id=org_1",
            many.as_str(),
        ] {
            assert!(Query::read(query).is_err(), "{query}");
        }
    }

    #[test]
    fn generated_and_stored_users_are_listed_together() {
        let generated = GeneratedUsers::new(1, "ins_1", 1_000_000);
        let all: Vec<String> = (0..200).map(|number| generated.id(number)).collect();
        let mut directory = Directory::of_generated(generated, 200);
        let mut changed =
            directory.user(&directory.entry(directory.position(&all[7]).unwrap()).unwrap());
        let mut user = User::clone(&changed.take().unwrap());
        user.first_name = Some("Augusta".to_owned());
        directory.replace(user).unwrap();
        directory.remove(&all[100]).unwrap();
        let new = User::new("u1".into(), "ins_1", 1_000_500);
        directory.insert(new).unwrap();

        let mut expected = all.clone();
        expected.remove(100);
        expected.insert(3, "u1".to_owned());
        assert_eq!(ids(&directory, "limit=500&order_by=created_at"), expected);
        let mut paged = Vec::new();
        while paged.len() < 200 {
            let after = paged.last().map(|id| format!("&starting_after={id}")).unwrap_or_default();
            paged.extend(ids(&directory, &format!("limit=7&order_by=created_at{after}")));
        }
        assert_eq!(paged, expected);
        expected.reverse();
        assert_eq!(ids(&directory, "limit=500"), expected);
        assert_eq!(ids(&directory, "limit=3&offset=150"), expected[150..153]);
        assert_eq!(ids(&directory, "query=Augusta"), [all[7].as_str()]);
        assert_eq!(
            ids(&directory, &format!("user_id={}&user_id={}", all[7], all[100])),
            [all[7].as_str()]
        );
        assert_eq!(
            ids(&directory, "created_at_after=1000000&created_at_before=1003001&limit=9").len(),
            2
        );
        assert_eq!(Query::read("").unwrap().count(&directory), 200);
        assert_eq!(directory.issued().count(), 201);
        let taken =
            User { username: Some("user_5".to_owned()), ..User::new("u2".into(), "ins_1", 1) };
        assert!(directory.insert(taken).is_err());
    }
}
