//! What may be wrong with a file, which id a row gets, and conflicts of ids.

use super::{assert_without, import, import_by, import_plainly, migrated, pairs, rows};
use crate::support::{Engine, Program, RunOutput, TestDatabase, user_id};
use serde_json::json;

#[test]
fn a_cell_that_is_never_closed_is_reported_with_what_it_swallows() {
    let database = migrated(Engine::Sqlite);
    let file = format!("id,external_id\na,{}\n\"b,{}\nc,{}\n", user_id(1), user_id(2), user_id(3));
    let run = import(&database, file, &[]);
    assert_eq!((run.status, run.counts()), (Some(1), [2, 1, 0, 1]), "{run:?}");
    assert!(run.bad_lines()[0].1.contains("nothing after"), "{run:?}");
    assert_eq!(run.bad_lines()[0].0, 3);
}

#[test]
fn a_file_that_is_none_of_the_three_says_what_is_expected() {
    let database = migrated(Engine::Sqlite);
    for content in ["", "\n \r\n", "# only a comment\n", "name,address\nAda,here\n", "<html>"] {
        let run = import_plainly(&Program::on(&database), content, &[]);
        assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        for expected in ["users: ", "password_hasher", "NDJSON", "id,external_id"] {
            assert!(run.stderr.contains(expected), "{content:?}: {run:?}");
        }
        assert!(!run.stderr.contains("Ada"), "{run:?}");
    }
    let header_alone = import(&database, "id,external_id", &[]);
    assert_eq!((header_alone.status, header_alone.counts()), (Some(0), [0; 4]));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let database = migrated(Engine::Sqlite);
    for name in ["nowhere.csv", "."] {
        let RunOutput { status, stderr, .. } = Program::on(&database).run(&["import", name]);
        assert_eq!(status, Some(1), "{stderr}");
        assert!(stderr.contains(&format!("usersync: {name}")), "{stderr}");
    }
}

both_engines! {
    async fn bad_lines_are_named_by_number_and_the_good_ones_are_in(engine) {
        let database = migrated(engine);
        let good = |number: usize| json!({"id": user_id(number), "first_name": "Ada"}).to_string();
        let long = json!({"id": user_id(9), "first_name": "x".repeat(1 << 20)}).to_string();
        let lines: [&str; 9] = [
            &good(1),
            "{\"first_name\":\"Eve\"",
            "",
            "{\"first_name\":\"Eve\"}",
            &json!({"id": user_id(2), "username": ["Eve"]}).to_string(),
            &long,
            "[\"Eve\"]",
            "{\"id\":\"Eve\"}",
            &good(3),
        ];
        let run = import(&database, lines.join("\n"), &[]);
        assert_eq!((run.status, run.counts()), (Some(1), [8, 2, 0, 6]), "{run:?}");
        let reasons: Vec<(u64, String)> = run.bad_lines();
        let expected = [
            (2, "it is no JSON object"),
            (4, "the user has no id"),
            (5, "username has a value of the wrong type"),
            (6, "it is longer than 1 MiB"),
            (7, "it is no JSON object"),
            (8, "the user's id is not one of the provider's, `user_…`"),
        ];
        assert_eq!(reasons, expected.map(|(line, reason)| (line, reason.to_owned())));
        assert_without("Eve", &database, &run);
        assert_eq!(database.count("users"), 2);
    }

    async fn what_only_the_database_refuses_is_left_out_alone(engine) {
        let database = migrated(engine);
        let refusing = format!("user_{}", "x".repeat(20));
        database.refuse_users("external_id", &refusing);
        let file = pairs(&[("a", user_id(1)), ("b", refusing), ("c", user_id(3)), ("a", user_id(4))]);
        let run = import(&database, file, &[]);
        assert_eq!((run.status, run.counts()), (Some(1), [4, 2, 0, 2]), "{run:?}");
        let expected = [
            (3, "the database refused it".to_owned()),
            (5, "the row a already belongs to another user".to_owned()),
        ];
        assert_eq!(run.bad_lines(), expected);
        assert_eq!(rows(&database), [format!("a {}", user_id(1)), format!("c {}", user_id(3))]);
    }

    async fn tables_come_to_be_unless_that_is_for_an_operator(engine) {
        let database = TestDatabase::new(engine);
        let run = import(&database, pairs(&[("a", user_id(1))]), &["--migrate", "check"]);
        assert!(run.status == Some(1) && run.stderr.contains("run `usersync migrate`"), "{run:?}");
        assert_eq!(Program::on(&database).run(&["migrate", "--check"]).status, Some(1));
        let run = import(&database, pairs(&[("a", user_id(1))]), &[]);
        assert_eq!((run.status, rows(&database).len()), (Some(0), 1), "{run:?}");
    }

    async fn pairs_that_contradict_each_other_or_the_table_are_left_out(engine) {
        let database = migrated(engine);
        let first = import(&database, pairs(&[("old", user_id(1))]), &[]);
        assert_eq!(first.counts(), [1, 1, 0, 0]);
        let file = pairs(&[
            ("a", user_id(2)),
            ("a", user_id(2)),
            ("b", user_id(2)),
            ("a", user_id(3)),
            ("old", user_id(4)),
            ("old", user_id(1)),
            ("new", user_id(1)),
            ("c", user_id(5)),
        ]);
        let expected = [
            (4, format!("{} already has the row a", user_id(2))),
            (5, "the row a already belongs to another user".to_owned()),
            (6, "the row old already belongs to another user".to_owned()),
            (8, format!("{} already has the row old", user_id(1))),
        ];
        let dry = import(&database, &file, &["--dry-run"]);
        let run = import(&database, &file, &[]);
        for run in [&dry, &run] {
            assert_eq!((run.status, run.counts()), (Some(1), [8, 2, 2, 4]), "{run:?}");
            assert_eq!(run.bad_lines(), expected);
        }
        assert!(run.stderr.contains("4 of 8 line(s) were bad and skipped"), "{run:?}");
        assert!(run.stderr.contains("the good ones were imported"), "{run:?}");
        let all = [("old", 1), ("a", 2), ("c", 5)];
        assert_eq!(rows(&database), all.map(|(id, number)| format!("{id} {}", user_id(number))));
        let again = import(&database, &file, &[]);
        assert_eq!((again.counts(), again.bad_lines()), ([8, 0, 4, 4], expected.to_vec()));
    }

    async fn new_rows_get_the_ids_that_are_configured(engine) {
        let database = migrated(engine);
        let line = |number: usize| json!({"id": user_id(number), "external_id": format!("row-{number}")}).to_string();
        import(&database, line(1), &[]);
        import_by(&Program::on(&database).with("USERSYNC_USER_ID", "external"), line(2), &[]);
        let without = json!({"id": user_id(4), "external_id": null});
        let run = import(&database, format!("{}\n{without}\n{}", line(3), line(1)), &["--ids-from-external-id"]);
        assert_eq!((run.status, run.counts()), (Some(1), [3, 1, 0, 2]), "{run:?}");
        assert_eq!(run.bad_lines()[0], (2, "the id that the row is to have is missing".to_owned()));
        assert!(run.bad_lines()[1].1.contains("already has the row"), "{run:?}");
        let ids = rows(&database);
        assert_eq!(ids[0].split(' ').next().unwrap().len(), 36);
        assert_eq!(ids[1..], [format!("{0} {0}", user_id(2)), format!("row-3 {}", user_id(3))]);
    }

    async fn an_id_that_the_provider_gave_may_be_taken_by_a_row(engine) {
        let database = migrated(engine);
        import(&database, pairs(&[(&user_id(2), user_id(1))]), &[]);
        let program = Program::on(&database).with("USERSYNC_USER_ID", "external");
        let run = import_by(&program, json!({"id": user_id(2)}).to_string(), &[]);
        let reason = format!("the row {} already belongs to another user", user_id(2));
        assert_eq!((run.status, run.bad_lines()), (Some(1), vec![(1, reason)]), "{run:?}");
    }
}
