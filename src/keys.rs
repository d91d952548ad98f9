//! An application's keys, and the circuits in which they can sign.
#![forbid(unsafe_code)]

use crate::error::{Code, Failure, Outcome};
use crate::oauth::tokens::Tokens;
use crate::secret::Secret;
use crate::signature::{Circuit, Signer};

/// An application's keys, and a circuit if it is fixed.
pub struct Keys {
    /// The application's id.
    pub app_id: String,
    /// Signs in the client-server circuit.
    pub private_key: Secret,
    /// Signs in the server-server circuit.
    pub secret_key: Secret,
    /// `None`: inferred at each call.
    pub circuit: Option<Circuit>,
}

/// The circuits that a session's keys allow.
#[derive(Clone, Copy)]
pub struct Circuits {
    client: bool,
    server: bool,
}

impl Circuits {
    /// The circuit for these tokens: client-server if possible, else server-server.
    pub fn of(self, tokens: &Tokens) -> Option<Circuit> {
        match self {
            Circuits { client: true, .. } if !tokens.uid.is_empty() => Some(Circuit::ClientServer),
            Circuits { server: true, .. } => Some(Circuit::ServerServer),
            _ => None,
        }
    }
}

impl Keys {
    /// Fails if a key that the circuit needs is empty.
    pub fn check(&self) -> Outcome<()> {
        let needed = match self.circuit {
            Some(Circuit::ClientServer) => Some(("private_key", &self.private_key)),
            Some(Circuit::ServerServer) => Some(("secret_key", &self.secret_key)),
            None => None,
        };
        if self.app_id.is_empty() {
            return Err(Failure::argument("app_id", "is empty; give the application's id"));
        }
        match needed {
            Some((name, key)) if key.is_empty() => {
                Err(Failure::argument(name, "is empty; this kind of session signs with it"))
            }
            _ => Ok(()),
        }
    }

    /// Fails if the session could not sign a call with any tokens, so that no grant is used up for it.
    pub fn check_use(&self) -> Outcome<()> {
        match self.circuits() {
            Circuits { client: false, server: false } => Err(undefined()),
            _ => Ok(()),
        }
    }

    /// The circuits in which the keys can sign.
    pub fn circuits(&self) -> Circuits {
        Circuits {
            client: !self.private_key.is_empty() && self.circuit != Some(Circuit::ServerServer),
            server: !self.secret_key.is_empty() && self.circuit != Some(Circuit::ClientServer),
        }
    }

    /// Whether every call needs a user's id.
    pub fn sign_only_for_a_user(&self) -> bool {
        matches!(self.circuits(), Circuits { client: true, server: false })
    }

    /// The signer of a call with these tokens.
    pub fn signer<'a>(&'a self, tokens: &'a Tokens) -> Outcome<Signer<'a>> {
        match self.circuits().of(tokens) {
            Some(circuit @ Circuit::ClientServer) => Ok(Signer { circuit, uid: &tokens.uid, key: &self.private_key }),
            Some(circuit @ Circuit::ServerServer) => Ok(Signer { circuit, uid: "", key: &self.secret_key }),
            None => Err(undefined()),
        }
    }
}

fn undefined() -> Failure {
    Failure::new(Code::SignatureUndefined, "the session cannot sign: give it uid and private_key, or secret_key")
}
