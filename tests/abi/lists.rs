//! The lists in `src` from which the build generates parts of the library and the header.

/// The options: name, default, meaning.
pub fn options() -> Vec<[&'static str; 3]> {
    macro_rules! options {
        ($($name:literal = $default:literal, $meaning:literal;)*) => {
            vec![$([$name, $default, $meaning]),*]
        };
    }
    include!("../../src/option_names.in")
}

/// The codes: name and number.
pub fn codes() -> Vec<(&'static str, i32)> {
    macro_rules! codes {
        ($($variant:ident = $number:literal, $name:literal, $meaning:literal;)*) => {
            vec![$(($name, $number)),*]
        };
    }
    include!("../../src/codes.in")
}
