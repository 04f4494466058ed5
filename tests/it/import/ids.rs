//! Which id a row gets, and conflicts of ids.

use super::{import, import_by, migrated, pairs, rows};
use crate::support::{Program, user_id};
use serde_json::json;

both_engines! {
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
        assert!(run.stderr.contains("4 of 8 line(s) were bad and left out"), "{run:?}");
        assert!(run.stderr.contains("the good ones are in"), "{run:?}");
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
