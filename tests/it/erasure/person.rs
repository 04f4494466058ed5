//! Payloads of generated people, with one mark in every personal field, and the places where it can be
//! found.

use crate::support::{Engine, Rng, TestDatabase, user, user_id};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// In every personal field; in lower case, so that look-up columns hold it too.
pub const MARK: &str = "mk7q2xv9zpersonal";

pub struct Person {
    /// As it is stored.
    pub id: String,
    pub email: String,
    number: usize,
    spellings: [String; 3],
    /// Whether the id is a word, so that it can be found where JSON breaks off.
    pub is_word: bool,
}

impl Person {
    pub fn many(count: usize) -> Vec<Self> {
        let mut rng = Rng::seeded(0x5eed);
        (0..count).map(|number| Self::random(number, &mut rng)).collect()
    }

    fn random(number: usize, rng: &mut Rng) -> Self {
        let word = user_id(number);
        let (id, is_word) = match rng.below(4) {
            0 => (word, true),
            1 => (format!("{word}{}", "x".repeat(255 - word.len())), true),
            2 => (format!("{word}-é\u{1f511}\u{65e5}"), false),
            _ => (format!("{word} \"'\\/?%#&\n."), false),
        };
        let email = match rng.below(4) {
            0 => format!("{MARK}.{number}@example.org"),
            1 => format!("{MARK}.{number}.é\u{65e5}@xn--exmple-cua.org"),
            2 => format!("{MARK}.{number}{}@example.org", "x".repeat(3_000)),
            _ => format!("\"{MARK} {number}+%&#\\\"@example.org"),
        };
        let spellings = [(); 3].map(|()| odd_spelling(&id, rng));
        Self { id, email, number, spellings, is_word }
    }

    /// The id as a sender may write it; each number gives another way.
    pub fn spelled(&self, number: usize) -> &str {
        &self.spellings[number]
    }

    /// An event that has the mark wherever a person can be found. Every tenth person's
    /// metadata is larger than a page of the database.
    pub fn event(&self) -> Value {
        let mut event = user(self.spelled(0), 1_000);
        let notes = if self.number.is_multiple_of(10) { 1_000 } else { 1 };
        let data = &mut event["data"];
        for field in ["first_name", "last_name", "username", "external_id"] {
            data[field] = json!(MARK);
        }
        data["image_url"] = json!(format!("https://img.example.org/{MARK}"));
        data["email_addresses"][0]["email_address"] = json!(format!("\u{a0}{}\0 ", self.email));
        data["primary_phone_number_id"] = json!("idn_2");
        data["phone_numbers"] = json!([{"id": "idn_2", "phone_number": MARK}]);
        data["public_metadata"] = json!({"notes": vec![MARK; notes], MARK: 1, "role": MARK});
        data["private_metadata"] = json!({"notes": MARK});
        data["unsafe_metadata"] = json!({"notes": MARK});
        event["event_attributes"] = json!({"http_request": {"user_agent": MARK}});
        event
    }

    pub fn malformed(&self) -> Value {
        let mut event = self.event();
        event["data"]["id"] = json!(self.spelled(1));
        event["data"]["banned"] = json!(MARK);
        event
    }

    /// The same, cut short: no JSON any more.
    pub fn torn(&self) -> Vec<u8> {
        let mut body = self.event().to_string().into_bytes();
        body.truncate(body.len() - 10);
        body
    }

    /// The same, re-encoded as by a proxy that parses bodies.
    pub fn rewritten(&self) -> String {
        serde_json::to_string_pretty(&self.event()).unwrap()
    }
}

/// Text with what is cleaned away: NUL anywhere, white space of any kind around it.
pub fn odd_spelling(text: &str, rng: &mut Rng) -> String {
    const BLANKS: [&str; 8] = ["", " ", "\t", "\r\n", "\u{a0}", "\u{3000}", "\0", " \0 "];
    let mut odd = BLANKS[rng.below(BLANKS.len())].to_owned();
    for character in text.chars() {
        odd.push(character);
        if rng.below(20) == 0 {
            odd.push('\0');
        }
    }
    odd + BLANKS[rng.below(BLANKS.len())]
}

pub struct Trace {
    pub place: &'static str,
    content: String,
}

impl Trace {
    /// Whether the mark is there: as text, or as bytes written in hexadecimal, which is how a
    /// dump of PostgreSQL writes bodies.
    pub fn holds_mark(&self) -> bool {
        let hex: Vec<String> = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.content.contains(MARK) || self.content.contains(&hex.concat())
    }
}

pub fn everywhere(database: &TestDatabase) -> Vec<Trace> {
    let trace = |place, content| Trace { place, content };
    match database.engine {
        Engine::Postgres => {
            vec![trace("the tables", database.dump()), trace("the dump", pg_dump(database))]
        }
        Engine::Sqlite => {
            vec![trace("the tables", database.dump()), trace("the files", files(database))]
        }
    }
}

/// Makes the planner look at the tables, as autovacuum would.
pub fn refresh_statistics(database: &TestDatabase) {
    if database.engine == Engine::Postgres {
        database.execute("ANALYZE");
        let known = statistics(database);
        assert!(known.contains("clerk"), "there are no statistics: {known}");
    }
}

pub fn statistics(database: &TestDatabase) -> String {
    if database.engine == Engine::Sqlite {
        return String::new();
    }
    let sql = format!(
        "SELECT pg_stats::text AS value FROM pg_stats WHERE schemaname = '{}'",
        database.schema
    );
    database.texts(&sql).concat()
}

/// The bytes of the SQLite file, its log and its index of the log.
pub fn files(database: &TestDatabase) -> String {
    let path = database.sqlite_path();
    let bytes = ["", "-wal", "-shm"].map(|suffix| {
        let path = PathBuf::from(format!("{}{suffix}", path.display()));
        std::fs::read(path).unwrap_or_default()
    });
    String::from_utf8_lossy(&bytes.concat()).into_owned()
}

fn pg_dump(database: &TestDatabase) -> String {
    let output = Command::new(newest_pg_dump())
        .args(["--schema", &database.schema, &database.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The newest `pg_dump` there is: an older one refuses a newer server.
fn newest_pg_dump() -> PathBuf {
    let directories = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = directories
        .map(|entry| entry.unwrap().path().join("bin/pg_dump"))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from("pg_dump"))
}
