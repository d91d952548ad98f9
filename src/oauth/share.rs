//! Tokens that come to a store, or go from it, by way of the host and of other processes.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::file::Lock;
use super::state::End;
use super::store::TokenStore;
use super::tokens::Tokens;
use crate::error::{Code, Outcome};
use crate::log::{self, Level, Line};

impl TokenStore {
    /// Newer tokens from the host, for calls from now on and for those that wait.
    pub fn set_tokens(&self, tokens: Tokens) -> Outcome<()> {
        let given = self.event(|state, now| {
            let given = state.give(tokens);
            given.map(|()| state.usable().filter(|_| state.is_settled(now)).cloned())
        });
        let served = given?;
        if let Some(file) = &self.file {
            file.fall_behind();
            // Where another process renews, or this very thread is about to, the file is written later.
            if let Ok(Some(lock)) = file.try_lock() {
                self.write_file(Some(&lock));
            }
        }
        let running = self.shared.with(|shared| Some(Arc::clone(&shared.running.get()?.as_ref()?.request)));
        if let (Some(tokens), Some(request)) = (served, running) {
            request.complete(End::With(Ok(tokens)));
        }
        Ok(())
    }

    /// Takes over what another process wrote since the last look.
    pub(super) fn look_into_file(&self) {
        let Some(file) = &self.file else { return };
        let taken_over = file.load_news(self.now()).and_then(|news| match news {
            Some(tokens) => self.event(|state, _| match state.latest() {
                Some(latest) if latest.are_same(&tokens) => Ok(()),
                _ => state.give(tokens),
            }),
            None => Ok(()),
        });
        if let Err(failure) = taken_over {
            log::event(Level::Error, || Line::new("token_file_unusable").with_failure(&failure));
        }
    }

    /// Brings file and store to the same tokens: the newer ones.
    pub(super) fn read_file(&self, lock: Option<&Lock>) {
        match &self.file {
            Some(file) if file.is_behind() => self.write_file(lock),
            Some(_) => self.look_into_file(),
            None => {}
        }
    }

    /// Writes tokens that are newer than the file's.
    pub(super) fn write_file(&self, lock: Option<&Lock>) {
        let Some((file, lock)) = self.file.as_ref().zip(lock) else { return };
        let latest = self.latest().filter(|_| file.is_behind());
        if let Some(Err(failure)) = latest.map(|latest| file.save(&latest, lock)) {
            // They are in memory only, and are written as soon as that is possible.
            log::event(Level::Error, || Line::new("token_file_not_written").with_failure(&failure));
        }
    }

    /// Waits until no other process renews. Without a lock, which may be the disk's fault, the request is made all the
    /// same: it is better than none.
    pub(super) fn lock_file(&self) -> Outcome<Option<Lock>> {
        let Some(file) = &self.file else { return Ok(None) };
        match self.stoppable(|call| file.lock(call)) {
            Err(failure) if !matches!(failure.code(), Code::Cancelled | Code::Timeout) => {
                log::event(Level::Error, || Line::new("token_file_not_locked").with_failure(&failure));
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }
}
