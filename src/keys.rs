//! An application's keys: what they can sign, and in which of the platform's two circuits.
#![forbid(unsafe_code)]

use crate::error::{Code, Failure, Outcome};
use crate::oauth::tokens::Tokens;
use crate::secret::Secret;
use crate::signature::{Circuit, Signer};

/// An application's keys, and in which circuit they sign.
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

/// Which circuits a session's keys allow.
#[derive(Clone, Copy)]
pub struct Circuits {
    client: bool,
    server: bool,
}

impl Circuits {
    /// The circuit for these tokens: for their user if that is possible, else for the application.
    pub fn of(self, tokens: &Tokens) -> Option<Circuit> {
        match self {
            Circuits { client: true, .. } if !tokens.uid.is_empty() => Some(Circuit::ClientServer),
            Circuits { server: true, .. } => Some(Circuit::ServerServer),
            _ => None,
        }
    }
}

impl Keys {
    /// Refuses keys that the circuit needs and does not have.
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

    /// Refuses a call that no tokens could make one that can be signed, so that nothing is spent for it.
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

    /// Whether a user's id is needed, whatever is called.
    pub fn sign_only_for_a_user(&self) -> bool {
        matches!(self.circuits(), Circuits { client: true, server: false })
    }

    /// What signs a call with these tokens.
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
