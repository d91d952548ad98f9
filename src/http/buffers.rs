//! The buffers of connections. A connection has them only while it serves a request, and a suspended call, of which there may
//! be thousands, has none.
#![forbid(unsafe_code)]

use std::mem;

use zeroize::{Zeroize, Zeroizing};

use crate::fork::ForkMutex;

/// The size of the input buffer. It must be larger than the largest head, to notice a larger one.
const INPUT: usize = 32 * 1024;
/// The size of the output buffer: for a request's head besides its address, and for a piece of its body.
const OUTPUT: usize = 8 * 1024;
/// The size of the output buffer for a large body.
const LARGE_OUTPUT: usize = 64 * 1024;
/// The maximum number of unused buffers of each kind.
const SPARE: usize = 32;

/// Unused buffers: to allocate and clear 40 KB for each request is slow.
static UNUSED: ForkMutex<Unused> = ForkMutex::new(Unused { inputs: Vec::new(), outputs: Vec::new() });

struct Unused {
    inputs: Vec<Vec<u8>>,
    /// Of the size [`OUTPUT`], and wiped.
    outputs: Vec<Vec<u8>>,
}

fn keep(buffers: &mut Vec<Vec<u8>>, buffer: Vec<u8>) {
    if !buffer.is_empty() && buffers.len() < SPARE {
        buffers.push(buffer);
    }
}

/// The buffers of a request whose head has `head` bytes at most, and its body `body`. One that is there already is used.
pub fn prepare(output: &mut Output, head: usize, body: usize) {
    let needed = head.max(if body > LARGE_OUTPUT { LARGE_OUTPUT } else { OUTPUT });
    if output.bytes.len() >= needed {
        return;
    }
    let unused = if needed == OUTPUT { UNUSED.with(|unused| unused.outputs.pop()) } else { None };
    *output = Output { bytes: Zeroizing::new(unused.unwrap_or_else(|| vec![0; needed])), used: 0 };
}

/// Takes both buffers of a connection that waits for its next request. Input that is not consumed stays.
pub fn release(output: &mut Output, input: &mut Input) {
    let (output, input) = (output.take(), input.take());
    UNUSED.with(|unused| {
        keep(&mut unused.outputs, output);
        keep(&mut unused.inputs, input);
    });
}

/// A request's head, and its body piece by piece. All of it is wiped when dropped.
#[derive(Default)]
pub struct Output {
    bytes: Zeroizing<Vec<u8>>,
    /// The number of bytes sent since the last wipe.
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

    /// Gives the buffer back, after all of the request was sent.
    pub fn release(&mut self) {
        let bytes = self.take();
        UNUSED.with(|unused| keep(&mut unused.outputs, bytes));
    }

    /// The wiped buffer; empty if it is of another size.
    fn take(&mut self) -> Vec<u8> {
        self.wipe();
        let bytes = mem::take(&mut *self.bytes);
        if bytes.len() == OUTPUT { bytes } else { Vec::new() }
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

    /// The free part of the buffer.
    pub fn room(&mut self) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = UNUSED.with(|unused| unused.inputs.pop()).unwrap_or_else(|| vec![0; INPUT]);
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        &mut self.bytes[self.end..]
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
        let (mut output, mut input) = (Output::default(), Input::default());
        for _ in 0..3 {
            prepare(&mut output, 100, 0);
            assert!(output.bytes.len() == OUTPUT && output.bytes.iter().all(|byte| *byte == 0));
            output.bytes()[..7].copy_from_slice(b"hunter2");
            assert_eq!(output.sent(7), b"hunter2");
            input.room()[..2].copy_from_slice(b"ab");
            input.received(2);
            release(&mut output, &mut input);
            assert_eq!((output.bytes.len(), input.kept()), (0, &b"ab"[..]), "bytes that were not consumed stay");
            input.consume(2);
            release(&mut output, &mut input);
            assert!(input.is_absent());
        }
    }

    #[test]
    fn large_requests_have_buffers_of_their_own() {
        let mut output = Output::default();
        for (head, body, size) in
            [(OUTPUT + 1, 0, OUTPUT + 1), (1, LARGE_OUTPUT + 1, LARGE_OUTPUT), (1, 1, LARGE_OUTPUT)]
        {
            prepare(&mut output, head, body);
            assert_eq!(output.bytes.len(), size, "a larger one stays");
        }
        assert_eq!(output.take().len(), 0, "and is not kept");
    }
}
