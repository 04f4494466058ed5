//! Tests of the configuration: every wrong value gives one message that says what to do, and no
//! message shows a secret.

use super::{Config, ConfigError, ConfigSource, Requirement, VARIABLES, VariableInput};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut source = ConfigSource::default();
    for (name, value) in pairs {
        source.set(name, (*value).to_owned());
    }
    Config::load(&source, Requirement::SigningSecret)
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    load(pairs).unwrap_err().0
}

#[test]
fn defaults_need_a_signing_secret_and_nothing_else() {
    let missing = problems(&[]);
    assert_eq!(missing.len(), 1);
    assert!(missing[0].contains("CLERK_WEBHOOK_SIGNING_SECRET is not set"), "{missing:?}");
    assert!(missing[0].contains("usersync dev"), "{missing:?}");
    let config = with(&[]).unwrap();
    assert_eq!(config.bind.to_string(), "127.0.0.1:8080");
    assert!(config.warnings.is_empty());
}

#[test]
fn every_wrong_variable_is_reported_at_once_each_with_what_to_do() {
    let wrong = [
        ("DATABASE_URL", "mysql://root:hunter2@h/d", "postgres://"),
        ("USERSYNC_SCHEMA", "pg_users", "plain name"),
        ("USERSYNC_BIND", "localhost", "as in `127.0.0.1:8080`"),
        ("PORT", "80800", "0 to 65535"),
        ("USERSYNC_METRICS_BIND", "9090", "as in `127.0.0.1:8080`"),
        ("USERSYNC_SHUTDOWN_DELAY", "soon", "no duration"),
        ("USERSYNC_KEEP_ALIVE", "2h", "up to an hour"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "hunter2", "start with `whsec_`"),
        ("CLERK_INSTANCE_ID", "prod", "starts with `ins_`"),
        ("CLERK_SECRET_KEY", "hunter2", "`sk_live_` or `sk_test_`"),
        ("CLERK_API_URL", "http://api.example.com", "https"),
        ("USERSYNC_API_BUDGET", "many", "a number"),
        ("CLERK_PUBLISHABLE_KEY", "sk_test_hunter2", "`pk_live_` or `pk_test_`"),
        ("CLERK_JWT_KEY", "hunter2", "PEM"),
        ("CLERK_JWKS_URL", "ftp://hunter2", "https"),
        ("CLERK_ISSUER", "clerk.example.com", "https"),
        ("CLERK_AUTHORIZED_PARTIES", "https://example.com/", "origin"),
        ("USERSYNC_ADMIN_TOKEN", "hunter2", "32 characters"),
        ("USERSYNC_READ_TOKEN", "app:hunter2", "32 characters"),
        ("USERSYNC_ROLES", "user,ro/le", "letters"),
        ("USERSYNC_DEFAULT_ROLE", "owner", "add it there"),
        ("USERSYNC_PLANS", "pro!", "letters"),
        ("USERSYNC_DEFAULT_PLAN", "fr ee", "letters"),
        ("USERSYNC_USER_ID", "serial", "`uuid` or `external`"),
        ("USERSYNC_WRITE_BACK", "maybe", "`on` or `off`"),
        ("USERSYNC_METADATA_ID", "db id", "1 to 64"),
        ("USERSYNC_METADATA_ROLE", "ro\0le", "1 to 64"),
        ("USERSYNC_METADATA_PLAN", "my plan", "1 to 64"),
        ("USERSYNC_PUBLIC_URL", "app.example.com", "origin"),
        ("USERSYNC_REDIRECT_ORIGINS", "https://example.com/path", "origin"),
        ("USERSYNC_SIGN_IN_URL", "sign-in", "path"),
        ("USERSYNC_WORKERS", "some", "`on` or `off`"),
        ("USERSYNC_WATCH_INTERVAL", "often", "`off` nor an interval"),
        ("USERSYNC_RECONCILE_SCHEDULE", "25:00", "a time of the day in UTC"),
        ("USERSYNC_MIGRATE", "never", "`auto` or `check`"),
        ("USERSYNC_LOG_FORMAT", "xml", "`text` or `json`"),
        ("RUST_LOG", "usersync=loud", "try `info`"),
    ];
    assert_eq!(wrong.len(), VARIABLES.len(), "a variable without a wrong value to try");
    let pairs: Vec<(&str, &str)> = wrong.iter().map(|(name, value, _)| (*name, *value)).collect();
    let all = problems(&pairs);
    for (name, _, advice) in wrong {
        let of: Vec<&String> = all.iter().filter(|text| text.starts_with(name)).collect();
        assert_eq!(of.len(), 1, "{name}: {all:#?}");
        assert!(of[0].contains(advice), "{name}: {}", of[0]);
    }
    assert_eq!(all.len(), wrong.len());
    assert!(!all.concat().contains("hunter2"), "a secret is repeated");
}

#[test]
fn a_secret_may_stand_in_a_file_but_not_in_both_places() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();
    let path = file.path().to_str().unwrap();
    let config = load(&[("CLERK_WEBHOOK_SIGNING_SECRET_FILE", path)]).unwrap();
    assert_eq!(config.signing_secrets.active.len(), 1);
    let both = tempfile::NamedTempFile::new().unwrap();
    let name = "CLERK_WEBHOOK_SIGNING_SECRET";
    std::fs::write(both.path(), format!("{name}_FILE={path}\n{name}={SECRET}\n")).unwrap();
    let mut source = ConfigSource::default();
    source.read_env_file(both.path()).unwrap();
    let error = Config::load(&source, Requirement::SigningSecret).unwrap_err();
    assert!(error.0[0].contains("keep one"), "{error}");
    let dollars = "x".repeat(32) + "${x}$(x)";
    std::fs::write(file.path(), &dollars).unwrap();
    assert!(with(&[("USERSYNC_ADMIN_TOKEN_FILE", path)]).is_ok());
    assert!(with(&[("USERSYNC_ADMIN_TOKEN", &format!("'{dollars}'"))]).is_ok());
    assert!(with(&[("USERSYNC_ADMIN_TOKEN", &dollars)]).is_err());
    let gone = problems(&[("CLERK_WEBHOOK_SIGNING_SECRET_FILE", "/nonexistent")]);
    assert!(gone[0].contains("_FILE: No such file"), "{gone:?}");
}

#[test]
fn the_old_name_of_the_secret_is_read_with_a_warning() {
    let config = load(&[("CLERK_WEBHOOK_SECRET", SECRET)]).unwrap();
    assert_eq!(config.signing_secrets.active.len(), 1);
    assert!(config.warnings[0].contains("rename it"));
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let both = [("CLERK_WEBHOOK_SECRET", SECRET), ("CLERK_WEBHOOK_SIGNING_SECRET", other)];
    let config = load(&both).unwrap();
    let secrets = &config.signing_secrets;
    assert_eq!((secrets.active.len(), secrets.inactive.len()), (1, 1));
    assert!(config.warnings[0].contains("not used"));
}

#[test]
fn several_secrets_are_separated_by_commas_or_spaces() {
    let two = format!("{SECRET}, whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    let config = load(&[("CLERK_WEBHOOK_SIGNING_SECRET", &two)]).unwrap();
    assert_eq!(config.signing_secrets.active.len(), 2);
}

#[test]
fn port_alone_means_all_addresses_and_with_an_address_replaces_its_port() {
    let bind = |pairs: &[(&str, &str)]| with(pairs).unwrap().bind.to_string();
    assert_eq!(bind(&[("PORT", "3000")]), "[::]:3000");
    assert_eq!(bind(&[("PORT", "3000"), ("USERSYNC_BIND", "127.0.0.1:8080")]), "127.0.0.1:3000");
    assert_eq!(bind(&[("USERSYNC_BIND", "[::1]:0")]), "[::1]:0");
}

#[test]
fn a_name_that_looks_like_ours_but_is_none_gets_a_warning() {
    let config = with(&[("USERSYNC_ADMIN_TOKN", "x")]).unwrap();
    assert!(config.warnings[0].contains("USERSYNC_ADMIN_TOKN"), "{:?}", config.warnings);
}

#[test]
fn the_real_world_can_be_forgotten() {
    let mut source = ConfigSource::default();
    for name in
        ["CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET", "DATABASE_URL", "DATABASE_URL_FILE"]
    {
        source.set(name, "something real".into());
    }
    source.forget_real_world();
    assert!(Config::load(&source, Requirement::Nothing).is_ok());
}

/// All that is said where a variable, a file, its path or an env file holds a value.
fn said_about(name: &str, value: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (secret, env) = (directory.path().join("secret"), directory.path().join("env"));
    std::fs::write(&secret, value).unwrap();
    std::fs::write(&env, format!("{name}={value}\n")).unwrap();
    let set = |name: &str, value: &str| {
        let mut source = ConfigSource::default();
        source.set(name, value.to_owned());
        source
    };
    let file = format!("{name}_FILE");
    let mut from_env_file = ConfigSource::default();
    let refused = from_env_file.read_env_file(&env).err();
    let path = secret.to_str().unwrap();
    let sources = [set(name, value), set(&file, value), set(&file, path), from_env_file];
    let said = sources.iter().map(|source| match Config::load(source, Requirement::Nothing) {
        Ok(config) => config.warnings.concat(),
        Err(error) => error.to_string(),
    });
    refused.into_iter().chain(said).collect()
}

proptest::proptest! {
    #[test]
    fn nothing_repeats_a_secret_wherever_it_is_put_and_however_it_is_spelled(
        word in "[g-z]{3}[0-9]{3}[g-z]{3}",
        before in "[ -~\\x00é\r\n]{0,6}",
        after in "[ -~\\x00é\r\n]{0,6}",
        shape in proptest::sample::select(&["", "postgres://svc:", "whsec_", "sk_live_", "name:"][..]),
        number in 0..VARIABLES.len(),
    ) {
        let (name, value) = (VARIABLES[number].name, format!("{shape}{before}{word}{after}"));
        for value in [format!("{value}@127.0.0.1/db"), format!("\"{value}\""), value] {
            let said = said_about(name, &value);
            proptest::prop_assert!(!said.contains(&word), "{name}: {said}");
        }
    }
}

#[test]
fn a_printed_configuration_shows_no_secret() {
    let token = "hunter2hunter2hunter2hunter2hunter2";
    let url = ("DATABASE_URL", "postgres://u:hunter2@h/d");
    let printed = format!("{:?}", with(&[("USERSYNC_ADMIN_TOKEN", token), url]).unwrap());
    assert!(!printed.contains("hunter2") && !printed.contains("MfKQ9r8GKYqr"), "{printed}");
}

#[test]
fn secrets_have_no_flag() {
    for variable in VARIABLES {
        let secret = ["SECRET", "TOKEN", "DATABASE_URL", "JWT_KEY"]
            .iter()
            .any(|word| variable.name.contains(word));
        assert_eq!(secret, variable.input == VariableInput::Secret, "{}", variable.name);
    }
}

fn with(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut all = vec![("CLERK_WEBHOOK_SIGNING_SECRET", SECRET)];
    all.extend_from_slice(pairs);
    load(&all)
}

#[test]
fn two_values_in_the_metadata_cannot_have_one_name() {
    let error = with(&[("USERSYNC_METADATA_ID", "role")]).unwrap_err();
    assert!(error.0[0].contains("three different names"), "{error}");
}

#[test]
fn write_back_is_on_with_a_secret_key_and_refused_without_one() {
    assert!(!with(&[]).unwrap().write_back);
    let key = ("CLERK_SECRET_KEY", "sk_live_0123456789");
    assert!(with(&[key]).unwrap().write_back);
    assert!(!with(&[key, ("USERSYNC_WRITE_BACK", "off")]).unwrap().write_back);
    let error = with(&[("USERSYNC_WRITE_BACK", "on")]).unwrap_err();
    assert!(error.0[0].contains("CLERK_SECRET_KEY"), "{error}");
}

#[test]
fn trap_37_the_budget_leaves_half_of_the_providers_limit_to_the_application() {
    let budget = |key: &str, more: &[(&str, &str)]| {
        let mut pairs = vec![("CLERK_SECRET_KEY", key)];
        pairs.extend_from_slice(more);
        with(&pairs).map(|config| config.api.unwrap().requests_per_10_seconds)
    };
    assert_eq!(budget("sk_live_0123456789", &[]).unwrap(), Some(500));
    assert_eq!(budget("sk_test_0123456789", &[]).unwrap(), Some(50));
    assert_eq!(budget("sk_test_1", &[("USERSYNC_API_BUDGET", "7")]).unwrap(), Some(7));
    assert!(budget("sk_test_1", &[("USERSYNC_API_BUDGET", "off")]).is_err());
    let here = [("USERSYNC_API_BUDGET", "off"), ("CLERK_API_URL", "http://127.0.0.1:8081")];
    assert_eq!(budget("sk_test_1", &here).unwrap(), None);
}

#[test]
fn keys_of_the_emulator_are_refused_unless_it_is_what_we_talk_to() {
    let secret = "whsec_dXNlcnN5bmNfZW11bGF0b3IwMTIzNDU2Nzg5";
    let publishable = "pk_test_dXNlcnN5bmMtZW11bGF0b3IubG9jYWxob3N0JA";
    let keys = [
        ("CLERK_WEBHOOK_SIGNING_SECRET", secret),
        ("CLERK_SECRET_KEY", "sk_test_usersync_emulator_0123456789"),
        ("CLERK_PUBLISHABLE_KEY", publishable),
    ];
    for key in keys {
        let error = with(&[key]).unwrap_err();
        assert!(error.0[0].starts_with(key.0) && error.0[0].contains("emulator"), "{error}");
    }
    let jwks = ("CLERK_JWKS_URL", "https://clerk.example.com/.well-known/jwks.json");
    let error = with(&[keys[2], jwks]).unwrap_err();
    assert!(error.0[0].contains("emulator"), "{error}");
    let error =
        with(&[jwks, ("CLERK_ISSUER", crate::provider::clerk::test_keys::ISSUER)]).unwrap_err();
    assert!(error.0[0].starts_with("CLERK_ISSUER is a key of the emulator"), "{error}");
    let mut here = keys.to_vec();
    here.push(("CLERK_API_URL", "http://localhost:8081"));
    let config = load(&here).unwrap();
    let keys = format!("{:?}", config.sessions.unwrap().keys);
    assert!(keys.contains("/v1/jwks") && !keys.contains("sk_test"), "{keys}");
}

#[test]
fn session_tokens_need_a_known_issuer_and_a_key() {
    let jwks = ("CLERK_JWKS_URL", "https://clerk.example.com/.well-known/jwks.json");
    let issuer = ("CLERK_ISSUER", "https://clerk.example.com/");
    assert!(with(&[]).unwrap().sessions.is_none());
    assert!(with(&[jwks]).unwrap_err().0[0].contains("CLERK_ISSUER is not set"));
    assert!(with(&[issuer]).unwrap_err().0[0].contains("no key"));
    let sessions = with(&[jwks, issuer]).unwrap().sessions.unwrap();
    assert_eq!(sessions.issuer, "https://clerk.example.com");
    let publishable = ("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuY2xlcmsuZGV2JA");
    let sessions = with(&[publishable]).unwrap().sessions.unwrap();
    assert_eq!(sessions.issuer, "https://clerk.clerk.dev");
    assert_eq!(sessions.cookie_suffix.as_deref(), Some("QvfNY2dr"));
}

#[test]
fn the_key_goes_to_the_backend_apis_own_key_set_and_to_no_other() {
    let key = ("CLERK_SECRET_KEY", "sk_live_0123456789");
    let issuer = ("CLERK_ISSUER", "https://clerk.example.com");
    let has_key = |url| {
        let config = with(&[key, issuer, ("CLERK_JWKS_URL", url)]).unwrap();
        format!("{:?}", config.sessions.unwrap().keys).contains("secret_key: Some")
    };
    assert!(has_key("https://api.clerk.com/v1/jwks"));
    assert!(!has_key("https://clerk.example.com/.well-known/jwks.json"));
}

#[test]
fn docker_compose_passes_every_variable_on() {
    let compose = include_str!("../../docker-compose.yml");
    let fixed = ["USERSYNC_BIND", "PORT", "CLERK_API_URL"];
    for variable in VARIABLES.iter().filter(|variable| !fixed.contains(&variable.name)) {
        let line = format!("\n      {}:", variable.name);
        assert!(compose.contains(&line), "{} is missing", variable.name);
    }
}
