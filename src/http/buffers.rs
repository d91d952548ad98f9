//! The buffers of connections. A connection has them only while it serves a request. A queued call that waits for its answer
//! has none, because there may be thousands of them.
#![forbid(unsafe_code)]

use std::{io, mem};

use zeroize::{Zeroize, Zeroizing};

use super::transport_error::ended;
use crate::engine;
use crate::error::Outcome;
use crate::fork::ForkMutex;
use crate::memory;

/// The size of the input buffer. It must be larger than the largest head, to notice a larger one.
const INPUT: usize = 32 * 1024;
/// The size of the output buffer: for a request's head besides its address, and for a piece of its body.
const OUTPUT: usize = 8 * 1024;
/// The size of the output buffer for a large body.
const LARGE_OUTPUT: usize = 64 * 1024;
/// The maximum number of unused buffers of each kind.
const SPARE: usize = 32;

/// The unused buffers of the connections with the same settings: to allocate and clear 40 KB for each request is slow.
pub struct Unused(ForkMutex<Lists>);

struct Lists {
    /// With parts of answers, but not of answers with tokens.
    inputs: Vec<Vec<u8>>,
    /// Of the size [`OUTPUT`], and wiped.
    outputs: Vec<Vec<u8>>,
}

fn keep(buffers: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if !buffer.is_empty() && buffers.len() < SPARE {
        buffers.push(buffer);
    }
}

impl Default for Unused {
    fn default() -> Unused {
        Unused(ForkMutex::new(Lists { inputs: Vec::new(), outputs: Vec::new() }))
    }
}

impl Unused {
    /// Gives a connection the buffers for a request whose head has `head` bytes at most, and its body `body`. A queued call
    /// takes the input when its answer comes.
    pub fn prepare(&self, output: &mut Output, input: &mut Input, head: usize, body: usize) -> Outcome<()> {
        let size = head.max(if body > LARGE_OUTPUT { LARGE_OUTPUT } else { OUTPUT });
        let needs_input = input.is_absent() && !engine::is_task();
        let (unused_output, unused_input) = self.0.with(|lists| {
            (
                if size == OUTPUT { lists.outputs.pop() } else { None },
                if needs_input { lists.inputs.pop() } else { None },
            )
        });
        let bytes = unused_output.map_or_else(|| memory::buffer(size), Ok)?;
        *output = Output { bytes: Zeroizing::new(bytes), used: 0 };
        if needs_input {
            input.bytes = unused_input.map_or_else(|| memory::buffer(INPUT), Ok)?;
        }
        Ok(())
    }

    /// Takes both buffers of a connection that waits for its next request. Input that is not consumed stays.
    pub fn release(&self, output: &mut Output, input: &mut Input) {
        let (output, input) = (output.take(), input.take());
        self.0.with(|lists| {
            keep(&mut lists.outputs, output);
            keep(&mut lists.inputs, input);
        });
    }

    /// Takes the output after all of the request was sent.
    pub fn release_output(&self, output: &mut Output) {
        let bytes = output.take();
        self.0.with(|lists| keep(&mut lists.outputs, bytes));
    }
}

/// A request's head, and its body piece by piece. All of it is wiped when dropped.
#[derive(Default)]
pub struct Output {
    bytes: Zeroizing<Vec<u8>>,
    /// The length of the part that was used since the last wipe.
    used: usize,
}

impl Output {
    /// The whole buffer.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first bytes, which are sent.
    pub fn sent(&mut self, amount: usize) -> &[u8] {
        self.used = self.used.max(amount);
        &self.bytes[..amount]
    }

    /// Wipes only the sent part, because most heads are short.
    pub fn wipe(&mut self) {
        self.bytes[..self.used].zeroize();
        self.used = 0;
    }

    /// The wiped buffer; one of another size is freed.
    fn take(&mut self) -> Vec<u8> {
        if self.bytes.len() != OUTPUT {
            *self = Output::default();
        }
        self.wipe();
        mem::take(&mut *self.bytes)
    }
}

/// Received bytes that were not consumed yet.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Input {
    /// Whether there is no buffer.
    pub fn is_absent(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The received bytes.
    pub fn kept(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    /// The free part of the buffer. Fails if there is none and no memory for one.
    pub fn room(&mut self, unused: &Unused) -> io::Result<&mut [u8]> {
        if self.bytes.is_empty() {
            let unused = unused.0.with(|lists| lists.inputs.pop());
            self.bytes = unused.map_or_else(|| memory::buffer(INPUT), Ok).map_err(ended)?;
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        Ok(&mut self.bytes[self.end..])
    }

    /// Adds bytes that were written to [`Input::room`].
    pub fn received(&mut self, count: usize) {
        self.end += count;
    }

    /// Consumes received bytes.
    pub fn consume(&mut self, count: usize) {
        self.begin += count;
    }

    /// Wipes all that was received.
    pub fn wipe(&mut self) {
        self.bytes.zeroize();
        *self = Input::default();
    }

    /// The buffer, unless it has bytes.
    fn take(&mut self) -> Vec<u8> {
        if self.kept().is_empty() { mem::take(self).bytes } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_and_hold_nothing_of_the_last_request() {
        let (unused, mut output, mut input) = (Unused::default(), Output::default(), Input::default());
        for _ in 0..3 {
            unused.prepare(&mut output, &mut input, 100, 0).expect("memory");
            assert!(!input.is_absent(), "a host's thread may have no memory for it later");
            assert!(output.bytes.len() == OUTPUT && output.bytes.iter().all(|byte| *byte == 0));
            output.bytes()[..7].copy_from_slice(b"hunter2");
            assert_eq!(output.sent(7), b"hunter2");
            input.room(&unused).expect("a buffer")[..2].copy_from_slice(b"ab");
            input.received(2);
            unused.release(&mut output, &mut input);
            assert_eq!((output.bytes.len(), input.kept()), (0, &b"ab"[..]), "bytes that were not consumed stay");
            input.consume(2);
            unused.release(&mut output, &mut input);
            assert!(input.is_absent());
        }
    }

    #[test]
    fn large_requests_have_buffers_of_their_own() {
        let (unused, mut output, mut input) = (Unused::default(), Output::default(), Input::default());
        for (head, body, size) in [(OUTPUT + 1, 0, OUTPUT + 1), (1, LARGE_OUTPUT + 1, LARGE_OUTPUT)] {
            unused.prepare(&mut output, &mut input, head, body).expect("memory");
            assert_eq!(output.bytes.len(), size);
        }
        assert_eq!(output.take().len(), 0, "it is not kept");
    }
}
