//! The platform's signatures, written after the guide, with another MD5 implementation than the library's.

use md_5::{Digest, Md5};

use crate::params::hex;

/// The key that signs, and the text before the parameters.
pub enum Circuit<'a> {
    Client { uid: &'a str, private_key: &'a str },
    Server { secret_key: &'a str },
}

/// The signature of `pairs`; `sig` itself is not signed.
pub fn sign(pairs: &[(String, String)], circuit: &Circuit) -> String {
    let mut sorted: Vec<_> = pairs.iter().filter(|(name, _)| name != "sig").collect();
    // Sorted by name only: sorting "name=value" would put a1= before a=.
    sorted.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    let mut md5 = Md5::new();
    if let Circuit::Client { uid, .. } = circuit {
        md5.update(uid);
    }
    for (name, value) in sorted {
        md5.update(name);
        md5.update("=");
        md5.update(value);
    }
    md5.update(match circuit {
        Circuit::Client { private_key, .. } => private_key,
        Circuit::Server { secret_key } => secret_key,
    });
    hex(&md5.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo_users::DEMO_UID;
    use crate::grants::{DEMO_APP, DEMO_PRIVATE_KEY, DEMO_SECRET_KEY, DEMO_SESSION_KEY};

    const CLIENT: Circuit = Circuit::Client { uid: DEMO_UID, private_key: DEMO_PRIVATE_KEY };
    const SERVER: Circuit = Circuit::Server { secret_key: DEMO_SECRET_KEY };

    fn signed(extra: &[(&str, &str)], circuit: &Circuit) -> String {
        let common = [("app_id", DEMO_APP), ("session_key", DEMO_SESSION_KEY)];
        let pairs: Vec<_> =
            extra.iter().chain(&common).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        sign(&pairs, circuit)
    }

    #[test]
    fn the_guide() {
        assert_eq!(signed(&[("method", "friends.get")], &CLIENT), "5073f15c6d5b6ab2fde23ac43332b002");
        let server = [("method", "friends.get"), ("secure", "1")];
        assert_eq!(signed(&server, &SERVER), "4a05af66f80da18b308fa7e536912bae");
    }

    #[test]
    fn more_by_the_formula() {
        let client = [("method", "friends.get"), ("secure", "0"), ("sig", "unsigned")];
        assert_eq!(signed(&client, &CLIENT), "ebe80f4b77ae55b909fff4d9c6806da7");
        let server = [("method", "friends.get"), ("secure", "1"), ("format", "json")];
        assert_eq!(signed(&server, &SERVER), "76cf7b1206b02ec19b443f7340a3fb9d");
        let text = [("method", "messages.getThread"), ("secure", "1"), ("text", "Привет, мир!&=+"), ("uid", "1")];
        assert_eq!(signed(&text, &SERVER), "88276312abf0305a8075ea99b4c0d868");
    }

    #[test]
    fn a_payment_is_signed_alike() {
        let payment = "app_id=524632 mailiki_price=10 other_price=10000 profit=5000 service_id=10 \
                       transaction_id=3751 uid=104";
        let pairs: Vec<_> = payment
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(sign(&pairs, &Circuit::Server { secret_key: "secretkey" }), "961a705e28008186d443fe211608184c");
    }
}
