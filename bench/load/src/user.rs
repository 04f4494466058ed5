//! Who user number N is: id, names, addresses and way of signing up, all of which follow from the number.

use crate::id::{ksuid, unix_seconds};
use crate::rng::Rng;

/// User 0 signed up in this second (2024-01-01), and each next one in the next.
const FIRST_SIGN_UP_SECONDS: u64 = 1_704_067_200;

const FIRST_NAMES: [&str; 24] = [
    "Ada",
    "Amélie",
    "Ben",
    "Chidi",
    "Daniela",
    "Elif",
    "Fatima",
    "Giorgos",
    "Hana",
    "Ingrid",
    "José",
    "Katarzyna",
    "Liam",
    "Mei",
    "Nikolai",
    "Olu",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tomás",
    "Uma",
    "Wei",
    "Zoë",
];
const LAST_NAMES: [&str; 24] = [
    "Abernathy",
    "Almeida",
    "Bauer",
    "Castillo",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Haddad",
    "Ivanova",
    "Johansson",
    "Kowalczyk",
    "Lovelace",
    "Mbeki",
    "Nakamura",
    "O'Brien",
    "Papadopoulos",
    "Quispe",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Venkataraman",
    "Wójcik",
    "Zhang",
];
const DOMAINS: [&str; 6] = [
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "students.example.edu",
    "engineering.example.co.uk",
];

/// How the account came to be, which decides what its payload carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignUp {
    Password,
    Google,
    Phone,
}

pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email_id: String,
    /// The second identification: the linked Google account, or the phone number.
    pub(crate) link_id: String,
    pub(crate) account_id: String,
    pub(crate) sign_up: SignUp,
    pub(crate) first_name: &'static str,
    /// Some people give none.
    pub(crate) last_name: Option<&'static str>,
    pub(crate) email: String,
    pub(crate) username: Option<String>,
    pub(crate) phone: String,
    pub(crate) provider_user_id: String,
    pub(crate) created_at: u64,
    pub(crate) client_ip: String,
}

impl User {
    pub(crate) fn number(number: u64) -> Self {
        let mut rng = rng(number);
        let second = FIRST_SIGN_UP_SECONDS + number;
        let created_at = second * 1000 + rng.below(1000);
        let first_name = rng.pick(&FIRST_NAMES);
        let last_name = rng.pick(&LAST_NAMES);
        let mut id = |prefix| ksuid(prefix, second, rng.next_u128());
        let [user_id, email_id, link_id, account_id] =
            [id("user_"), id("idn_"), id("idn_"), id("eac_")];
        let handle = format!("{}.{}{number}", ascii_lower(first_name), ascii_lower(last_name));
        Self {
            id: user_id,
            email_id,
            link_id,
            account_id,
            sign_up: sign_up(rng.below(10)),
            first_name,
            last_name: (rng.below(8) != 0).then_some(last_name),
            email: format!("{handle}@{}", rng.pick(&DOMAINS)),
            username: (rng.below(3) == 0).then(|| handle.replace('.', "_")),
            phone: format!("+1555{:07}", number % 10_000_000),
            provider_user_id: format!("1{:020}", rng.next()),
            created_at,
            client_ip: format!("198.51.{}.{}", rng.below(256), rng.below(256)),
        }
    }

    /// Which user has this id. The id tells the second, hence the number; the rest must fit it.
    pub(crate) fn number_of(id: &str) -> Option<u64> {
        let number = unix_seconds("user_", id)?.checked_sub(FIRST_SIGN_UP_SECONDS)?;
        (Self::number(number).id == id).then_some(number)
    }

    /// When user `number` signed up, without making the whole user.
    pub(crate) fn signed_up_at(number: u64) -> u64 {
        (FIRST_SIGN_UP_SECONDS + number) * 1000 + rng(number).below(1000)
    }
}

/// What everything about a user is drawn from.
fn rng(number: u64) -> Rng {
    Rng::new(number.wrapping_mul(0xd134_2543_de82_ef95))
}

fn sign_up(tenth: u64) -> SignUp {
    match tenth {
        0..=3 => SignUp::Google,
        4..=8 => SignUp::Password,
        _ => SignUp::Phone,
    }
}

fn ascii_lower(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_with_the_number_and_repeat_between_runs() {
        let ids: Vec<String> = (0..1000).map(|number| User::number(number).id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids[7], User::number(7).id);
    }

    #[test]
    fn an_id_turns_back_into_its_number_and_only_if_it_is_one() {
        for number in [0, 1, 61, 499_999, 5_000_000] {
            let user = User::number(number);
            assert_eq!(User::number_of(&user.id), Some(number));
            assert_eq!(User::signed_up_at(number), user.created_at);
        }
        // Of the same second, but another one; of a second before the first; no id at all.
        let mut other = User::number(7).id;
        other.pop();
        other.push('#');
        let earlier = ksuid("user_", FIRST_SIGN_UP_SECONDS - 1, 7);
        let another = ksuid("user_", FIRST_SIGN_UP_SECONDS + 7, 7);
        for id in [other.as_str(), &earlier, &another, "user_1", "count"] {
            assert_eq!(User::number_of(id), None, "{id}");
        }
    }
}
