// Also read by build.rs, for the name of the shared object.

/// The number of the binary interface. It changes only when programs that were linked against an
/// earlier one would break; mailru_abi_version returns the library's own.
pub const MAILRU_ABI_VERSION: u32 = 0;
