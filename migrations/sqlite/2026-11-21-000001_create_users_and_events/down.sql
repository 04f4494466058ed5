DROP VIEW users_live;
DROP TABLE quarantine_subjects;
DROP TABLE quarantine;
DROP TABLE webhook_events;
DROP TABLE users;
