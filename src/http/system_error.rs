//! Errors of the operating system in English, because the system's own texts depend on the host's locale.
#![forbid(unsafe_code)]

use std::io;

/// Errors for which the standard library has no kind, or only a vague one.
const TEXTS: &[(i32, &str)] = &[
    (libc::EMFILE, "too many open files in this process; raise its limit of descriptors or make fewer calls at once"),
    (libc::ENFILE, "too many open files in this system"),
    (libc::EADDRNOTAVAIL, "no local port is left, or the address does not belong to this machine"),
    (libc::EACCES, "not permitted, perhaps by a firewall"),
    (libc::EPERM, "not permitted, perhaps by a firewall"),
    (libc::EINVAL, "the address is not one to connect to"),
    (libc::EAFNOSUPPORT, "this machine does not support this kind of address"),
    #[cfg(unix)]
    (libc::EPROTONOSUPPORT, "this machine does not support this kind of connection"),
    #[cfg(not(windows))]
    (libc::ENOBUFS, "no memory for network buffers is left"),
];

/// An error as a phrase. Errors made by libraries may quote an address, so only their kind is shown.
pub fn describe(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else { return error.kind().to_string() };
    let known = TEXTS.iter().find(|(known, _)| *known == number).map(|(_, text)| (*text).to_owned());
    format!("{} (os error {number})", known.unwrap_or_else(|| error.kind().to_string()))
}

/// Whether this machine lacks a resource, such as descriptors or memory.
pub fn is_shortage(error: &io::Error) -> bool {
    #[cfg(not(windows))]
    let of_buffers = error.raw_os_error() == Some(libc::ENOBUFS);
    #[cfg(windows)]
    let of_buffers = false;
    is_out_of_memory(error) || of_buffers || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether there was no memory.
pub fn is_out_of_memory(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_do_not_depend_on_the_locale() {
        for (number, text) in [
            (libc::ECONNREFUSED, "connection refused (os error 111)"),
            (libc::EMFILE, "too many open files in this process"),
            (libc::EHOSTUNREACH, "host unreachable"),
            (libc::ENOMEM, "out of memory"),
        ] {
            if cfg!(target_os = "linux") {
                let described = describe(&io::Error::from_raw_os_error(number));
                assert!(described.starts_with(text), "{described}");
            }
        }
        let secret = io::Error::other("https://example.org/?session_key=hunter2");
        assert_eq!(describe(&secret), "other error");
        assert!(is_shortage(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(is_out_of_memory(&io::Error::from_raw_os_error(libc::ENOMEM)));
    }
}
