//! What a list is asked for: the provider's parameters with their traps, as far as a backfill uses them.

use std::ops::Range;

use super::crowd::Crowd;

/// The size of a page that did not ask for one.
const DEFAULT_LIMIT: usize = 10;

/// The largest page. Who asks for more gets the default, without a word.
const LARGEST_LIMIT: usize = 500;

/// How many ids a query may hold.
const MOST_IDS: usize = 100;

/// What cannot be taken: the parameter, and what is wrong with it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Refused {
    pub(super) parameter: String,
    pub(super) message: &'static str,
}

impl Refused {
    fn new(parameter: &str, message: &'static str) -> Self {
        Self { parameter: parameter.to_owned(), message }
    }
}

#[derive(Debug)]
pub(super) struct Query {
    limit: usize,
    offset: usize,
    starting_after: Option<String>,
    descending: bool,
    /// Exclusive, in milliseconds, as is the next.
    created_after: Option<u64>,
    created_before: Option<u64>,
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

/// Reads a query string. Filters that are not offered are refused rather than passed over.
pub(super) fn read(query: &str) -> Result<Query, Refused> {
    let mut read = Query {
        limit: DEFAULT_LIMIT,
        offset: 0,
        starting_after: None,
        descending: true,
        created_after: None,
        created_before: None,
        wanted: Vec::new(),
        unwanted: Vec::new(),
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        read.set(&name, &value)?;
    }
    if read.starting_after.is_some() && read.offset > 0 {
        return Err(Refused::new("starting_after", "cannot be used together with offset."));
    }
    Ok(read)
}

impl Query {
    fn set(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        match name {
            "limit" => self.limit = limit(value)?,
            "offset" => self.offset = number(name, value)?,
            "starting_after" => self.starting_after = Some(value.to_owned()),
            "order_by" => self.descending = descending(value)?,
            "created_at_after" => self.created_after = Some(number(name, value)?),
            "created_at_before" => self.created_before = Some(number(name, value)?),
            "user_id" => return self.add_id(value),
            _ => {
                return Err(Refused::new(name, "is not a valid parameter for this request."));
            }
        }
        Ok(())
    }

    fn add_id(&mut self, value: &str) -> Result<(), Refused> {
        match value.strip_prefix('-') {
            Some(id) => self.unwanted.push(id.to_owned()),
            None => self.wanted.push(value.strip_prefix('+').unwrap_or(value).to_owned()),
        }
        if self.wanted.len() + self.unwanted.len() > MOST_IDS {
            return Err(Refused::new("user_id", "holds more than 100 values."));
        }
        Ok(())
    }

    /// The numbers of the users of the page.
    pub(super) fn page(&self, crowd: &Crowd) -> Vec<u64> {
        let meant = self.meant(crowd, self.behind_cursor(crowd, self.window(crowd)));
        if self.descending {
            meant.rev().skip(self.offset).take(self.limit).collect()
        } else {
            meant.skip(self.offset).take(self.limit).collect()
        }
    }

    /// How many users there are in all pages.
    pub(super) fn count(&self, crowd: &Crowd) -> usize {
        self.meant(crowd, self.window(crowd)).count()
    }

    fn window(&self, crowd: &Crowd) -> Range<u64> {
        let start =
            self.created_after.map_or(0, |after| crowd.first_since(after.saturating_add(1)));
        let end = self.created_before.map_or(crowd.users, |before| crowd.first_since(before));
        start..end
    }

    /// What is left of a window behind the cursor: nothing, if there is no such user.
    fn behind_cursor(&self, crowd: &Crowd, window: Range<u64>) -> Range<u64> {
        let Some(id) = &self.starting_after else {
            return window;
        };
        match crowd.number_of(id) {
            None => 0..0,
            Some(cursor) if self.descending => window.start..window.end.min(cursor),
            Some(cursor) => window.start.max(cursor + 1)..window.end,
        }
    }

    fn meant(&self, crowd: &Crowd, window: Range<u64>) -> Box<dyn DoubleEndedIterator<Item = u64>> {
        let numbers = |ids: &[String]| -> Vec<u64> {
            let mut numbers: Vec<u64> = ids.iter().filter_map(|id| crowd.number_of(id)).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        let unwanted = numbers(&self.unwanted);
        let admitted = move |number: &u64| unwanted.binary_search(number).is_err();
        if !self.wanted.is_empty() {
            let wanted = numbers(&self.wanted).into_iter();
            Box::new(wanted.filter(move |number| window.contains(number)).filter(admitted))
        } else if self.unwanted.is_empty() {
            // By itself, because an offset into it costs nothing.
            Box::new(window)
        } else {
            Box::new(window.filter(admitted))
        }
    }
}

fn limit(value: &str) -> Result<usize, Refused> {
    match number("limit", value)? {
        0 => Err(Refused::new("limit", "must be between 1 and 500.")),
        limit if limit > LARGEST_LIMIT => Ok(DEFAULT_LIMIT),
        limit => Ok(limit),
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Refused> {
    value.parse().map_err(|_| Refused::new(name, "must be a non-negative integer."))
}

fn descending(value: &str) -> Result<bool, Refused> {
    match value {
        "created_at" | "+created_at" => Ok(false),
        "-created_at" => Ok(true),
        // An unescaped plus arrives as a space, and is no plus.
        _ => Err(Refused::new("order_by", "is not a column to order by.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: u64 = 2_345;

    fn page(query: &str) -> Vec<u64> {
        read(query).unwrap().page(&Crowd { users: USERS })
    }

    fn id(number: u64) -> String {
        Crowd::user(number).id
    }

    /// Follows the cursor to the end.
    fn walk(query: &str) -> Vec<u64> {
        let mut walked = page(query);
        loop {
            let cursor = id(*walked.last().unwrap());
            let next = page(&format!("{query}&starting_after={cursor}"));
            if next.is_empty() {
                return walked;
            }
            walked.extend(next);
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let all: Vec<u64> = (0..USERS).collect();
        for limit in [7, 61, 500] {
            assert_eq!(walk(&format!("limit={limit}&order_by=created_at")), all);
            assert_eq!(
                walk(&format!("limit={limit}")),
                all.iter().copied().rev().collect::<Vec<_>>()
            );
        }
        let by_offset: Vec<u64> = (0..USERS)
            .step_by(500)
            .flat_map(|offset| page(&format!("limit=500&order_by=%2Bcreated_at&offset={offset}")))
            .collect();
        assert_eq!(by_offset, all);
    }

    #[test]
    fn limits_are_obeyed_and_too_large_ones_are_ten() {
        assert_eq!(page("").len(), 10);
        assert_eq!(page("limit=1").len(), 1);
        assert_eq!(page("limit=500").len(), 500);
        assert_eq!(page("limit=501").len(), 10);
        assert_eq!(page("")[..2], [USERS - 1, USERS - 2]);
    }

    #[test]
    fn a_window_leaves_its_own_bounds_out() {
        // 122, 123 and 124 came in the same millisecond.
        let at = Crowd::user(123).created_at;
        let window = |bounds: &str| page(&format!("limit=3&order_by=created_at&{bounds}"));
        assert_eq!(window(&format!("created_at_after={at}")), [125, 126, 127]);
        assert_eq!(window(&format!("created_at_after={}", at - 1)), [122, 123, 124]);
        let both = format!("created_at_after={}&created_at_before={}", at - 1, at + 1);
        assert_eq!(window(&format!("{both}&limit=9")), [122, 123, 124]);
        assert_eq!(window(&format!("{both}&starting_after={}", id(123))), [124]);
        assert_eq!(page(&format!("limit=2&created_at_before={at}")), [121, 120]);
        let count =
            read(&format!("created_at_before={at}")).unwrap().count(&Crowd { users: USERS });
        assert_eq!(count, 122);
        assert_eq!(window("created_at_after=1&created_at_before=1"), [0; 0]);
    }

    #[test]
    fn behind_an_unknown_cursor_there_is_nobody() {
        for cursor in ["user_nobody", &id(USERS), ""] {
            assert_eq!(page(&format!("order_by=created_at&starting_after={cursor}")), [0; 0]);
        }
        let last = id(USERS - 1);
        assert_eq!(page(&format!("order_by=created_at&starting_after={last}")), [0; 0]);
    }

    #[test]
    fn ids_say_who_is_meant() {
        let (three, five) = (id(3), id(5));
        let query = format!("user_id={three}&user_id=%2B{five}&user_id={five}&user_id=user_nobody");
        assert_eq!(page(&query), [5, 3]);
        let all_but = format!("order_by=created_at&limit=4&user_id=-{three}");
        assert_eq!(page(&all_but), [0, 1, 2, 4]);
        assert_eq!(page(&format!("user_id={three}&user_id=-{three}")), [0; 0]);
        assert_eq!(page("user_id=user_nobody"), [0; 0]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let many = "user_id=u&".repeat(101);
        for query in [
            "limit=0",
            "limit=-1",
            "offset=x",
            "order_by=+created_at",
            "order_by=updated_at",
            "starting_after=u&offset=1",
            "created_at_after=yesterday",
            "banned=true",
            &many,
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
