//! Signatures of the REST API, as the platform's guide defines them for its two circuits.
//!
//! The parameters, sorted by name, are joined as `name=value` without separators, un-encoded. The client-server circuit
//! puts the user's id before this text and `private_key` after it; the server-server circuit puts `secret_key` after it
//! and has the parameter `secure=1`. The signature is the MD5 of the result, in lower-case hexadecimal digits.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::iter;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::Outcome;
use crate::large::{Checkpoint, Work, no_checkpoint};
use crate::params::Parameters;
use crate::secret::Secret;

/// The signer: the user's program with `private_key`, or the application's server with `secret_key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Signed for one user, whose id is part of the hashed text.
    ClientServer,
    /// Signed for the application, marked by `secure=1`.
    ServerServer,
}

impl Circuit {
    /// The name in the platform's guide.
    pub fn name(self) -> &'static str {
        match self {
            Circuit::ClientServer => "client-server",
            Circuit::ServerServer => "server-server",
        }
    }

    /// The name of the key it signs with.
    pub fn key_name(self) -> &'static str {
        match self {
            Circuit::ClientServer => "private_key",
            Circuit::ServerServer => "secret_key",
        }
    }
}

/// The circuit, user and key with which one call is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The circuit, which decides the formula.
    pub circuit: Circuit,
    /// The session user's id; hashed in the client-server circuit only.
    pub uid: &'a str,
    /// The circuit's key.
    pub key: &'a Secret,
}

impl Signer<'_> {
    /// Sorts the parameters by name and appends their signature as `sig`.
    pub fn sign(&self, parameters: &mut Parameters<'_>) {
        let _ = self.sign_within(parameters, &no_checkpoint);
    }

    /// As [`Self::sign`], for parameters that may be large.
    pub fn sign_within(&self, parameters: &mut Parameters<'_>, checkpoint: Checkpoint<'_>) -> Outcome<()> {
        sort(parameters);
        let signature = digest(self.prefix(), parameters, self.key.expose(), checkpoint)?;
        parameters.push((Cow::Borrowed("sig"), Cow::Owned(signature)));
        Ok(())
    }

    /// The text that [`Self::sign`] hashed, with the key's name in place of the key.
    pub fn base(&self, signed: &Parameters<'_>) -> Zeroizing<String> {
        let hashed = signed.iter().filter(|(name, _)| name != "sig");
        let parts = hashed.flat_map(|(name, value)| [name.as_ref(), "=", value.as_ref()]);
        let parts = iter::once(self.prefix()).chain(parts).chain(["<", self.circuit.key_name(), ">"]);
        // A text that grew would leave copies of the session key behind.
        let mut base = Zeroizing::new(String::with_capacity(parts.clone().map(str::len).sum()));
        base.extend(parts);
        base
    }

    fn prefix(&self) -> &str {
        match self.circuit {
            Circuit::ClientServer => self.uid,
            Circuit::ServerServer => "",
        }
    }
}

/// Whether `signature` is the server-server signature of these parameters, which this function sorts.
///
/// Compared in constant time. Hexadecimal digits may be upper-case.
pub fn verifies(signature: &str, parameters: &mut Parameters<'_>, secret_key: &Secret) -> bool {
    sort(parameters);
    digest("", parameters, secret_key.expose(), &no_checkpoint).is_ok_and(|computed| equal(signature, &computed))
}

/// Whether two hexadecimal digests are equal, in constant time.
pub fn equal(given: &str, computed: &str) -> bool {
    given.to_ascii_lowercase().as_bytes().ct_eq(computed.as_bytes()).into()
}

/// Sorts by name only: sorting the joined texts would put `a=…` and `a1=…` in another order.
pub fn sort(parameters: &mut Parameters<'_>) {
    parameters.sort_unstable_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
}

fn digest(prefix: &str, sorted: &Parameters<'_>, key: &str, checkpoint: Checkpoint<'_>) -> Outcome<String> {
    let mut context = md5::Context::new();
    context.consume(prefix);
    let mut work = Work::new(checkpoint);
    for (name, value) in sorted {
        context.consume(name.as_bytes());
        context.consume("=");
        work.through(value, |piece| context.consume(piece))?;
    }
    context.consume(key);
    Ok(hexadecimal(context.finalize().0))
}

/// Lower-case digits. `format!` would take longer than the hash.
fn hexadecimal(digest: [u8; 16]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    let mut text = String::with_capacity(2 * digest.len());
    text.extend(digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuits_have_their_names() {
        assert_eq!(Circuit::ClientServer.name(), "client-server");
        assert_eq!(Circuit::ServerServer.name(), "server-server");
    }

    const SESSION: (&str, &str) = ("session_key", "be6ef89965d58e56dec21acb9b62bdaa");

    fn signature(circuit: Circuit, parameters: &[(&'static str, &'static str)]) -> String {
        let key = match circuit {
            Circuit::ClientServer => Secret::new("7815696ecbf1c96e6894b779456d330e"),
            Circuit::ServerServer => Secret::new("3dad9cbf9baaa0360c0f2ba372d25716"),
        };
        let mut parameters = parameters.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Signer { circuit, uid: "1324730981306483817", key: &key }.sign(&mut parameters);
        parameters.pop().expect("sig comes last").1.into_owned()
    }

    #[test]
    fn worked_examples_of_the_guide() {
        let client = [("app_id", "423004"), ("method", "friends.get"), SESSION];
        assert_eq!(signature(Circuit::ClientServer, &client), "5073f15c6d5b6ab2fde23ac43332b002");
        let server = [("secure", "1"), ("app_id", "423004"), ("method", "friends.get"), SESSION];
        assert_eq!(signature(Circuit::ServerServer, &server), "4a05af66f80da18b308fa7e536912bae");
    }

    #[test]
    fn further_vectors() {
        let with_zero = [("app_id", "423004"), ("method", "friends.get"), ("secure", "0"), SESSION];
        assert_eq!(signature(Circuit::ClientServer, &with_zero), "ebe80f4b77ae55b909fff4d9c6806da7");
        let with_format =
            [("app_id", "423004"), ("method", "friends.get"), ("secure", "1"), SESSION, ("format", "json")];
        assert_eq!(signature(Circuit::ServerServer, &with_format), "76cf7b1206b02ec19b443f7340a3fb9d");
        let unicode = [
            ("app_id", "423004"),
            SESSION,
            ("method", "messages.getThread"),
            ("secure", "1"),
            ("text", "Привет, мир!&=+"),
            ("uid", "1"),
        ];
        assert_eq!(signature(Circuit::ServerServer, &unicode), "88276312abf0305a8075ea99b4c0d868");
    }

    #[test]
    fn names_are_sorted_not_joined_texts() {
        let key = Secret::new("key");
        let mut parameters: Parameters = vec![("a1".into(), "x".into()), ("a".into(), "y".into())];
        let signer = Signer { circuit: Circuit::ServerServer, uid: "", key: &key };
        signer.sign(&mut parameters);
        assert_eq!(*signer.base(&parameters), "a=ya1=x<secret_key>");
    }
}
