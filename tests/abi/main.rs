//! The library as its hosts see it: every test goes through the C functions, most of them to a
//! sandbox process over a real socket.

mod support;

mod connections;
mod first;
mod header;
mod programs;
mod queue;
mod readme;
mod shared_object;
