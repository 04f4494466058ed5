//! One page of a list: paging and order, with the provider's traps.
//!
//! Called by the list and count routes. Pure: a query and a directory come in.

use super::Directory;
use super::filter::Filter;
use crate::error::ApiError;
use crate::user::User;
use std::cmp::Ordering;
use std::sync::Arc;

/// The size of a page that did not ask for one.
const DEFAULT_LIMIT: usize = 10;

/// The largest page. Who asks for more gets the default, without a word.
const LARGEST_LIMIT: usize = 500;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Query {
    filter: Filter,
    limit: usize,
    offset: usize,
    starting_after: Option<String>,
    order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Order {
    by: &'static str,
    descending: bool,
}

impl Query {
    /// Reads a query string.
    pub(crate) fn read(query: &str) -> Result<Self, ApiError> {
        let order = Order { by: "created_at", descending: true };
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

    /// The page. One that starts behind a user who is gone is empty.
    pub(crate) fn page(&self, directory: &Directory) -> Vec<Arc<User>> {
        let admitted = |user: &&Arc<User>| self.filter.admits(user);
        let part = |users: &mut dyn Iterator<Item = &Arc<User>>| {
            users.filter(admitted).skip(self.offset).take(self.limit).cloned().collect()
        };
        match (&self.starting_after, self.order) {
            (Some(id), Order { descending, .. }) => part(&mut directory.behind(id, !descending)),
            (None, Order { by: "created_at", descending: true }) => {
                part(&mut directory.all().rev())
            }
            (None, Order { by: "created_at", descending: false }) => part(&mut directory.all()),
            (None, order) => {
                let mut users: Vec<&Arc<User>> = directory.all().collect();
                users.sort_by(|one, two| order.compare(one, two));
                part(&mut users.into_iter())
            }
        }
    }

    /// How many users there are in all pages.
    pub(crate) fn count(&self, directory: &Directory) -> usize {
        directory.all().filter(|user| self.filter.admits(user)).count()
    }
}

impl Order {
    fn compare(self, one: &User, two: &User) -> Ordering {
        let order = match self.by {
            "updated_at" => one.updated_at.cmp(&two.updated_at),
            "last_active_at" => one.last_active_at.cmp(&two.last_active_at),
            "last_sign_in_at" => one.last_sign_in_at.cmp(&two.last_sign_in_at),
            "first_name" => one.first_name.cmp(&two.first_name),
            "last_name" => one.last_name.cmp(&two.last_name),
            "username" => one.username.cmp(&two.username),
            "email_address" => email(one).cmp(&email(two)),
            "phone_number" => phone(one).cmp(&phone(two)),
            _ => one.created_at.cmp(&two.created_at),
        };
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
    const COLUMNS: [&str; 10] = [
        "created_at",
        "updated_at",
        "email_address",
        "web3wallet",
        "first_name",
        "last_name",
        "phone_number",
        "username",
        "last_active_at",
        "last_sign_in_at",
    ];
    let descending = value.starts_with('-');
    // An unescaped plus arrives as a space, and is no plus (trap 34).
    let name = value.strip_prefix(['-', '+']).unwrap_or(value);
    let by = COLUMNS.into_iter().find(|column| *column == name);
    let by = by.ok_or_else(|| ApiError::invalid("order_by", "is not a column to order by."))?;
    Ok(Order { by, descending })
}

#[cfg(test)]
mod tests {
    use super::{Directory, Query};
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
        page.iter().map(|user| user.id.clone()).collect()
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
    fn a_cursor_goes_on_behind_its_user_on_either_side() {
        let mut directory = directory(20);
        let next = "order_by=created_at&limit=2&starting_after=";
        assert_eq!(ids(&directory, &format!("{next}u4")), ["u5", "u6"]);
        assert_eq!(ids(&directory, "limit=2&starting_after=u4"), ["u3", "u2"]);
        assert_eq!(ids(&directory, &format!("{next}u19")), [""; 0]);
        directory.remove("u4");
        assert_eq!(ids(&directory, &format!("{next}u4")), [""; 0], "a deleted cursor");
    }

    #[test]
    fn filters_say_who_is_meant() {
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
    fn what_makes_no_sense_is_refused() {
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
}
