//! The built shared object: its exports, its dependencies, its SONAME.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;

use mailru::ffi::MAILRU_ABI_VERSION;
use object::elf::{
    DF_1_NODELETE, DF_1_NOW, DF_BIND_NOW, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH,
    DT_SONAME, DT_TEXTREL, FileHeader64, PT_GNU_RELRO, ProgramHeader64,
};
use object::read::elf::{Dynamic, ElfFile64, ProgramHeader, SectionTable};
use object::{Endianness, Object, ObjectSymbol};

use crate::header;
use crate::support::library_folder;

/// The newest glibc version that may be required: RHEL 9's. Ubuntu 22.04 and Debian 12 have later ones.
const NEWEST_GLIBC: [u32; 2] = [2, 34];

/// The library with which the tests' C programs are linked.
pub struct Built(Vec<u8>);

impl Built {
    pub fn read() -> Built {
        let path = library_folder().join("libmailru.so");
        Built(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    fn elf(&self) -> ElfFile64<'_, Endianness> {
        ElfFile64::parse(&*self.0).expect("a 64-bit ELF file")
    }

    fn sections(&self) -> SectionTable<'_, FileHeader64<Endianness>> {
        *self.elf().elf_section_table()
    }

    /// The entries of the dynamic section with a tag.
    fn dynamic(&self, tag: i64) -> Vec<Dynamic> {
        let table = self.sections().dynamic_table(self.elf().endian(), &*self.0).expect("a dynamic section");
        table.iter().filter(|entry| entry.tag == tag).collect()
    }

    /// The entries with a tag, as texts.
    fn texts(&self, tag: i64) -> Vec<String> {
        let table = self.sections().dynamic_table(self.elf().endian(), &*self.0).expect("a dynamic section");
        let text = |entry| String::from_utf8_lossy(table.string(entry).expect("a text")).into_owned();
        self.dynamic(tag).into_iter().map(text).collect()
    }

    pub fn sonames(&self) -> Vec<String> {
        self.texts(DT_SONAME)
    }

    /// The libraries that it needs.
    pub fn needed(&self) -> Vec<String> {
        self.texts(DT_NEEDED)
    }

    /// The newest version of glibc that a symbol needs, and that symbol.
    pub fn newest_glibc(&self) -> ([u32; 2], String) {
        let elf = self.elf();
        let endian = elf.endian();
        let versions = self.sections().versions(endian, &*self.0).expect("readable").expect("versioned symbols");
        let mut newest = ([0, 0], String::new());
        for symbol in elf.dynamic_symbols().filter(ObjectSymbol::is_undefined) {
            let index = versions.version_index(endian, symbol.index());
            let Some(version) = versions.version(index).expect("a version") else { continue };
            let Some(number) = version.name().strip_prefix(b"GLIBC_") else { continue };
            let number = String::from_utf8_lossy(number);
            let mut parts = number.split('.').map(|part| part.parse::<u32>().expect("a number"));
            let number = [parts.next().unwrap_or(0), parts.next().unwrap_or(0)];
            newest = newest.max((number, symbol.name().expect("a name").to_owned()));
        }
        newest
    }

    /// The bits of all entries with a tag.
    fn flags(&self, tag: i64) -> u32 {
        self.dynamic(tag).iter().fold(0, |flags, entry| flags | entry.val as u32)
    }
}

#[test]
fn it_exports_only_the_headers_functions() {
    let built = Built::read();
    let elf = built.elf();
    let exported: BTreeSet<_> = elf
        .dynamic_symbols()
        .filter(|symbol| !symbol.is_undefined() && !symbol.is_local())
        .map(|symbol| symbol.name().expect("a name").to_owned())
        .collect();
    let declared: BTreeSet<_> = header::functions().into_iter().map(|function| function.name).collect();
    assert_eq!(exported, declared);
}

#[test]
fn its_soname_has_the_abi_version() {
    assert_eq!(Built::read().sonames(), [format!("libmailru.so.{MAILRU_ABI_VERSION}")]);
}

/// rustc optimizes across crates only if no Rust program can link the package. Then plain `cargo build --release`
/// builds the same library that is installed.
#[test]
fn it_is_built_only_for_c() {
    let manifest = fs::read_to_string(header::root().join("Cargo.toml")).expect("the manifest");
    let library = manifest.split_once("\n[lib]\n").expect("a section").1.split("\n[").next().expect("its text");
    assert!(library.contains("crate-type = [\"cdylib\", \"staticlib\"]"), "{library}");
    assert!(manifest.contains("lto = \"fat\""), "profile.release");
}

/// It is never unloaded, because its threads and its fork hook outlive a dlclose; and its symbols are bound and made
/// read-only at load time.
#[test]
fn it_stays_loaded_and_is_bound_at_once() {
    let built = Built::read();
    assert_ne!(built.flags(DT_FLAGS_1) & DF_1_NODELETE, 0, "-z nodelete");
    let now = built.flags(DT_FLAGS) & DF_BIND_NOW | built.flags(DT_FLAGS_1) & DF_1_NOW;
    assert!(now != 0 || !built.dynamic(DT_BIND_NOW).is_empty(), "-z now");
    assert!(built.dynamic(DT_TEXTREL).is_empty(), "text relocations");
    let elf = built.elf();
    let is_relro = |header: &ProgramHeader64<Endianness>| header.p_type(elf.endian()) == PT_GNU_RELRO;
    assert!(elf.elf_program_headers().iter().any(is_relro), "-z relro");
}

#[test]
fn it_needs_only_the_c_library() {
    let built = Built::read();
    let allowed = ["libc.so.", "libgcc_s.so.", "ld-linux", "libm.so.", "libpthread.so.", "libdl.so.", "librt.so."];
    for needed in built.needed() {
        assert!(allowed.iter().any(|start| needed.starts_with(start)), "{needed}");
    }
    let paths = [DT_RPATH, DT_RUNPATH].map(|tag| built.texts(tag)).concat();
    assert!(paths.is_empty(), "it looks for libraries in {paths:?}");
}

#[test]
fn it_runs_with_an_old_glibc() {
    let ([major, minor], symbol) = Built::read().newest_glibc();
    println!("newest symbol of the C library: {symbol}, GLIBC_{major}.{minor}");
    assert!(major > 0, "no versioned symbol was found");
    assert!([major, minor] <= NEWEST_GLIBC, "{symbol} needs GLIBC_{major}.{minor}");
}
