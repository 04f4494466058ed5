//! Invented users who follow from their number alone, so that an instance can start with millions
//! of them and keep none.
//!
//! A page of 500 users is a megabyte of JSON. Serialising it would cost an emulator more than most
//! clients need to read it; so each kind of user is serialised once with marks in place of its
//! values and cut at the marks, and a user is then text with values in between. `directory` lists
//! them and makes a `User` of one only when a request filters by it or changes it.

use crate::rng::SeededRng;
use crate::user::contact::{EmailAddress, PhoneNumber};
use crate::user::{User, image_url};
use serde_json::{Value, json};
use std::io::Write as _;

const FIRST_NAMES: [&str; 12] = [
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Frances", "Niklaus",
    "Zoë", "Łukasz",
];

const LAST_NAMES: [&str; 11] = [
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Perlman", "Thompson", "Allen",
    "Wirth", "O'Neil",
];

/// Of so many users, which is a prime so that pages of any size end among them sooner or later …
const GROUP: u64 = 61;
/// … the first ones were created in the same millisecond.
const CREATED_TOGETHER: u64 = 3;

const MS_BETWEEN_USERS: i64 = 1_000;

/// 2025-01-01T00:00:00Z, in milliseconds.
const FIRST_CREATED_AT: i64 = 1_735_689_600_000;

/// How long after its creation a user was last changed, in milliseconds.
const UPDATED_AFTER: i64 = 41;

/// Creation time of the user in a template: no other number begins with its first digits.
const CREATED_AT_MARK: i64 = 5_000_000_000_000;

/// Where a value of the user stands, by the mark in its place.
#[derive(Clone, Copy, Debug)]
enum Field {
    /// With eleven digits, as in ids.
    PaddedNumber,
    Number,
    Phone,
    FirstName,
    LastName,
    Username,
    ImageUrl,
    /// Milliseconds after the creation.
    Time(i64),
}

const MARKS: [(&str, Field); 8] = [
    ("<padded>", Field::PaddedNumber),
    ("<number>", Field::Number),
    ("<phone>", Field::Phone),
    ("<first>", Field::FirstName),
    ("\"<last>\"", Field::LastName),
    ("\"<username>\"", Field::Username),
    ("<image>", Field::ImageUrl),
    ("50000", Field::Time(0)),
];

/// The digits of a time in milliseconds.
const TIME_DIGITS: usize = 13;

/// One kind of user: text, each piece followed by a value, and the text after the last value.
#[derive(Debug, Default)]
struct Template {
    pieces: Vec<(String, Field)>,
    rest: String,
}

/// The bits of a user's kind: which fields it has.
const HAS_EMAIL: usize = 1;
const HAS_PHONE: usize = 2;
const HAS_GOOGLE: usize = 4;
const IS_ADMIN: usize = 8;
const KINDS: usize = 16;

fn kind(number: u64) -> usize {
    let has_email = number % 11 != 5;
    let bits = [
        (HAS_EMAIL, has_email),
        (HAS_PHONE, number.is_multiple_of(5) || !has_email),
        (HAS_GOOGLE, has_email && number % 10 < 4),
        (IS_ADMIN, number % 13 == 8),
    ];
    bits.into_iter().filter(|(_, is_set)| *is_set).map(|(bit, _)| bit).sum()
}

/// Invented users, numbered from 0 in the order of their creation.
#[derive(Debug, Default)]
pub struct GeneratedUsers {
    instance_id: String,
    /// What stands behind the number in every id.
    id_suffix: String,
    first_created_at: i64,
    templates: Vec<Template>,
}

impl GeneratedUsers {
    /// `first_created_at` is in milliseconds; each user follows about a second after the last.
    pub fn new(seed: u64, instance_id: &str, first_created_at: i64) -> Self {
        let id_suffix = SeededRng::new(seed, instance_id).letters("generated users", 0, 16);
        let instance_id = instance_id.to_owned();
        let mut users = Self { instance_id, id_suffix, first_created_at, templates: Vec::new() };
        users.templates = (0..KINDS).map(|kind| users.template(kind)).collect();
        users
    }

    /// When the first of so many users was created: always at the same time, so that a seed gives the
    /// same users at every start, unless the last ones would be of the future then.
    pub(crate) fn first_created_before(now: i64, count: u64) -> i64 {
        FIRST_CREATED_AT.min(now - i64::try_from(count).unwrap_or(0) * MS_BETWEEN_USERS)
    }

    /// In milliseconds; never falls as numbers rise.
    pub(crate) fn created_at(&self, number: u64) -> i64 {
        let place = number % GROUP;
        let number = if place < CREATED_TOGETHER { number - place } else { number };
        self.first_created_at + i64::try_from(number).unwrap_or(0) * MS_BETWEEN_USERS
    }

    pub fn write_json(&self, number: u64, out: &mut Vec<u8>) {
        let Some(template) = self.templates.get(kind(number)) else {
            return;
        };
        for (text, field) in &template.pieces {
            out.extend_from_slice(text.as_bytes());
            self.write_field(*field, number, out);
        }
        out.extend_from_slice(template.rest.as_bytes());
    }

    pub fn to_value(&self, number: u64) -> Value {
        serde_json::from_slice(&self.json(number)).unwrap_or_default()
    }

    pub(crate) fn user(&self, number: u64) -> Option<User> {
        serde_json::from_slice(&self.json(number)).ok()
    }

    fn json(&self, number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_json(number, &mut out);
        out
    }

    pub(crate) fn id(&self, number: u64) -> String {
        format!("user_{number:011}{}", self.id_suffix)
    }

    /// The number in an id of such a user.
    pub(crate) fn number_of(&self, id: &str) -> Option<u64> {
        let number = id.strip_prefix("user_")?.strip_suffix(self.id_suffix.as_str())?;
        if number.len() == 11 { number.parse().ok() } else { None }
    }

    /// The number in an identifier that only one such user can have.
    pub(crate) fn number_in(identifier: &str) -> Option<u64> {
        let email =
            identifier.strip_prefix("user.").and_then(|rest| rest.strip_suffix("@example.test"));
        let phone = identifier.strip_prefix("+1555");
        email.or(phone).or_else(|| identifier.strip_prefix("user_"))?.parse().ok()
    }

    /// Writing into memory does not fail; the values hold nothing that JSON escapes.
    fn write_field(&self, field: Field, number: u64, out: &mut Vec<u8>) {
        let name = |names: &[&'static str]| {
            let index = usize::try_from(number).unwrap_or(0).checked_rem(names.len());
            index.and_then(|index| names.get(index).copied()).unwrap_or_default()
        };
        match field {
            Field::PaddedNumber => write!(out, "{number:011}"),
            Field::Number => write!(out, "{number}"),
            Field::Phone => write!(out, "+1555{number:07}"),
            Field::FirstName => write!(out, "{}", name(&FIRST_NAMES)),
            Field::LastName if number % 7 == 3 => write!(out, "null"),
            Field::LastName => write!(out, "\"{}\"", name(&LAST_NAMES)),
            Field::Username if number % 4 != 1 => write!(out, "null"),
            Field::Username => write!(out, "\"user_{number}\""),
            Field::ImageUrl => write!(out, "{}", image_url(&self.id(number), &self.instance_id)),
            Field::Time(after) => write!(out, "{}", self.created_at(number) + after),
        }
        .ok();
    }

    fn template(&self, kind: usize) -> Template {
        let user = self.marked_user(kind);
        Template::cut(&serde_json::to_string(&user).unwrap_or_default())
    }

    /// A user with a mark in place of each value that differs from user to user.
    fn marked_user(&self, kind: usize) -> User {
        let is_set = |bit: usize| kind & bit != 0;
        let id = |prefix: &str| format!("{prefix}_<padded>{}", self.id_suffix);
        let mut user = User::new(id("user"), &self.instance_id, CREATED_AT_MARK);
        user.image_url = "<image>".into();
        user.profile_image_url = "<image>".into();
        user.updated_at += UPDATED_AFTER;
        user.first_name = Some("<first>".to_owned());
        user.last_name = Some("<last>".to_owned());
        user.username = Some("<username>".to_owned());
        if is_set(HAS_EMAIL) {
            let address = "user.<number>@example.test".to_owned();
            let mut email = EmailAddress::verified(id("ide"), address, CREATED_AT_MARK);
            if is_set(HAS_GOOGLE) {
                email.linked_to = vec![json!({"id": id("idg"), "type": "oauth_google"})];
                user.external_accounts = vec![google_account(&id("eac"), &id("idg"))];
                user.has_image = true;
            }
            user.primary_email_address_id = Some(email.id.clone());
            user.email_addresses = vec![email];
        }
        if is_set(HAS_PHONE) {
            let phone = PhoneNumber::verified(id("idp"), "<phone>".to_owned(), CREATED_AT_MARK);
            user.primary_phone_number_id = Some(phone.id.clone());
            user.phone_numbers = vec![phone];
        }
        user.password_enabled = !is_set(HAS_GOOGLE);
        if is_set(IS_ADMIN) {
            user.public_metadata = json!({"role": "admin", "plan": "pro"});
        }
        user
    }
}

fn google_account(id: &str, identification_id: &str) -> Value {
    json!({
        "object": "external_account", "id": id, "provider": "oauth_google",
        "identification_id": identification_id, "provider_user_id": "1<padded>",
        "approved_scopes": "email openid profile", "email_address": "user.<number>@example.test",
        "email_address_verified": true, "first_name": "<first>", "last_name": "<last>",
        "image_url": "<image>", "username": null, "phone_number": null, "label": null,
        "public_metadata": {}, "created_at": CREATED_AT_MARK, "updated_at": CREATED_AT_MARK,
        "verification": {
            "object": "verification_oauth", "status": "verified", "strategy": "oauth_google",
            "attempts": null, "expire_at": CREATED_AT_MARK + 600_000,
        },
    })
}

impl Template {
    fn cut(text: &str) -> Self {
        let mut template = Self::default();
        let mut rest = text;
        let next = |rest: &str| {
            let marks =
                MARKS.iter().filter_map(|(mark, field)| Some((rest.find(mark)?, *mark, *field)));
            marks.min_by_key(|(at, ..)| *at)
        };
        while let Some((at, mark, field)) = next(rest) {
            let (before, value) = rest.split_at(at);
            let is_time = matches!(field, Field::Time(_));
            let (value, after) = value.split_at(if is_time { TIME_DIGITS } else { mark.len() });
            let time = value.parse::<i64>().unwrap_or(CREATED_AT_MARK) - CREATED_AT_MARK;
            let field = if is_time { Field::Time(time) } else { field };
            template.pieces.push((before.to_owned(), field));
            rest = after;
        }
        rest.clone_into(&mut template.rest);
        template
    }
}

#[cfg(test)]
mod tests {
    use super::{GeneratedUsers, HAS_GOOGLE, kind};
    use crate::user::User;
    use std::collections::HashSet;

    fn users() -> GeneratedUsers {
        GeneratedUsers::new(7, "ins_1", 1_700_000_000_000)
    }

    #[test]
    fn every_user_is_one_of_the_provider_s_objects_with_values_of_its_own() {
        let (users, mut images) = (users(), HashSet::new());
        for number in 0..3_000 {
            let json = String::from_utf8(users.json(number)).unwrap();
            assert!(!json.contains('<'), "{json}");
            let user: User = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&user).unwrap(), json);
            assert_eq!(user.id, users.id(number));
            assert_eq!(users.number_of(&user.id), Some(number));
            assert_eq!(user.created_at, users.created_at(number));
            assert!(user.updated_at > user.created_at);
            for identifier in crate::directory::identifiers(&user) {
                assert_eq!(GeneratedUsers::number_in(&identifier.1), Some(number));
            }
            assert_eq!(user.external_accounts.len(), usize::from(kind(number) & HAS_GOOGLE != 0));
            assert!(images.insert(user.image_url));
        }
    }

    #[test]
    fn they_are_the_same_at_every_start() {
        let (one_day, later) = (1_764_000_000_000, 1_795_000_000_000);
        let first = |now| GeneratedUsers::first_created_before(now, 1_000_000);
        assert_eq!(first(one_day), first(later));
        assert!(GeneratedUsers::first_created_before(one_day, 1 << 40) < 0);
    }

    #[test]
    fn users_are_created_one_after_another_and_a_few_together() {
        let users = users();
        let times: Vec<i64> = (0..5_000).map(|number| users.created_at(number)).collect();
        assert!(times.is_sorted());
        assert_eq!(times[61..64], [times[61]; 3]);
        assert!(times[64] > times[63]);
    }

    #[test]
    fn other_ids_have_no_number() {
        let users = users();
        let other = GeneratedUsers::new(8, "ins_1", 0).id(1);
        for id in [other.as_str(), "user_1", "user_", "count", ""] {
            assert_eq!(users.number_of(id), None, "{id}");
        }
    }
}
