//! What may be seen of a few users, at random.

use super::USERS;
use crate::convergence::fetches::START;
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub enum Sight {
    Event(usize, Look),
    Deletion(usize),
    Page([Option<Look>; USERS]),
    Watch([Option<Look>; USERS]),
    Absence(usize),
}

/// How a user looks: few values, so that versions collide.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    updated_at: i64,
    name: usize,
    sign_in: Option<i64>,
}

fn look() -> impl Strategy<Value = Look> {
    let sign_in = prop::option::of(0..3_i64);
    (1..4_i64, 0..2_usize, sign_in).prop_map(|(updated_at, name, sign_in)| Look {
        updated_at,
        name,
        sign_in,
    })
}

fn page() -> impl Strategy<Value = [Option<Look>; USERS]> {
    prop::array::uniform3(prop::option::weighted(0.8, look()))
}

pub fn sight() -> impl Strategy<Value = Sight> {
    prop_oneof![
        8 => (0..USERS, look()).prop_map(|(user, look)| Sight::Event(user, look)),
        1 => (0..USERS).prop_map(Sight::Deletion),
        6 => page().prop_map(Sight::Page),
        3 => page().prop_map(Sight::Watch),
        4 => (0..USERS).prop_map(Sight::Absence),
    ]
}

impl Look {
    /// This look, as it comes by an event or is fetched.
    pub fn thing(self, kind: &str, id: &str, instant: i64) -> Value {
        json!({
            "type": kind,
            "timestamp": START + 100 + instant,
            "data": {
                "id": id,
                "updated_at": START + self.updated_at,
                "created_at": START,
                "last_sign_in_at": self.sign_in.map(|at| START + at),
                "first_name": (["Ada", "Grace"][self.name]),
                "public_metadata": {},
            },
        })
    }
}
