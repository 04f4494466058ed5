//! The three signed headers, and the tolerance of their timestamp.
//!
//! Called by the webhook handler before it reads the body. Pure: header values and the time come
//! in. Both names of each header are accepted (trap 4: the provider sends `svix-*`, the standard
//! says `webhook-*`).

use super::Rejection;

/// How far a signed timestamp may lie from now, in either direction. The default of Standard
/// Webhooks; retries are signed anew.
pub const TOLERANCE_SECONDS: u64 = 300;

const LONGEST_ID_BYTES: usize = 256;

/// As text exactly as signed.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    /// The message's id: the same for every attempt to deliver it.
    pub id: String,
    /// Seconds since 1970, as written: the text itself is signed.
    pub timestamp: String,
    /// Entries `version,base64`, separated by spaces.
    pub signatures: String,
}

impl SignedHeaders {
    /// `get` returns a header's values by its lower-case name. Of one that came twice with
    /// different values each counts: signatures may be spread over several. A gateway may have
    /// joined two that are the same with a comma.
    pub fn read<'a>(get: impl Fn(&str) -> Vec<&'a [u8]>) -> Result<Self, Rejection> {
        let read = |svix: &str, standard: &str, short| -> Result<String, Rejection> {
            let joined = |name| {
                let mut values = get(name);
                values.dedup();
                values.join(&b' ').trim_ascii().to_vec()
            };
            let value = match joined(svix) {
                empty if empty.is_empty() => joined(standard),
                value => value,
            };
            if value.is_empty() {
                return Err(Rejection::MissingHeader(short));
            }
            let printable = value.iter().all(|byte| (b' '..=b'~').contains(byte));
            match String::from_utf8(value) {
                Ok(text) if printable => Ok(text),
                _ => Err(Rejection::InvalidHeader(short)),
            }
        };
        let headers = Self {
            id: once(read("svix-id", "webhook-id", "id")?),
            timestamp: once(read("svix-timestamp", "webhook-timestamp", "timestamp")?),
            signatures: read("svix-signature", "webhook-signature", "signature")?,
        };
        if headers.id.len() > LONGEST_ID_BYTES {
            return Err(Rejection::InvalidHeader("id"));
        }
        Ok(headers)
    }

    pub fn check_timestamp(&self, now_seconds: i64) -> Result<(), Rejection> {
        let digits = self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let signed_at: i64 = match self.timestamp.parse() {
            Ok(seconds) if digits => seconds,
            _ => return Err(Rejection::InvalidTimestamp),
        };
        if signed_at.abs_diff(now_seconds) <= TOLERANCE_SECONDS {
            Ok(())
        } else if signed_at < now_seconds {
            Err(Rejection::TimestampTooOld)
        } else {
            Err(Rejection::TimestampTooNew)
        }
    }
}

/// One of two equal halves, or all of it.
fn once(text: String) -> String {
    match text.split_once(',') {
        Some((first, second)) if first == second.trim_start() => first.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{Rejection, SignedHeaders};

    fn read(pairs: &[(&str, &'static [u8])]) -> Result<SignedHeaders, Rejection> {
        SignedHeaders::read(|name| {
            pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1).collect()
        })
    }

    fn at(timestamp: &str) -> SignedHeaders {
        SignedHeaders { id: "msg_1".into(), timestamp: timestamp.into(), signatures: "v1,x".into() }
    }

    #[test]
    fn trap_4_either_name_of_each_header_is_read() {
        let svix =
            read(&[("svix-id", b"m"), ("svix-timestamp", b"1"), ("svix-signature", b"v1,x")]);
        let standard = read(&[
            ("webhook-id", b"m"),
            ("webhook-timestamp", b"1"),
            ("webhook-signature", b"v1,x"),
        ]);
        assert!(svix.is_ok());
        assert_eq!(svix, standard);
    }

    #[test]
    fn a_missing_blank_or_unreadable_header_is_named() {
        assert_eq!(read(&[]), Err(Rejection::MissingHeader("id")));
        assert_eq!(read(&[("svix-id", b" ")]), Err(Rejection::MissingHeader("id")));
        assert_eq!(read(&[("svix-id", b"\xff")]), Err(Rejection::InvalidHeader("id")));
        assert_eq!(read(&[("svix-id", b"m")]), Err(Rejection::MissingHeader("timestamp")));
    }

    #[test]
    fn a_header_that_came_twice_counts_once_or_is_read_as_a_list() {
        let twice = [("svix-id", &b"m"[..]), ("svix-timestamp", b"1"), ("svix-id", b"m")];
        let signatures = [("svix-signature", &b"v1,x"[..]), ("svix-signature", b"v1,y")];
        let headers = read(&[&twice[..], &signatures].concat()).unwrap();
        assert_eq!((headers.id.as_str(), headers.signatures.as_str()), ("m", "v1,x v1,y"));
        let joined = [("svix-id", &b"m, m"[..]), ("svix-timestamp", b"1,1")];
        let headers = read(&[&joined[..], &signatures].concat()).unwrap();
        assert_eq!((headers.id.as_str(), headers.timestamp.as_str()), ("m", "1"));
        let others = [("svix-id", &b"m, n"[..]), ("svix-timestamp", b"1,")];
        let headers = read(&[&others[..], &signatures].concat()).unwrap();
        assert_eq!((headers.id.as_str(), headers.timestamp.as_str()), ("m, n", "1,"));
    }

    #[test]
    fn trap_3_the_tolerance_counts_both_ways_and_in_seconds() {
        let now = 1_614_265_330;
        assert_eq!(at("1614265330").check_timestamp(now), Ok(()));
        assert_eq!(at("1614265030").check_timestamp(now), Ok(()));
        assert_eq!(at("1614265630").check_timestamp(now), Ok(()));
        assert_eq!(at("1614265029").check_timestamp(now), Err(Rejection::TimestampTooOld));
        assert_eq!(at("1614265631").check_timestamp(now), Err(Rejection::TimestampTooNew));
        assert_eq!(at("1614265330000").check_timestamp(now), Err(Rejection::TimestampTooNew));
        for wrong in ["hello", "-1", "+1614265330", "1614265330.5", "99999999999999999999", ""] {
            assert_eq!(at(wrong).check_timestamp(now), Err(Rejection::InvalidTimestamp), "{wrong}");
        }
    }
}
