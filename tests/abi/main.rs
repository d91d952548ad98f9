//! Tests of the C interface: every test calls the C functions, most of them against a sandbox process over a real
//! socket.
// The C functions are unsafe to call.
#![allow(unsafe_code)]

mod support;

mod answers;
mod attacks;
mod callbacks;
mod connections;
mod constructors;
mod corpus;
mod cpp;
mod errors;
mod first;
mod handles;
mod header;
mod helpers;
mod layers;
mod lists;
mod oauth_faults;
mod oauth_grants;
mod oauth_lost_tokens;
mod oauth_model;
mod oauth_processes;
mod oauth_refusals;
mod oauth_renewal;
mod oauth_shared;
mod oauth_transient;
mod options;
mod parameters;
mod parameters_random;
mod programs;
mod python;
mod queue;
mod readme;
mod record;
mod request_json;
mod requests;
mod secrets;
mod shared_object;
mod signing;
mod stats;
mod supply;
