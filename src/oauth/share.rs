//! The exchange of tokens with the host and with other processes.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::file::{Lock, TokenFile};
use super::state::End;
use super::store::{Stage, TokenStore};
use super::tokens::Tokens;
use crate::error::{Code, Outcome};
use crate::log::{self, Level, Line};

impl TokenStore {
    /// Sets newer tokens from the host: writes them into the file and uses them for later calls and for calls that wait
    /// for the server.
    pub fn set_tokens(&self, tokens: Tokens) -> Outcome<()> {
        let merged = self.event(|state, _| state.merged(tokens.clone()))?;
        if let Some(file) = &self.file {
            // If another process renews, or this thread is about to, the file is written later.
            match file.try_lock() {
                Ok(Some(lock)) => self.save(file, &merged, &lock),
                _ => file.note_unsaved(),
            }
        }
        let served = self.event(|state, now| state.set_tokens(tokens).map(|()| state.tokens_for_waiting_calls(now)))?;
        let running = self.shared.with(|shared| Some(Arc::clone(&shared.running.get()?.as_ref()?.request)));
        if let (Some(tokens), Some(request)) = (served, running) {
            request.complete(End::With(Ok(tokens)));
        }
        Ok(())
    }

    /// Uses tokens that another process wrote since the last check.
    pub(super) fn check_file(&self) {
        let Some(file) = &self.file else { return };
        let taken = file.load_changed(self.now()).and_then(|changed| match changed {
            Some(tokens) => self.event(|state, _| match state.latest() {
                Some(latest) if latest.are_same(&tokens) => Ok(()),
                _ => state.set_tokens(tokens),
            }),
            None => Ok(()),
        });
        if let Err(failure) = taken {
            log::event(Level::Error, || Line::new("token_file_unusable").with_failure(&failure));
        }
    }

    /// Makes file and store have the same tokens: the newer ones.
    pub(super) fn read_file(&self, lock: Option<&Lock>) {
        match &self.file {
            Some(file) if file.has_unsaved() => self.write_file(lock),
            Some(_) => self.check_file(),
            None => {}
        }
    }

    /// Writes tokens that are newer than the file's.
    pub(super) fn write_file(&self, lock: Option<&Lock>) {
        let Some((file, lock)) = self.file.as_ref().zip(lock) else { return };
        if let Some(latest) = self.latest().filter(|_| file.has_unsaved()) {
            self.save(file, &latest, lock);
        }
    }

    fn save(&self, file: &TokenFile, tokens: &Tokens, lock: &Lock) {
        if let Err(failure) = file.save(tokens, lock) {
            // The tokens are kept in memory and written as soon as possible.
            log::event(Level::Error, || Line::new("token_file_not_written").with_failure(&failure));
        }
    }

    /// Waits until no other process renews. If the lock cannot be used, for example after a disk error, the request is
    /// made without it.
    pub(super) fn lock_file(&self) -> Outcome<Option<Lock>> {
        let Some(file) = &self.file else { return Ok(None) };
        self.enter(Stage::OtherProcess);
        match self.stoppable(|call| file.lock(call)) {
            Err(failure) if !matches!(failure.code(), Code::Cancelled | Code::Timeout) => {
                log::event(Level::Error, || Line::new("token_file_not_locked").with_failure(&failure));
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }
}
