//! Users as text, at the price of copying it.
//!
//! A page of 500 users is a megabyte. Made as a tree of JSON it would take as long as all that reads it, so each kind
//! of user is made once, of a user whose values are marks, and cut at the marks; a page then is text with values in
//! between. What a user looks like is said in `payload` alone.

use std::io::Write as _;

use serde_json::Value;

use super::crowd::Crowd;
use crate::payload;
use crate::user::{SignUp, User};

const SIGN_UPS: [SignUp; 3] = [SignUp::Password, SignUp::Google, SignUp::Phone];

/// When the user of the marks was created.
const CREATED_AT: u64 = 5_000_000_000_000;

/// Numbers from here on are times.
const FIRST_TIME: u64 = 1_000_000_000_000;

/// Where a value of the user stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Id,
    EmailId,
    LinkId,
    AccountId,
    FirstName,
    LastName,
    Email,
    Username,
    Phone,
    ProviderUserId,
    ImageUrl,
    /// So long after the creation.
    Time(i64),
}

/// Text, and the value behind it.
struct Piece {
    text: String,
    field: Field,
}

/// One kind of user.
#[derive(Default)]
struct Template {
    pieces: Vec<Piece>,
    /// The text behind the last value; while it is made, behind the last so far.
    rest: String,
}

/// A template for each way of signing up, for those who never came back and for those who did.
pub(super) struct Templates([[Template; 2]; 3]);

impl Templates {
    pub(super) fn new() -> Self {
        // Of these two numbers the first is of a user who never came back.
        Self(SIGN_UPS.map(|sign_up| [0, 1].map(|number| Template::new(sign_up, number))))
    }

    /// A list of the users with these numbers, as JSON.
    pub(super) fn write_list(&self, numbers: &[u64], out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, &number) in numbers.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write(number, out);
        }
        out.push(b']');
    }

    /// One user as JSON.
    pub(super) fn write(&self, number: u64, out: &mut Vec<u8>) {
        let user = Crowd::user(number);
        let [password, google, phone] = &self.0;
        let [alone, changed] = match user.sign_up {
            SignUp::Password => password,
            SignUp::Google => google,
            SignUp::Phone => phone,
        };
        let change = Crowd::change(number, user.created_at);
        let template = if change == payload::Change::Created { alone } else { changed };
        template.write(&user, out);
    }
}

impl Template {
    fn new(sign_up: SignUp, number: u64) -> Self {
        let marks = marks(sign_up);
        let object = payload::user_object(&marks, Crowd::change(number, CREATED_AT));
        let mut template = Self::default();
        template.read(&object, &marks);
        template
    }

    /// Goes through the JSON and writes it down, but for the marks.
    fn read(&mut self, value: &Value, marks: &User) {
        let mut comma = "";
        match value {
            Value::Object(members) => {
                self.rest.push('{');
                for (name, value) in members {
                    self.rest.push_str(std::mem::replace(&mut comma, ","));
                    self.rest.push_str(&Value::from(name.as_str()).to_string());
                    self.rest.push(':');
                    self.read(value, marks);
                }
                self.rest.push('}');
            }
            Value::Array(values) => {
                self.rest.push('[');
                for value in values {
                    self.rest.push_str(std::mem::replace(&mut comma, ","));
                    self.read(value, marks);
                }
                self.rest.push(']');
            }
            value => match field(value, marks) {
                Some(field) => {
                    let text = std::mem::take(&mut self.rest);
                    self.pieces.push(Piece { text, field });
                }
                None => self.rest.push_str(&value.to_string()),
            },
        }
    }

    fn write(&self, user: &User, out: &mut Vec<u8>) {
        for Piece { text, field } in &self.pieces {
            out.extend_from_slice(text.as_bytes());
            field.write(user, out);
        }
        out.extend_from_slice(self.rest.as_bytes());
    }
}

impl Field {
    fn write(self, user: &User, out: &mut Vec<u8>) {
        match self {
            Self::Id => write_text(&user.id, out),
            Self::EmailId => write_text(&user.email_id, out),
            Self::LinkId => write_text(&user.link_id, out),
            Self::AccountId => write_text(&user.account_id, out),
            Self::FirstName => write_text(user.first_name, out),
            Self::LastName => write_optional(user.last_name, out),
            Self::Email => write_text(&user.email, out),
            Self::Username => write_optional(user.username.as_deref(), out),
            Self::Phone => write_text(&user.phone, out),
            Self::ProviderUserId => write_text(&user.provider_user_id, out),
            Self::ImageUrl => write_text(&payload::image_url(user), out),
            Self::Time(after) => {
                let time = user.created_at.saturating_add_signed(after);
                // Nothing fails that is written into memory.
                write!(out, "{time}").ok();
            }
        }
    }
}

/// The values of a user hold nothing that JSON would escape.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_optional(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => write_text(text, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// A user each of whose values tells which one it is.
fn marks(sign_up: SignUp) -> User {
    User {
        id: "<id>".to_owned(),
        email_id: "<email id>".to_owned(),
        link_id: "<link id>".to_owned(),
        account_id: "<account id>".to_owned(),
        sign_up,
        first_name: "<first name>",
        last_name: Some("<last name>"),
        email: "<email>".to_owned(),
        username: Some("<username>".to_owned()),
        phone: "<phone>".to_owned(),
        provider_user_id: "<provider user id>".to_owned(),
        created_at: CREATED_AT,
        client_ip: "<client ip>".to_owned(),
    }
}

/// Which value of a user the mark stands for.
fn field(value: &Value, marks: &User) -> Option<Field> {
    if let Some(time) = value.as_u64().filter(|number| *number >= FIRST_TIME) {
        return Some(Field::Time(time.wrapping_sub(CREATED_AT).cast_signed()));
    }
    Some(match value.as_str()? {
        "<id>" => Field::Id,
        "<email id>" => Field::EmailId,
        "<link id>" => Field::LinkId,
        "<account id>" => Field::AccountId,
        "<first name>" => Field::FirstName,
        "<last name>" => Field::LastName,
        "<email>" => Field::Email,
        "<username>" => Field::Username,
        "<phone>" => Field::Phone,
        "<provider user id>" => Field::ProviderUserId,
        text if text == payload::image_url(marks) => Field::ImageUrl,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_the_user_of_the_payloads() {
        let templates = Templates::new();
        for number in 0..2_000 {
            let user = Crowd::user(number);
            let change = Crowd::change(number, user.created_at);
            let mut written = Vec::new();
            templates.write(number, &mut written);
            let expected = payload::user_object(&user, change).to_string();
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{number}");
        }
    }

    #[test]
    fn a_list_is_an_array_of_full_users() {
        let mut list = Vec::new();
        Templates::new().write_list(&(0..500).collect::<Vec<_>>(), &mut list);
        assert!((1_700..2_600).contains(&(list.len() / 500)), "{}", list.len() / 500);
        let list: Vec<Value> = serde_json::from_slice(&list).unwrap();
        assert_eq!(list.len(), 500);
        assert_eq!(list[7]["id"], Crowd::user(7).id);
        let mut none = Vec::new();
        Templates::new().write_list(&[], &mut none);
        assert_eq!(none, b"[]");
    }
}
