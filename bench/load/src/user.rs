//! Who user number N is: id, names, addresses and way of signing up, all of which follow from the number.

use crate::id::ksuid;
use crate::rng::Rng;

/// User 0 signed up at this instant (2024-01-01), and each next one about a second later.
const FIRST_SIGN_UP_MS: u64 = 1_704_067_200_000;

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
        let mut rng = Rng::new(number.wrapping_mul(0xd134_2543_de82_ef95));
        let second = FIRST_SIGN_UP_MS / 1000 + number;
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
}
