//! The library under attack: redirects of others' logins, names that servers read in different ways.

mod addresses;
mod names;
mod redirects;
mod uploads;
